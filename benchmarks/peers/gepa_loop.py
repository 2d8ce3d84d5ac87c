"""GEPA as shipped: `gepa.optimize` with its default adapter; prints the seconds that it took."""

import time

import gepa

data = [
    {"input": f"Question {n}: which way?", "additional_context": {}, "answer": format(n % 16, "x")}
    for n in range(96)
]
began = time.perf_counter()
gepa.optimize(
    seed_candidate={"system_prompt": "Answer with one word."},
    trainset=data[:64],
    valset=data[64:],
    task_lm="openai/bench",
    reflection_lm="openai/bench",
    max_metric_calls=400,
    display_progress_bar=False,
)
print(time.perf_counter() - began)
