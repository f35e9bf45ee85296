"""From sides to the answer: the project's own discordance, its clusters, and the numbers that follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from llmctl.compare.cells import Cell
from llmctl.compare.diff.cell_pairs import CellPair
from llmctl.compare.diff.comparable import Comparability, make_comparable
from llmctl.compare.diff.opened import opened
from llmctl.compare.diff.request import DiffRequest
from llmctl.compare.diff.statistics import rate_of
from llmctl.compare.diff.tables import chosen_cells, fill_tables
from llmctl.compare.power.noise import CellCases, CellNoise, draws_of_calls, draws_of_sides, read_cases
from llmctl.compare.power.report import CellPower, Clusters, Discordance, NoiseSource, PowerReport
from llmctl.compare.power.sizes import Question, power_table
from llmctl.compare.side import Side
from llmctl.stats.checks import Floats, Integers

__all__ = ["ASSUMED_DISCORDANCE", "PowerRequest", "correlation_within", "measure_power"]

ASSUMED_DISCORDANCE = 0.15
"""Where nothing was measured: amid the shares that the table shows."""
_OWN_COLUMNS = 3
"""Of the table, at most."""
_ADDS = (
    "This is what chance alone makes differ. A change makes more pairs differ: `llmctl power A B` measures it on two "
    "versions."
)


@dataclass(frozen=True, slots=True)
class PowerRequest:
    """What is asked."""

    compared: DiffRequest
    question: Question
    margins: tuple[float, ...] = ()
    """None: each bank's own."""
    discordance: float | None = None
    """Given instead of measured."""
    correlation: float | None = None
    """Of differences within a group, given instead of measured."""


def measure_power(a: Side, b: Side | None, request: PowerRequest) -> PowerReport:
    """What the cases of a side can show; with two sides, from the pairs that they make. Nothing is sent.

    Raises:
        UsageError: nothing is selected, or a side holds two versions of a prompt.
        StoreError: a database or a journal cannot be read.
    """
    other, selection = b or a, request.compared.selection
    with opened(a, other, request.compared.store) as tables:
        pairs = chosen_cells(tables, a, other, selection).pairs
        fill_tables(tables, a, other, pairs, selection)
        comparability = make_comparable(tables, a, other, request.compared)
        noise = draws_of_sides(tables, len(pairs)) if b else draws_of_calls(tables, a, pairs)
        cases = list(read_cases(tables, pairs, "b"))
    found = [
        _cell(pair, one, _compared(number, noise[number], comparability), request)
        for number, (pair, one) in enumerate(zip(pairs, cases, strict=True))
    ]
    margins = [needed.margin for cell in found for needed in cell.needed]
    title = f"{a.title} -> {b.title}" if b else a.title
    question = request.question
    return PowerReport(
        title,
        question.alpha,
        question.power,
        tuple(found),
        power_table(question, margins, _columns(found)),
        tuple(_notes(found, request)),
    )


def _compared(cell: int, noise: CellNoise, comparability: Comparability) -> CellNoise:
    """Without the cases that ask something else on the other side."""
    kept = np.fromiter((comparability.reason(cell, int(n)) is None for n in noise.n), np.bool_, noise.n.size)
    change = None if noise.change is None else noise.change[kept]
    return CellNoise(noise.n[kept], noise.differ[kept], noise.answers, change, noise.own)


def _cell(pair: CellPair, cases: CellCases, noise: CellNoise, request: PowerRequest) -> CellPower:
    question = request.question
    discordance = _discordance(noise, cases, request)
    clusters = _clusters(cases, noise, request)
    margins = request.margins or (request.compared.margin(pair.b.bank),)
    return CellPower(
        Cell(pair.b.bank, pair.b.name, pair.b.model),
        clusters,
        discordance,
        question.smallest(clusters.effective, discordance.value),
        tuple(question.needed(margin, discordance.value, clusters.effect) for margin in margins),
    )


def _discordance(noise: CellNoise, cases: CellCases, request: PowerRequest) -> Discordance:
    if request.discordance is not None:
        return Discordance(request.discordance, NoiseSource.GIVEN)
    if not noise.n.size:
        return Discordance(ASSUMED_DISCORDANCE, NoiseSource.ASSUMED)
    source = NoiseSource.DRAWS if noise.own else NoiseSource.EARLIER
    rate = rate_of(noise.differ, noise.answers, cases.groups_of(noise.n))
    return Discordance(
        float(noise.differ.mean()),
        source if noise.change is None else NoiseSource.SIDES,
        rate.interval,
        int(noise.n.size),
        noise.answers,
        None if noise.change is None else float(noise.change.mean()),
    )


def _clusters(cases: CellCases, noise: CellNoise, request: PowerRequest) -> Clusters:
    """Where nothing tells how alike the cases of a group are, they count as one."""
    total = int(cases.n.size)
    if cases.groups is None:
        return Clusters(total, total)
    _, sizes = np.unique(cases.groups, return_counts=True)
    size = float((sizes**2).sum() / sizes.sum())
    correlation, measured = request.correlation, False
    groups = cases.groups_of(noise.n)
    if correlation is None and noise.change is not None and groups is not None:
        correlation = correlation_within(noise.change, groups)
        measured = correlation is not None
    return Clusters(total, int(sizes.size), size, 1.0 if correlation is None else correlation, measured)


def correlation_within(values: Floats, groups: Integers) -> float | None:
    """How alike values of one group are (ICC), in [0, 1]; None where no group holds two, or nothing varies.

    By one-way analysis of variance: (MSB - MSW) / (MSB + (m0 - 1) MSW). Donner (1986), A review of inference procedures
    for the intraclass correlation coefficient, International Statistical Review 54, 67-82, equation 2.1.
    """
    _, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    count, total = int(sizes.size), int(values.size)
    if count < 2 or total == count:
        return None
    means = np.bincount(codes, weights=values) / sizes
    between = float((sizes * (means - values.mean()) ** 2).sum()) / (count - 1)
    within = float(((values - means[codes]) ** 2).sum()) / (total - count)
    usual = (total - float((sizes**2).sum()) / total) / (count - 1)
    if between + (usual - 1) * within == 0:
        return None
    return min(1.0, max(0.0, (between - within) / (between + (usual - 1) * within)))


def _columns(cells: Sequence[CellPower]) -> list[float]:
    """The project's own discordances, as columns of the table."""
    return list(dict.fromkeys(round(cell.discordance.value, 3) for cell in cells))[:_OWN_COLUMNS]


def _notes(cells: Sequence[CellPower], request: PowerRequest) -> Iterator[str]:
    sources = {cell.discordance.source for cell in cells}
    if NoiseSource.ASSUMED in sources:
        yield (
            f"No case has two distinct answers to one call: {100 * ASSUMED_DISCORDANCE:g} % of pairs are assumed to "
            "differ. `llmctl eval --repeat 2` measures it, `--discordance` gives it."
        )
    if sources & {NoiseSource.DRAWS, NoiseSource.EARLIER}:
        yield _ADDS
    if request.correlation is None and any(c.clusters.effect > 1 and not c.clusters.measured for c in cells):
        yield "Cases of one group are taken to flip together, which is the worst case: `--icc` says how alike they are."
