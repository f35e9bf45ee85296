"""The columns of a replay, summed up: comparisons, noise, lanes, ratios, verdicts, and the parts of the traffic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from llmctl.traffic.replay.findings.columns import COMPARISONS, Columns, Flags, LaneColumns, Pair
from llmctl.traffic.replay.findings.figures import Calls, difference_of, ratio_of, share_of
from llmctl.traffic.replay.findings.report import (
    Comparison,
    Fault,
    Kind,
    LaneFigures,
    Noise,
    Part,
    PartOf,
    PassChange,
    Ratios,
    Share,
)
from llmctl.traffic.replay.records import Lane

__all__ = ["Parts", "comparisons_of", "lanes_of", "noise_of", "parts_of", "passes_of", "ratios_of"]

_LISTED = 100
"""Prompts, models or tags of a report."""
_CHANGE: Pair = (Lane.OBSERVED, Lane.CANDIDATE)
_RERUN: Pair = (Lane.OBSERVED, Lane.BASELINE)


def comparisons_of(columns: Columns) -> tuple[Comparison, ...]:
    """Those whose two lanes were asked."""
    return tuple(_comparison(columns, pair) for pair in COMPARISONS if _asked(columns, pair))


def _asked(columns: Columns, pair: Pair) -> bool:
    return all(columns.lanes[lane].asked.any() for lane in pair)


def _comparison(columns: Columns, pair: Pair) -> Comparison:
    found = columns.pairs[pair]
    compared = found.compared
    calls = _calls(columns).where(compared)
    kinds: dict[Kind, Share] = {
        kind: share_of(found.of(kind)[compared], calls) for kind in Kind if kind is not Kind.NOT_COMPARED
    }
    faults = {fault: share_of(found.with_fault(fault)[compared], calls) for fault in Fault}
    return Comparison(
        *pair,
        calls.size,
        calls.weight,
        columns.size - calls.size,
        calls.clusters,
        share_of(found.differs[compared], calls),
        kinds,
        {fault: share for fault, share in faults.items() if share.calls},
        dict(sorted(found.steps.items())),
        calls.method,
    )


def noise_of(columns: Columns) -> Noise | None:
    """The change beside that of the re-run, over the calls that could be compared in both; None without any."""
    change, rerun = columns.pairs[_CHANGE], columns.pairs[_RERUN]
    both = change.compared & rerun.compared
    calls = _calls(columns).where(both)
    difference = difference_of(rerun.differs[both], change.differs[both], calls)
    broken = difference_of(rerun.of(Kind.BROKEN)[both], change.of(Kind.BROKEN)[both], calls)
    if difference is None or broken is None:
        return None
    return Noise(
        calls.size,
        share_of(change.differs[both], calls),
        share_of(rerun.differs[both], calls),
        difference,
        broken,
    )


def lanes_of(columns: Columns) -> tuple[LaneFigures, ...]:
    """The lanes that were asked, over the calls that all of them answered, so that their sums can be compared."""
    asked = [(lane, found) for lane, found in columns.lanes.items() if found.asked.any()]
    answered = np.ones(columns.size, dtype=bool)
    for _, found in asked:
        answered &= found.evidence | np.isfinite(found.numbers("output_tokens"))
    return tuple(_lane(columns, lane, found, answered) for lane, found in asked)


def _lane(columns: Columns, lane: Lane, found: LaneColumns, answered: Flags) -> LaneFigures:
    weights = columns.weights[answered].astype(np.float64)
    tokens_in, tokens_out = found.numbers("input_tokens")[answered], found.numbers("output_tokens")[answered]
    cost = found.numbers("cost_usd")[answered]
    judged = found.judged
    return LaneFigures(
        lane,
        int(np.count_nonzero(found.evidence)),
        int(columns.size - np.count_nonzero(found.evidence)),
        round(float(np.nansum(tokens_in * weights))),
        round(float(np.nansum(tokens_out * weights))),
        int(np.count_nonzero(np.isnan(tokens_in) | np.isnan(tokens_out))),
        float(np.nansum(cost * weights)),
        int(np.count_nonzero(np.isnan(cost))),
        share_of(found.passed[judged], _calls(columns).where(judged)) if judged.any() else None,
    )


def ratios_of(columns: Columns) -> tuple[Ratios, ...]:
    """The candidate over what was logged, and over the re-run."""
    return tuple(_ratios(columns, before) for before in _earlier(columns))


def _ratios(columns: Columns, before: Lane) -> Ratios:
    one, other = columns.lanes[before], columns.lanes[Lane.CANDIDATE]
    both = one.asked & other.asked
    calls = _calls(columns).where(both)
    latency, cost, tokens = (
        ratio_of(one.numbers(name)[both], other.numbers(name)[both], calls)
        for name in ("latency_ms", "cost_usd", "output_tokens")
    )
    return Ratios(before, latency, cost, tokens)


def passes_of(columns: Columns) -> tuple[PassChange, ...]:
    """The candidate's pass rate beside those of the other lanes, over the calls with a verdict in both."""
    return tuple(change for before in _earlier(columns) if (change := _passes(columns, before)))


def _passes(columns: Columns, before: Lane) -> PassChange | None:
    one, other = columns.lanes[before], columns.lanes[Lane.CANDIDATE]
    both = one.judged & other.judged
    calls = _calls(columns).where(both)
    was, now = one.passed[both], other.passed[both]
    difference = difference_of(was, now, calls)
    if difference is None:
        return None
    return PassChange(
        before, calls.size, int(np.count_nonzero(was & ~now)), int(np.count_nonzero(now & ~was)), difference
    )


def _earlier(columns: Columns) -> Iterator[Lane]:
    for lane in (Lane.OBSERVED, Lane.BASELINE):
        if _asked(columns, (lane, Lane.CANDIDATE)):
            yield lane


@dataclass(frozen=True, slots=True)
class Parts:
    """Prompts, models and tags, and how many are not listed."""

    parts: tuple[Part, ...]
    left_out: int = 0


def parts_of(columns: Columns) -> Parts:
    """Prompts, models and tags with the most logged calls."""
    if not _asked(columns, _CHANGE):
        return Parts(())
    listed: list[Part] = []
    left_out = 0
    rerun = _asked(columns, _RERUN)
    for part, values in columns.parts.items():
        if set(values) == {None}:
            continue
        ordered = sorted(values, key=lambda value: (-_weight(columns, part, value), value or ""))
        listed += [_part(columns, part, value, rerun=rerun) for value in ordered[:_LISTED]]
        left_out += len(ordered[_LISTED:])
    return Parts(tuple(listed), left_out)


def _weight(columns: Columns, part: PartOf, value: str | None) -> int:
    return int(columns.weights[np.frombuffer(columns.parts[part][value], np.int64)].sum())


def _part(columns: Columns, part: PartOf, value: str | None, *, rerun: bool) -> Part:
    mine = np.zeros(columns.size, dtype=bool)
    mine[np.frombuffer(columns.parts[part][value], np.int64)] = True
    change, again = columns.pairs[_CHANGE], columns.pairs[_RERUN]
    compared, compared_again = mine & change.compared, mine & again.compared
    calls = _calls(columns).where(compared)
    return Part(
        part,
        value,
        calls.size,
        calls.weight,
        share_of(change.differs[compared], calls),
        share_of(change.of(Kind.BROKEN)[compared], calls),
        share_of(again.differs[compared_again], _calls(columns).where(compared_again)) if rerun else None,
    )


def _calls(columns: Columns) -> Calls:
    return Calls(columns.weights, columns.groups)
