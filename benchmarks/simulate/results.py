"""What a simulation counted, and whether it keeps the promise."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["BankRow", "FailuresRow", "GateRow", "Rate", "Results", "within", "write_json"]

_ERRORS = 3.0
"""Standard errors of the simulation that a rate may lie above its bound: about one true rate in 700 does by chance."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Rounds that ended so, of all."""

    count: int
    rounds: int

    @property
    def value(self) -> float:
        """The share."""
        return self.count / self.rounds


@dataclass(frozen=True, slots=True)
class GateRow:
    """The sequential test at one drop of one bank."""

    cases: int
    clusters: int
    repeats: int
    clustered: bool
    discordance: float
    drop: float
    failed: Rate
    passed: Rate
    saved: float
    """The mean share of the candidate's calls that was not needed."""
    alpha: float
    margin: float

    @property
    def wrong(self) -> Rate | None:
        """The verdict that would be false here; None where none would."""
        if self.drop == 0:
            return self.failed
        return self.passed if self.drop >= self.margin else None

    @property
    def holds(self) -> bool:
        """Whether the false verdict keeps its bound, within the error of the simulation."""
        return self.wrong is None or within(self.wrong, self.alpha)


@dataclass(frozen=True, slots=True)
class BankRow:
    """Bank mode on one bank: the verdict against that of the whole bank."""

    cases: int
    discordance: float
    drop: float
    """Of this very bank."""
    whole: str
    """What the whole bank says."""
    wrong: Rate
    saved: float
    alpha: float

    @property
    def holds(self) -> bool:
        """Whether early verdicts differ from the whole bank's seldom enough."""
        return within(self.wrong, self.alpha)


@dataclass(frozen=True, slots=True)
class FailuresRow:
    """`max_new_failures: 0` on one bank."""

    cases: int
    cells: int
    draws: int
    """k."""
    broken: int
    """Cases that the change broke."""
    fails: float
    """The share of answers in which a broken case fails."""
    flaky: float
    """The probability with which every other case passes, on both sides."""
    failed: Rate
    expected: float
    """By the formula: the bound on false alarms, or with broken and stable cases the chance to find them."""
    asked: float
    """Calls for asking again, on the mean."""
    alpha: float

    @property
    def holds(self) -> bool:
        """Whether false alarms keep their bound, or the rate found is the one computed."""
        if not self.broken:
            return within(self.failed, self.alpha)
        spread = math.sqrt(self.expected * (1 - self.expected) / self.failed.rounds)
        return abs(self.failed.value - self.expected) <= _ERRORS * spread + 1e-9


@dataclass(frozen=True, slots=True)
class Results:
    """All rows, and how they were made."""

    seed: int
    rounds: int
    cpu_seconds: float
    gate: tuple[GateRow, ...]
    bank: tuple[BankRow, ...]
    failures: tuple[FailuresRow, ...]

    @property
    def broken(self) -> tuple[GateRow | BankRow | FailuresRow, ...]:
        """Rows that do not keep their promise."""
        rows: list[GateRow | BankRow | FailuresRow] = [*self.gate, *self.bank, *self.failures]
        return tuple(row for row in rows if not row.holds)


def within(rate: Rate, bound: float) -> bool:
    """Whether a rate is at or below its bound, within the error of the simulation."""
    return rate.value <= bound + _ERRORS * math.sqrt(bound * (1 - bound) / rate.rounds)


def write_json(results: Results, path: Path) -> None:
    """All counts."""
    path.write_text(json.dumps(asdict(results), indent=1) + "\n", encoding="utf-8")
