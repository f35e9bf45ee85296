"""Numbers of cases from a share of pairs that differ: formula and exact side by side. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from llmctl.compare.power.report import DropSize, Needed, PowerTable, Size
from llmctl.stats.exact_power import cases_for_drop_exact, cases_to_pass_exact, smallest_drop_exact
from llmctl.stats.power import cases_for_drop, cases_to_pass, smallest_drop

__all__ = ["DISCORDANCES", "MARGINS", "Question", "power_table"]

MARGINS = (0.01, 0.02, 0.03, 0.05, 0.1)
DISCORDANCES = (0.05, 0.1, 0.2, 0.3)
_EXACT_UP_TO = 5_000
"""Above this the formula is within half a per cent, and the exact number takes seconds."""
_LARGEST_EXACT_DROP = 50_000


@dataclass(frozen=True, slots=True)
class Question:
    """How sure one wants to be."""

    alpha: float = 0.05
    """Of a false alarm; one-sided."""
    power: float = 0.8

    def needed(self, margin: float, discordance: float, effect: float = 1.0) -> Needed:
        """Cases for a margin, clusters counted in."""
        return Needed(margin, self._to_pass(margin, discordance, effect), self._to_see(margin, discordance, effect))

    def smallest(self, cases: int, discordance: float) -> DropSize:
        """The smallest drop that so many independent cases show."""
        formula = smallest_drop(cases, discordance, alpha=self.alpha, power=self.power)
        if cases > _LARGEST_EXACT_DROP or not discordance or not cases:
            return DropSize(formula, None)
        return DropSize(formula, smallest_drop_exact(cases, discordance, alpha=self.alpha, power=self.power))

    def _to_pass(self, margin: float, discordance: float, effect: float) -> Size:
        formula = cases_to_pass(margin, discordance, alpha=self.alpha, power=self.power)
        exact = None
        if formula.cases <= _EXACT_UP_TO:
            exact = cases_to_pass_exact(margin, discordance, alpha=self.alpha, power=self.power)
        return _size(formula.raw, exact, effect)

    def _to_see(self, drop: float, discordance: float, effect: float) -> Size | None:
        if drop > discordance:
            return None
        loss, gain = (discordance + drop) / 2, (discordance - drop) / 2
        formula = cases_for_drop(loss, gain, alpha=self.alpha, power=self.power)
        if formula is None:
            return None
        exact = None
        if formula.cases <= _EXACT_UP_TO:
            exact = cases_for_drop_exact(drop, discordance, alpha=self.alpha, power=self.power)
        return _size(formula.raw, exact, effect)


def power_table(question: Question, margins: Iterable[float], own: Sequence[float]) -> PowerTable:
    """Every margin at every share of pairs that differ: the usual ones, those asked for and the project's own."""
    rows = tuple(sorted({*MARGINS, *margins}))
    columns = tuple(sorted({*DISCORDANCES, *own}))
    needed = [[question.needed(margin, discordance) for discordance in columns] for margin in rows]
    return PowerTable(
        rows,
        columns,
        frozenset(own),
        tuple(tuple(one.to_pass for one in row) for row in needed),
        tuple(tuple(one.to_see for one in row) for row in needed),
    )


def _size(raw: float, exact: int | None, effect: float) -> Size:
    """Rounded up; what is a whole number but for rounding is not raised."""
    raised = None if exact is None else math.ceil(round(exact * effect, 9))
    return Size(max(1, math.ceil(round(raw * effect, 9))), raised)
