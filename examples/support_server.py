"""A stand-in for a model on loopback, so that `support_agent.py` can be tried without a key.

    python examples/support_server.py 8000 &
    export OPENAI_BASE_URL=http://127.0.0.1:8000/v1 OPENAI_API_KEY=none SUPPORT_MODEL=any

It sends a coupon in every case, unless the guidance in its prompt names another tool. Asked for a
critique, it makes a lesson of feedback of the form "When CONDITION, INSTRUCTION"; asked to curate,
it adds what is proposed, and supports what is there already. No model of language behaves so.
"""

import json
import re
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HABIT = "send_coupon"
PROPOSED = re.compile(r"^\s+proposed: (When .+)$", re.M)
EVIDENCE = re.compile(r"^\[(\d+)\] outcome", re.M)
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def reply_to(body: dict) -> dict:
    """The assistant's message."""
    text = "\n".join(text_of(message) for message in body["messages"])
    if "response_format" in body:
        asked = json.dumps(body["response_format"])
        found = curated(text) if '"operations"' in asked else criticised(text)
        return {"role": "assistant", "content": json.dumps(found)}
    results = [m for m in body["messages"] if m["role"] == "tool"]
    order = next(iter(re.findall(r"\border\D{0,9}(\d+)", text, re.I)), "1")
    if len(results) == 2:
        return {"role": "assistant", "content": f"It is settled. {results[-1]['content']}"}
    names = [tool["function"]["name"] for tool in body.get("tools", ())]
    if not names:
        return {"role": "assistant", "content": "A coupon of 10 % is on its way."}
    tool = advised(text, names) if results else "get_order"
    function = {"name": tool, "arguments": json.dumps({"order": order})}
    call = {"id": f"call_{len(results)}", "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def text_of(message: dict) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "\n".join(p.get("text", "") for p in content)


def advised(text: str, names: list[str]) -> str:
    """The first tool that guidance names, else the habit."""
    lines = "\n".join(re.findall(r"<guidance>(.*?)</guidance>", text, re.S))
    found = [name for name in names if re.search(rf"\b{name}\b", lines)]
    return min(found, key=lines.index) if found else HABIT


def criticised(text: str) -> dict:
    """One lesson of the last feedback that says when to do what."""
    said = re.findall(r"^- When (.+?), (.+)$", text.partition("<feedback>")[2], re.M)[-1:]
    lessons = [{"name": "as told", "when": w, "instruction": i, "step": 1} for w, i in said]
    fixed = {"causes": [], "keeps": [], "refinement": "", "confidence": 1.0}
    return fixed | {"verdict": "failure", "reveals_answer": False, "lessons": lessons}


def curated(text: str) -> dict:
    """Each proposal as a new lesson, or as support of the lesson that says the same."""
    there = text.partition("<lessons>")[2].partition("</lessons>")[0]
    evidence = [int(n) for n in EVIDENCE.findall(text)]
    operations = []
    for wording in dict.fromkeys(PROPOSED.findall(text)):
        when, _, instruction = wording.removeprefix("When ").partition(": ")
        same = re.findall(rf"^\[(\d+)\] {re.escape(wording)}", there, re.M)
        made = {"op": "support", "lessons": [int(same[0])], "instruction": ""} if same else {}
        fields = {"op": "add", "lessons": [], "name": "as told", "when": when, "when_not": ""}
        fields |= {"instruction": instruction, "reason": "It was said.", "proposals": []}
        operations.append(fields | {"evidence": evidence} | made)
    return {"operations": operations}


def chunks(message: dict) -> Iterator[dict]:
    """The message as a stream has it, word by word."""
    yield {"role": "assistant"}
    for word in re.findall(r"\S+\s*", message.get("content") or ""):
        yield {"content": word}
    for number, call in enumerate(message.get("tool_calls", ())):
        yield {"tool_calls": [call | {"index": number}]}


class Handler(BaseHTTPRequestHandler):
    """Answers every POST."""

    def do_POST(self) -> None:
        """Answer as a chat completion, streamed or whole."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        message = reply_to(body)
        finish = "tool_calls" if message.get("tool_calls") else "stop"
        head = {"id": "chat_1", "created": 1, "model": body["model"]}
        if body.get("stream"):
            head["object"] = "chat.completion.chunk"
            parts = [{"delta": d, "finish_reason": None} for d in chunks(message)]
            parts.append({"delta": {}, "finish_reason": finish})
            events = [json.dumps(head | {"choices": [p | {"index": 0}]}) for p in parts]
            sent = "".join(f"data: {event}\n\n" for event in [*events, "[DONE]"])
        else:
            choice = {"index": 0, "message": message, "finish_reason": finish}
            whole = head | {"object": "chat.completion", "choices": [choice], "usage": USAGE}
            sent = json.dumps(whole)
        kind = "text/event-stream" if body.get("stream") else "application/json"
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(sent.encode())))
        self.end_headers()
        self.wfile.write(sent.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if sys.argv[1:] else 8000), Handler)
    print(f"http://127.0.0.1:{server.server_port}/v1", flush=True)
    server.serve_forever()
