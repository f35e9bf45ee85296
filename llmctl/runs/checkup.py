"""What a check of the store found: a state for each thing looked at, and what to know of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Check", "Remark", "State", "counted", "worst"]


class State(StrEnum):
    """How a thing is, from good to bad."""

    OK = "ok"
    NOTE = "note"
    """Nothing is wrong, and something is worth knowing."""
    REPAIRED = "repaired"
    PROBLEM = "problem"
    """Something is lost, or cannot be repaired."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to know, as plain sentences."""

    state: State
    text: str
    hint: str | None = None
    """The way out, as one sentence."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    summary: str
    """A few words, for the table."""
    remarks: tuple[Remark, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    """The same for machines."""

    @property
    def state(self) -> State:
        """The worst of its remarks."""
        return worst(remark.state for remark in self.remarks)


def worst(states: Iterable[State]) -> State:
    """The worst state; `OK` where there is none."""
    order = list(State)
    return max(states, key=order.index, default=State.OK)


def counted(number: int, noun: str) -> str:
    """`1 line`, `2,000 lines`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
