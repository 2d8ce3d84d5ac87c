"""Conversations that the server keeps: what it has of our blocks is not sent again.

Responses build on earlier ones (`previous_response_id`, `conversation`), whose messages the server
keeps but not their `instructions`. A thread of messages is kept with its system text, which cannot
change any more.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from .base import Blocks

MAX_KEPT = 4_096
"""Conversations that are remembered; of older ones the blocks are sent once more."""

Body = Mapping[str, Any]


def names_of(body: Body) -> tuple[str, ...]:
    """What the server finds the conversation by that `body` goes on with; empty for a new one."""
    thread = body.get("thread")
    last = thread.get("previous_message_id") if isinstance(thread, Mapping) else None
    given = (body.get("previous_response_id"), _conversation(body), last)
    return tuple(name for name in given if isinstance(name, str) and name)


def grown(api: str, body: Body, reply: Body) -> tuple[object, ...]:
    """What the conversation has in it now, `body` and `reply`, is found by.

    What came before is found by its own names, as it was: others may go on from there.
    """
    is_kept = api == "responses" or bool(body.get("thread"))
    return (_conversation(body), reply.get("id")) if is_kept else ()


def _conversation(body: Body) -> object:
    found = body.get("conversation")
    return found.get("id") if isinstance(found, Mapping) else found


class Chains:
    """The blocks that the server has, by response, conversation or last message of a thread.

    Threads of one client share them.
    """

    def __init__(self) -> None:
        self._held: OrderedDict[str, Blocks] = OrderedDict()
        self._lock, self._pid = threading.Lock(), os.getpid()

    def left(self, body: Body, blocks: Blocks) -> Blocks:
        """What of `blocks` has to be sent with `body`."""
        names = names_of(body)
        with self._guard():
            held = next((self._held[name] for name in names if name in self._held), Blocks("", ""))
        volatile = "" if held.volatile == blocks.volatile else blocks.volatile
        if not names or not body.get("thread"):
            return Blocks(blocks.stable, volatile)
        stable = "" if held.stable == blocks.stable else blocks.stable
        return Blocks("", "\n\n".join(filter(None, (stable, volatile))))

    def keep(self, names: Iterable[object], blocks: Blocks) -> None:
        """Remember that the server has `blocks` in the conversations that `names` stand for."""
        with self._guard():
            for name in names:
                if isinstance(name, str):
                    self._held[name] = blocks
            while len(self._held) > MAX_KEPT:
                self._held.popitem(last=False)

    def _guard(self) -> threading.Lock:
        if os.getpid() != self._pid:
            # A thread of the parent may have held it when this process was forked.
            self._lock, self._pid = threading.Lock(), os.getpid()
        return self._lock
