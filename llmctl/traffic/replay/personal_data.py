"""Personal data in what a replay would send."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from llmctl.traffic.pii import find_pii
from llmctl.traffic.replay.records import ChosenCall

__all__ = ["PersonalData"]


@dataclass(slots=True)
class PersonalData:
    """Counts it, call after call; keeps nothing of it."""

    counts: Counter[str] = field(default_factory=Counter)
    """How often which kind stands in the calls."""
    calls: int = 0
    """In how many calls any does."""

    def add(self, chosen: ChosenCall) -> None:
        """Count that of one call's messages and variables."""
        found: Counter[str] = Counter()
        for text in _texts([*(chosen.call.messages or ()), chosen.variables]):
            found += find_pii(text)
        self.counts += found
        self.calls += bool(found)


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for item in value.values():
                yield from _texts(item)
        case list() | tuple():
            for item in value:
                yield from _texts(item)
        case _:
            return
