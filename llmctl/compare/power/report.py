"""What `llmctl power` says, as every renderer reads it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from llmctl.compare.cells import Cell
from llmctl.stats.intervals import Interval
from llmctl.stats.power import design_effect

__all__ = [
    "EARLY_FACTOR",
    "CellPower",
    "Clusters",
    "Discordance",
    "DropSize",
    "Needed",
    "NoiseSource",
    "PowerReport",
    "PowerTable",
    "Size",
]

EARLY_FACTOR = 1.12
"""What looking early costs: so many more cases keep the power (spending t^1.5, looks every 25 clusters)."""


class NoiseSource(StrEnum):
    """Where the share of pairs that differ comes from."""

    SIDES = "sides"
    """Two sides were named, and their cases paired."""
    DRAWS = "draws"
    """Several answers to the very calls that the side makes."""
    EARLIER = "earlier"
    """Several answers to equal calls of earlier versions of the prompt."""
    GIVEN = "given"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class Discordance:
    """The share of pairs of answers of which one passes and the other fails."""

    value: float
    source: NoiseSource
    interval: Interval | None = None
    """95 %, over cases; None: it was not measured."""
    cases: int = 0
    """Cases that it was measured on."""
    answers: int = 0
    """Distinct answers to them."""
    change: float | None = None
    """Pass rate of B minus that of A, where two sides were named."""


@dataclass(frozen=True, slots=True)
class Clusters:
    """How many independent cases there are."""

    cases: int
    clusters: int
    size: float = 1.0
    """Cases of the cluster that a case stands in, on average."""
    correlation: float = 0.0
    """Of the differences within a cluster (ICC)."""
    measured: bool = True
    """Whether the correlation is; else it was given, or is taken to be 1."""

    @property
    def effect(self) -> float:
        """By how much clusters raise the number of cases (Kish's design effect)."""
        return design_effect(self.size, self.correlation)

    @property
    def effective(self) -> int:
        """Independent cases that these are worth."""
        return math.floor(self.cases / self.effect + 1e-9)


@dataclass(frozen=True, slots=True)
class Size:
    """A number of cases."""

    formula: int
    exact: int | None
    """None: too many to be worth computing; the formula does there."""

    @property
    def cases(self) -> int:
        """The exact one where it is known."""
        return self.formula if self.exact is None else self.exact

    @property
    def early(self) -> int:
        """For a gate that looks at its results early."""
        return math.ceil(round(self.cases * EARLY_FACTOR, 9))


@dataclass(frozen=True, slots=True)
class DropSize:
    """A drop that so many cases show, as a share; None: no number of these cases shows any."""

    formula: float | None
    exact: float | None


@dataclass(frozen=True, slots=True)
class Needed:
    """Cases for one margin."""

    margin: float
    to_pass: Size
    """So that a version without any change passes."""
    to_see: Size | None
    """So that a drop as large as the margin is seen; None: fewer pairs differ than that."""


@dataclass(frozen=True, slots=True)
class CellPower:
    """What the cases of a cell can show, and how many would be needed."""

    cell: Cell
    clusters: Clusters
    discordance: Discordance
    smallest: DropSize
    needed: tuple[Needed, ...]


@dataclass(frozen=True, slots=True)
class PowerTable:
    """Margins by discordances, for independent cases."""

    margins: tuple[float, ...]
    discordances: tuple[float, ...]
    own: frozenset[float]
    """Those among the discordances that a cell has."""
    to_pass: tuple[tuple[Size, ...], ...]
    """A row for each margin."""
    to_see: tuple[tuple[Size | None, ...], ...]


@dataclass(frozen=True, slots=True)
class PowerReport:
    """The whole answer."""

    title: str
    """What was looked at: `the files here`, `run ... -> run ...`."""
    alpha: float
    power: float
    cells: tuple[CellPower, ...]
    table: PowerTable
    notes: tuple[str, ...] = ()
    """What a reader should know, each one sentence."""
