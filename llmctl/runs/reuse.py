"""Answers that are stored already: an identical call is not sent again."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmctl.errors import StoreError
from llmctl.outcome import Outcome
from llmctl.providers.records import Call
from llmctl.runs.call_history import CallHistory, Location
from llmctl.runs.line_reader import LineReader
from llmctl.runs.spool import UnitSpool
from llmctl.runs.target import Target
from llmctl.store.layout import Layout

__all__ = ["KnownAnswer", "KnownAnswers", "Rules", "read_answer", "seconds"]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_CHUNK = 10_000
_UNKNOWN = -1
_OPEN_JOURNALS = 16


@dataclass(slots=True)
class KnownAnswer:
    """What is scored and reported of a call that was made.

    Neither frozen nor a `Call`: one is made for each result, and to make a whole call of a line took 18 us, not 9.
    """

    call_id: str
    """Under which the call is stored."""
    outcome: Outcome
    output: str | None
    tool_calls: Sequence[Mapping[str, object]]
    finish_reason: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    latency_ms: float | None
    """None: not known, of an answer that was only logged."""
    ttft_ms: float | None
    error: str | None

    @classmethod
    def of(cls, call_id: str, call: Call) -> KnownAnswer:
        """From a call that has just been made."""
        return cls(
            call_id,
            call.outcome,
            call.output,
            call.tool_calls,
            call.finish_reason,
            call.usage.input_tokens,
            call.usage.output_tokens,
            call.cost_usd,
            call.latency_ms,
            call.ttft_ms,
            call.error,
        )

    @classmethod
    def from_line(cls, fields: Mapping[str, Any]) -> KnownAnswer:
        """From the fields of a call's line.

        Raises:
            LookupError, TypeError, ValueError: they are not those of a call.
        """
        call = fields["call"]
        return cls(
            fields["call_id"],
            Outcome(call["outcome"]),
            call["output"],
            call["tool_calls"],
            call["finish_reason"],
            call["usage"]["input_tokens"],
            call["usage"]["output_tokens"],
            call["cost_usd"],
            call["latency_ms"],
            call["ttft_ms"],
            call["error"],
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """Which stored answers count."""

    max_age: str
    """For models whose name may mean another model tomorrow."""
    now: float
    """UTC epoch seconds."""
    others: bool = True
    """Whether those of other runs count."""
    own: str | None = None
    """The run that goes on: what it has sent counts, whatever its age."""

    def counting(self, location: Location | None, *, floating: bool) -> Location | None:
        """The same, unless it is too old for a model whose name floats."""
        oldest = self.now - seconds(self.max_age) if floating else 0.0
        return None if location is None or location.started_at < oldest else location


class KnownAnswers:
    """Where the stored answer of each unit lies: twelve bytes a unit. They are read when they are needed."""

    def __init__(self, store: Path) -> None:
        self._layout = Layout(store)
        self._runs: list[str] = []
        self._run_of = array("i")
        self._positions = array("q")
        self._readers: dict[str, LineReader] = {}
        self.count = 0

    def find(
        self,
        history: CallHistory,
        units: UnitSpool,
        targets: Sequence[Target],
        rules: Rules,
        told: Callable[[int, Location], None] | None = None,
    ) -> None:
        """Look up every unit, ten thousand at a time. `told` is called with the number of each that is known.

        Raises:
            StoreError: the store cannot be read.
        """
        indexes: dict[str, int] = {}
        reader = units.reader()
        for start in range(0, len(units), _CHUNK):
            keys = list(reader.keys(start, _CHUNK))
            others = history.locate(keys) if rules.others else {}
            own = history.locate(keys, run_id=rules.own) if rules.own else {}
            for number, key in enumerate(keys, start):
                floating = targets[units.target(number)].route.floats
                location = own.get(key) or rules.counting(others.get(key), floating=floating)
                self._add(location, indexes)
                if told is not None and location is not None:
                    told(number, location)

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and number < len(self._positions) and self._positions[number] != _UNKNOWN

    def answer(self, number: int) -> KnownAnswer:
        """The stored answer of a unit that is known.

        Raises:
            StoreError: its journal is gone by now, or damaged.
        """
        run_id = self._runs[self._run_of[number]]
        reader = self._readers.get(run_id)
        if reader is None:
            if len(self._readers) >= _OPEN_JOURNALS:
                self.close()
            reader = self._readers[run_id] = LineReader(self._layout.journal(run_id))
        return read_answer(reader, self._positions[number])

    def close(self) -> None:
        """Close the journals that answers were read from."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()

    def _add(self, location: Location | None, indexes: dict[str, int]) -> None:
        if location is None:
            self._run_of.append(_UNKNOWN)
            self._positions.append(_UNKNOWN)
            return
        index = indexes.setdefault(location.run_id, len(self._runs))
        if index == len(self._runs):
            self._runs.append(location.run_id)
        self._run_of.append(index)
        self._positions.append(location.position)
        self.count += 1


def read_answer(journal: LineReader, position: int, key: str | None = None) -> KnownAnswer:
    """The answer of the call whose line begins at a byte of a journal; `key`: it must be the call with this key.

    Raises:
        StoreError: the journal is gone, or damaged, or holds another call there.
    """
    line = journal.fields_at(position)
    if line.type != "call":
        raise StoreError(f"The journal {journal.journal} holds no call at byte {position}.")
    try:
        if key is not None and line.fields["call"]["key"] != key:
            raise ValueError(key)
        return KnownAnswer.from_line(line.fields)
    except (LookupError, TypeError, ValueError):
        raise StoreError(
            f"The call at byte {position} of the journal {journal.journal} cannot be read.",
            hint="With --no-cache it is sent again.",
        ) from None


def seconds(age: str) -> int:
    """The seconds of `30s`, `15m`, `12h`, `7d`, `2w`."""
    return int(age[:-1]) * _SECONDS[age[-1]]
