"""From a reply to an answer: checked in the order finish reason, size, decoding, schema.

Pure but for the one loop, `answered`, which asks again with what was wrong: at most twice, carrying
the error and the last answer cut short, so that repairs do not grow.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any, TypeVar, cast

from pydantic import BaseModel, JsonValue, ValidationError

from ..errors import ModelError, first_line
from ..prompts import neutralise
from .messages import MAX_REPLY, Message, Reply, Request, clean_json

MAX_REPAIRS = 2
_SHOWN = 2_000
_MAX_DEPTH = 64

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

Schema = type[BaseModel] | Mapping[str, Any] | None
"""What an answer is to be: an instance of a class, JSON of a schema, or plain text."""


class UnusableReply(ModelError):
    """Every reply to a request, repairs included, was unusable; `raw` is the last one's text."""

    raw: str = ""


class _Unusable(ValueError):
    """This reply cannot be used; `final` when asking again cannot help."""

    final = False


class _Refused(_Unusable):
    final = True


async def answered(
    send: Callable[[Request, int], Awaitable[Reply]],
    request: Request,
    parse: Callable[[Reply], T],
    whose: str,
) -> tuple[T, Reply]:
    """What `parse` makes of the reply, and the reply; asks again at most twice.

    Raises:
        UnusableReply: No reply could be used.
    """
    attempt = request
    for repair in range(MAX_REPAIRS + 1):
        reply = await send(attempt, repair)
        try:
            return parse(reply), reply
        except _Unusable as error:
            problem = error
        if problem.final:
            break
        attempt = repaired(request, reply.text, str(problem))
    failure = UnusableReply(f"{whose}: unusable reply: {first_line(str(problem))}")
    failure.raw = reply.text
    raise failure from problem


def repaired(request: Request, last: str, problem: str) -> Request:
    """`request` asked again: what was wrong, and the last answer cut short."""
    shown = last if len(last) <= _SHOWN else f"{last[:_SHOWN]} […]"
    shown, problem = neutralise(shown), neutralise(problem[:_SHOWN])
    addition = f"<last_answer>\n{shown}\n</last_answer>\n<problem>\n{problem}\n</problem>"
    *before, final = request.messages or (Message(role="user"),)
    if final.role == "user" and not final.parts:
        # In the same message: whoever reads only the last one still sees what was asked.
        extended = final.model_copy(update={"text": f"{final.text}\n\n{addition}"})
        messages = (*before, extended)
    else:
        messages = (*before, final, Message(role="user", text=addition))
    return request.model_copy(update={"messages": messages})


@lru_cache(maxsize=256)
def _class_schema(schema: type[BaseModel]) -> dict[str, JsonValue]:
    return schema.model_json_schema()


def json_schema(schema: Schema) -> dict[str, JsonValue] | None:
    """The JSON schema to send with a request."""
    if schema is None:
        return None
    if isinstance(schema, Mapping):
        return dict(schema)
    return _class_schema(schema)


def parser(schema: Schema) -> Callable[[Reply], Any]:
    """The function that turns a reply into what `schema` says."""
    if schema is None:
        return _plain_text
    if isinstance(schema, Mapping):
        given = schema
        return lambda reply: _fitting(_decoded(_plain_text(reply)), given)
    cls = schema
    return lambda reply: _instance(_decoded(_plain_text(reply)), cls)


def _plain_text(reply: Reply) -> str:
    if reply.finish == "refusal":
        raise _Refused("the model refused to answer")
    if reply.finish == "length":
        raise _Unusable("the answer was cut off at its length limit; give a shorter one")
    if len(reply.text) > MAX_REPLY:
        raise _Unusable("the answer is longer than 1 MiB; give a shorter one")
    return reply.text


# Escapes that can smuggle in what the text's own normalisation took out.
_ESCAPE = re.compile(r"\\[ubfr]")


def _decoded(text: str) -> JsonValue:
    """The JSON value in `text`: all of it, or the first object that stands in prose or a fence."""
    if not text.strip():
        raise _Unusable("the answer is empty; a JSON object was expected")
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        value = _embedded(text, error)
    _check_shape(value)
    return cast(JsonValue, clean_json(value)) if _ESCAPE.search(text) else value


_FENCED = re.compile(r"```(?:json)?[ \t]*\n(.*?)```", re.DOTALL)


def _embedded(text: str, error: Exception) -> JsonValue:
    if fenced := _FENCED.search(text):
        text = fenced.group(1)
    # A brace in prose may come first; a few starts are enough and keep this linear.
    start = -1
    for _ in range(8):
        start = text.find("{", start + 1)
        if start < 0:
            break
        try:
            value, _end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        return cast(JsonValue, value)
    raise _Unusable(f"the answer is not JSON: {first_line(str(error))}") from error


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _check_shape(value: JsonValue, depth: int = 0) -> None:
    """Refuse what later code could not write down again."""
    if depth > _MAX_DEPTH:
        raise _Unusable("the answer is nested too deeply")
    if isinstance(value, float) and not math.isfinite(value):
        raise _Unusable("the answer holds a number that is not finite")
    if isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            _check_shape(inner, depth + 1)


def _instance(value: JsonValue, schema: type[M]) -> M:
    try:
        return schema.model_validate_json(json.dumps(value))
    except ValidationError as error:
        raise _Unusable(_told(error)) from error


def _told(error: ValidationError) -> str:
    problems = [
        f"{'.'.join(str(p) for p in e['loc']) or 'answer'}: {e['msg']}"
        for e in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return "the answer does not fit its schema: " + "; ".join(problems[:8])


JSON_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
"""What each type of JSON Schema is here; to Python a boolean is an integer too."""


def misfit(value: JsonValue, schema: Mapping[str, Any]) -> str:
    """Where and how `value` does not have the types, keys and enums of `schema`; empty: it does."""
    try:
        _fitting(value, schema)
    except _Unusable as error:
        return str(error)
    return ""


def _fitting(value: JsonValue, schema: Mapping[str, Any], where: str = "answer") -> JsonValue:
    """`value` if it has the types, required keys and enums of `schema`, and no more than that."""
    kinds = schema.get("type")
    names = [kinds] if isinstance(kinds, str) else list(kinds or ())
    if names and not any(_is(value, name) for name in names):
        raise _Unusable(f"{where}: expected {' or '.join(names)}")
    if "enum" in schema and value not in schema["enum"]:
        raise _Unusable(f"{where}: {value!r} is not one of the allowed values")
    if isinstance(value, dict):
        for name in schema.get("required", ()):
            if name not in value:
                raise _Unusable(f"{where}: {name!r} is missing")
        for name, inner in schema.get("properties", {}).items():
            if name in value:
                _fitting(value[name], inner, name)
    if isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        for item in value:
            _fitting(item, schema["items"], where)
    return value


def _is(value: JsonValue, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, JSON_TYPES.get(name, (object,)))
