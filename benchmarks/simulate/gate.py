"""Rounds of the sequential test and of bank mode, driven as the gate drives them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.simulate.results import BankRow, GateRow, Rate
from benchmarks.simulate.worlds import World, draw
from llmctl.stats.betting import BankTest
from llmctl.stats.sequential import Decision, Outcome, Remaining, SequentialTest

__all__ = ["ALPHA", "MARGIN", "bank_row", "decide", "gate_row"]

ALPHA = 0.05
MARGIN = 0.05
_AT_ONCE = 500
"""Rounds that are drawn together: memory stays flat."""

Counts = NDArray[np.int64]


def decide(test: SequentialTest | BankTest, baseline: Counts, candidate: Counts, sizes: Counts) -> Decision:
    """Drive a test through one bank, look by look, until it stops."""
    start = 0
    for upto in test.schedule:
        decision = test.look(
            (candidate - baseline)[start:upto], sizes[start:upto], Remaining.of(baseline[upto:], sizes[upto:])
        )
        if decision.stopped:
            return decision
        start = upto
    raise AssertionError("the last look always stops")


def gate_row(world: World, rounds: int, random: Generator) -> GateRow:
    """The sequential test on many banks of a world."""
    outcomes: Counter[Outcome] = Counter()
    saved: list[float] = []
    for baseline, candidate, sizes in _banks(world, rounds, random):
        decision = decide(SequentialTest(len(sizes), MARGIN, ALPHA), baseline, candidate, sizes)
        outcomes[decision.outcome] += 1
        saved.append(1 - int(sizes[: decision.clusters].sum()) / int(sizes.sum()))
    return GateRow(
        cases=world.cases,
        clusters=len(world.groups),
        repeats=world.repeats,
        clustered=world.clustered,
        discordance=world.differing,
        drop=world.drop,
        failed=Rate(outcomes[Outcome.FAIL], rounds),
        passed=Rate(outcomes[Outcome.PASS], rounds),
        saved=float(np.mean(saved)),
        alpha=ALPHA,
        margin=MARGIN,
    )


def bank_row(cases: int, discordance: float, lost: int, rounds: int, random: Generator) -> BankRow:
    """Bank mode on one bank that loses `lost` more cases than it gains, in many orders."""
    differing = max(round(cases * discordance), lost)
    losses = (differing + lost) // 2
    gains = losses - lost
    bank = np.repeat(np.array([[1, 0], [0, 1], [1, 1]]), [losses, gains, cases - losses - gains], axis=0)
    whole = Outcome.FAIL if lost > MARGIN * cases else Outcome.PASS
    wrong, saved = 0, 0.0
    for _ in range(rounds):
        order = random.permutation(bank)
        sizes = np.ones(cases, np.int64)
        decision = decide(BankTest(sizes, MARGIN, ALPHA), order[:, 0], order[:, 1], sizes)
        wrong += decision.outcome is not whole
        saved += 1 - decision.fraction
    return BankRow(cases, discordance, lost / cases, whole.value, Rate(wrong, rounds), saved / rounds, ALPHA)


def _banks(world: World, rounds: int, random: Generator) -> Iterator[Sequence[Counts]]:
    for start in range(0, rounds, _AT_ONCE):
        drawn = draw(world, min(_AT_ONCE, rounds - start), random)
        yield from zip(drawn.baseline, drawn.candidate, drawn.sizes, strict=True)
