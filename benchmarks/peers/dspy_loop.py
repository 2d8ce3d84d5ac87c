"""dspy's SIMBA as shipped, with all workers; prints the seconds that it took."""

import os
import time
from zlib import crc32

import dspy

dspy.configure(lm=dspy.LM("openai/bench", cache=False))
questions = [f"Question {n}: which way?" for n in range(64)]
train = [dspy.Example(question=question).with_inputs("question") for question in questions]


def metric(_example, prediction, _trace=None):
    """A score that follows from the answer, so that candidates differ."""
    return crc32(str(prediction.answer).encode()) % 100 / 100


simba = dspy.SIMBA(
    metric=metric, bsize=16, num_candidates=4, max_steps=3, num_threads=int(os.environ["WORKERS"])
)
began = time.perf_counter()
simba.compile(dspy.Predict("question -> answer"), trainset=train, seed=0)
print(time.perf_counter() - began)
