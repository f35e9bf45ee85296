"""`python -m benchmarks.simulate [--rounds N] [--quick] [--seed N] [--json FILE] [--page PAGE]`: about eight minutes.

Ends with 1 when an error rate lies above its bound by more than the simulation's own error.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path

import numpy as np
from numpy.random import Generator

from benchmarks.simulate.failures import Broken, failures_row
from benchmarks.simulate.gate import ALPHA, MARGIN, bank_row, gate_row
from benchmarks.simulate.results import BankRow, FailuresRow, GateRow, Results, write_json
from benchmarks.simulate.table import render, replaced
from benchmarks.simulate.worlds import World

__all__ = ["main", "simulate"]

_ROUNDS = 4000
_QUICK_ROUNDS = 200
_CASES = 500
_SMALL = 150
_DISCORDANCES = (0.05, 0.10, 0.20)
_DROPS = (0.0, MARGIN, 2 * MARGIN)
_FAILURE_SIZES = tuple(product((40, 80, 300), (1, 3)))
_FAILURES_AS_MANY = 5
"""Times the rounds: they cost almost nothing."""


def simulate(rounds: int, seed: int, say: Callable[[str], None]) -> Results:
    """All rows; the same seed gives the same counts."""
    began = time.process_time()
    random = np.random.default_rng(seed)
    gate = tuple(_gate_rows(rounds, random, say))
    bank = tuple(_bank_rows(rounds, random, say))
    failures = tuple(_failures_rows(_FAILURES_AS_MANY * rounds, random))
    return Results(seed, rounds, time.process_time() - began, gate, bank, failures)


def _gate_rows(rounds: int, random: Generator, say: Callable[[str], None]) -> Iterator[GateRow]:
    banks = [(_SMALL, 1, False), *((_CASES, repeats, grouped) for repeats in (1, 3) for grouped in (False, True))]
    for (cases, repeats, grouped), discordance in product(banks, _DISCORDANCES):
        say(f"margin: {cases} cases x {repeats}, {'groups' if grouped else 'no groups'}, differ {discordance:.0%}")
        for drop in _DROPS:
            yield gate_row(World(cases, repeats, grouped, discordance, drop), rounds, random)


def _bank_rows(rounds: int, random: Generator, say: Callable[[str], None]) -> Iterator[BankRow]:
    allowed = int(MARGIN * _CASES)
    for discordance, lost in product((0.10, 0.20), (0, allowed, allowed + 1, 2 * allowed)):
        say(f"bank mode: differ {discordance:.0%}, {lost} of {_CASES} cases lost")
        yield bank_row(_CASES, discordance, lost, rounds, random)


def _failures_rows(rounds: int, random: Generator) -> Iterator[FailuresRow]:
    for size in _FAILURE_SIZES:
        for flaky in (0.5, 0.9):
            yield failures_row(size, Broken(flaky=flaky), ALPHA, rounds, random)
    for size, fails, broken in product(_FAILURE_SIZES, (1.0, 0.9), (1, 3)):
        yield failures_row(size, Broken(broken, fails, flaky=1.0), ALPHA, rounds, random)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate, print the tables, and write them where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, help=f"a cell ({_ROUNDS})")
    parser.add_argument("--quick", action="store_true", help=f"{_QUICK_ROUNDS} rounds: half a minute")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="all counts into this file")
    parser.add_argument("--page", type=Path, help="the tables into this page, between its marks")
    given = parser.parse_args(arguments)
    rounds = given.rounds or (_QUICK_ROUNDS if given.quick else _ROUNDS)
    results = simulate(rounds, given.seed, _say)
    table = render(results)
    sys.stdout.write(table)
    if given.json:
        write_json(results, given.json)
    if given.page:
        given.page.write_text(replaced(given.page.read_text(encoding="utf-8"), table), encoding="utf-8")
    return 1 if results.broken else 0


if __name__ == "__main__":
    sys.exit(main())
