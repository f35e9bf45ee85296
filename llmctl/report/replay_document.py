"""A replay as one JSON document, `llmctl/replay/1`: what its keys mean stands in `docs/replay.md`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from llmctl.compare.diff_report import Difference, RatioDiff
from llmctl.report.replay_words import replay_headline
from llmctl.traffic.replay.findings.report import (
    CandidateFindings,
    Comparison,
    LaneFigures,
    Noise,
    Part,
    PassChange,
    Ratios,
    ReplayReport,
    Share,
    WorstCall,
)
from llmctl.traffic.replay.records import Choice

__all__ = ["replay_json"]


def replay_json(report: ReplayReport) -> dict[str, Any]:
    """The whole report as data. Rates and differences are shares: 0.05 is 5 points."""
    return {
        "schema": "llmctl/replay/1",
        "mode": report.mode.value,
        "run": report.run_id,
        "choice": _choice(report.choice),
        "equivalent": report.equivalent,
        "candidates": [_candidate(found) for found in report.candidates],
        "notes": list(report.notes),
    }


def _choice(choice: Choice | None) -> dict[str, Any] | None:
    if choice is None:
        return None
    return {
        "looked_at": choice.looked_at,
        "chosen": choice.chosen,
        "set_aside": dict(choice.set_aside),
        "duplicates": choice.duplicates,
        "not_sampled": choice.not_sampled,
    }


def _candidate(found: CandidateFindings) -> dict[str, Any]:
    return {
        "candidate": found.candidate,
        "headline": replay_headline(found),
        "calls": found.calls,
        "weight": found.weight,
        "comparisons": [_comparison(one) for one in found.comparisons],
        "noise": _noise(found.noise),
        "lanes": [_lane(lane) for lane in found.lanes],
        "ratios": [_ratios(one) for one in found.ratios],
        "passes": [_passes(one) for one in found.passes],
        "parts": [_part(one) for one in found.parts],
        "parts_left_out": found.parts_left_out,
        "worst": [_worst(one) for one in found.worst],
        "worst_count": found.worst_count,
    }


def _comparison(one: Comparison) -> dict[str, Any]:
    return {
        "before": one.before.value,
        "after": one.after.value,
        "calls": one.calls,
        "weight": one.weight,
        "not_compared": one.not_compared,
        "clusters": one.clusters,
        "differs": _share(one.differs),
        "kinds": _shares(one.kinds),
        "faults": _shares(one.faults),
        "tool_call_steps": {str(step): number for step, number in one.steps.items()},
        "method": one.method,
    }


def _noise(noise: Noise | None) -> dict[str, Any] | None:
    if noise is None:
        return None
    return {
        "calls": noise.calls,
        "candidate": _share(noise.candidate),
        "rerun": _share(noise.rerun),
        "difference": _difference(noise.difference),
        "broken_difference": _difference(noise.broken),
    }


def _lane(lane: LaneFigures) -> dict[str, Any]:
    return {**_flat(lane), "passed": _share(lane.passed)}


def _ratios(ratios: Ratios) -> dict[str, Any]:
    return {
        "before": ratios.before.value,
        "latency": _ratio(ratios.latency),
        "cost": _ratio(ratios.cost),
        "output_tokens": _ratio(ratios.output_tokens),
    }


def _passes(change: PassChange) -> dict[str, Any]:
    return {**_flat(change), "difference": _difference(change.difference)}


def _part(part: Part) -> dict[str, Any]:
    return {
        **_flat(part),
        "differs": _share(part.differs),
        "broken": _share(part.broken),
        "rerun_differs": _share(part.rerun),
    }


def _worst(case: WorstCall) -> dict[str, Any]:
    broken = case.broken
    return {
        **_flat(case),
        "broken": None if broken is None else _flat(broken),
        "tags": list(case.tags),
    }


def _shares(shares: Mapping[Any, Share]) -> dict[str, Any]:
    return {str(name): _share(share) for name, share in shares.items()}


def _share(share: Share | None) -> dict[str, Any] | None:
    if share is None:
        return None
    interval = share.interval
    return {
        "calls": share.calls,
        "weight": share.weight,
        "rate": share.rate,
        "interval_95": [interval.low, interval.high] if interval else None,
    }


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        "value": difference.value,
        "interval_95": None if difference.low is None else [difference.low, difference.high],
        "p_value": difference.p_value,
        "method": difference.method,
    }


def _ratio(ratio: RatioDiff | None) -> dict[str, Any] | None:
    if ratio is None:
        return None
    return {
        "value": ratio.value,
        "interval_95": None if ratio.low is None else [ratio.low, ratio.high],
        "calls": ratio.pairs,
        "median_before": ratio.before,
        "median_after": ratio.after,
    }


def _flat(value: Any) -> dict[str, Any]:
    """The fields of a dataclass that are plain: texts, numbers, names."""
    found = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    return {
        name: str(item) if isinstance(item, StrEnum) else item
        for name, item in found.items()
        if item is None or isinstance(item, str | int | float | bool)
    }
