"""Conversations that a provider keeps, put together from the calls of one log: each names the response before it."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterator

from llmctl.traffic.logged_call import LoggedCall, Message
from llmctl.traffic.readers.base import Entry
from llmctl.traffic.readers.responses_shapes import STATEFUL

__all__ = ["Chains"]

_KEPT = 20_000
"""Conversations that are remembered, and calls that wait for the response before them."""


class Chains:
    """Gives every call that continues a response the messages of all turns before it, in whichever order they come."""

    def __init__(self) -> None:
        self._turns: OrderedDict[str, tuple[Message, ...]] = OrderedDict()
        """What was asked and answered up to a response, by its id; without instructions: those hold for one turn."""
        self._waiting: defaultdict[str, list[tuple[Entry, LoggedCall]]] = defaultdict(list)
        self._count = 0

    def add(self, entry: Entry, call: LoggedCall) -> Iterator[Entry]:
        """Take a call in; what can be told now comes out."""
        before = call.parent_id if call.not_replayable == STATEFUL else None
        if before is None:
            yield entry
            yield from self._remember(call)
        elif before in self._turns:
            yield from self._continue(entry, call, self._turns[before])
        elif self._count < _KEPT:
            self._waiting[before].append((entry, call))
            self._count += 1
        else:
            yield entry

    def rest(self) -> Iterator[Entry]:
        """The calls whose earlier response is not in the log: they cannot be asked again."""
        for waiting in self._waiting.values():
            for entry, _ in waiting:
                yield entry
        self._waiting.clear()

    def _continue(self, entry: Entry, call: LoggedCall, before: tuple[Message, ...]) -> Iterator[Entry]:
        own = call.messages or ()
        system = own[:1] if own and own[0].get("role") == "system" else ()
        call.messages = (*system, *before, *own[len(system) :])
        call.not_replayable = None
        yield entry
        yield from self._remember(call)

    def _remember(self, call: LoggedCall) -> Iterator[Entry]:
        if call.source_id is None or call.messages is None:
            return
        asked = call.messages[1:] if call.messages[0].get("role") == "system" else call.messages
        answer: dict[str, object] = {"role": "assistant", "content": call.output}
        if call.tool_calls:
            answer["tool_calls"] = list(call.tool_calls)
        said = (answer,) if call.output or call.tool_calls else ()
        self._turns[call.source_id] = (*asked, *said)
        if len(self._turns) > _KEPT:
            self._turns.popitem(last=False)
        for entry, next_call in self._waiting.pop(call.source_id, ()):
            self._count -= 1
            yield from self._continue(entry, next_call, self._turns[call.source_id])
