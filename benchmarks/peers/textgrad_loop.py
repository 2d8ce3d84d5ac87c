"""textgrad's descent, a batch of 3 for 8 steps; prints the seconds that it took."""

import time

import textgrad as tg
from openai import OpenAI
from textgrad.engine.local_model_openai_api import ChatExternalClient

engine = ChatExternalClient(client=OpenAI(), model_string="bench")
tg.set_backward_engine(engine, override=True)
prompt = tg.Variable("Answer with one word.", requires_grad=True, role_description="system prompt")
model = tg.BlackboxLLM(engine, system_prompt=prompt)
optimizer = tg.TextualGradientDescent(engine=engine, parameters=[prompt])
began = time.perf_counter()
for step in range(8):
    optimizer.zero_grad()
    losses = []
    for n in range(3):
        question = tg.Variable(
            f"Question {step} {n} at {began}: which way?", role_description="question"
        )
        question.requires_grad = False
        judge = tg.TextLoss("Say what is wrong with the answer.", engine=engine)
        losses.append(judge(model(question)))
    tg.sum(losses).backward()
    optimizer.step()
print(time.perf_counter() - began)
