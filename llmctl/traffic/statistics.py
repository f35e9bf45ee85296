"""Figures of logged calls: tokens, latency, errors and cost, by time and by model, prompt or status."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from llmctl.outcome import Outcome
from llmctl.runs.store_reader import StoreReader
from llmctl.store.layout import Layout
from llmctl.store.query import Query, running
from llmctl.store.sandbox import Limits
from llmctl.store.shapes import Shape
from llmctl.traffic.filters import TrafficFilter, condition

__all__ = ["Every", "Figures", "GroupBy", "TrafficStats", "traffic_stats"]

_OK = ", ".join(f"'{outcome.value}'" for outcome in Outcome if outcome.scored)
_FIGURES = f"""
    count(*) AS calls, count_if(outcome IS NOT NULL AND outcome NOT IN ({_OK}))::BIGINT AS errors,
    count_if(outcome IS NULL)::BIGINT AS unknown,
    sum(input_tokens)::BIGINT AS input_tokens, sum(output_tokens)::BIGINT AS output_tokens,
    count_if(input_tokens IS NULL OR output_tokens IS NULL)::BIGINT AS without_tokens,
    sum(cost_usd) AS cost_usd, count_if(cost_usd IS NULL)::BIGINT AS without_cost,
    quantile_cont(latency_ms, 0.5) AS latency_p50_ms, quantile_cont(latency_ms, 0.95) AS latency_p95_ms,
    count_if(latency_ms IS NULL)::BIGINT AS without_latency
"""
_MOST_STEPS = 60


class GroupBy(StrEnum):
    """What calls are put together by, beside time."""

    MODEL = "model"
    PROMPT = "prompt"
    STATUS = "status"
    PROVIDER = "provider"
    FORMAT = "format"


class Every(StrEnum):
    """The steps of time."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


_STEP = {
    Every.MINUTE: timedelta(minutes=1),
    Every.HOUR: timedelta(hours=1),
    Every.DAY: timedelta(days=1),
    Every.WEEK: timedelta(weeks=1),
    Every.MONTH: timedelta(days=30),
}
_KEYS = {
    GroupBy.MODEL: "coalesce(model, served_model)",
    GroupBy.PROMPT: "prompt",
    GroupBy.STATUS: "outcome",
    GroupBy.PROVIDER: "provider",
    GroupBy.FORMAT: "format",
}


@dataclass(frozen=True, slots=True)
class Figures:
    """Of some calls. What no call of them logged is None."""

    key: str | None
    """What they have in common: a model, a time as `2026-11-01 12:00`; None: it was not logged."""
    calls: int
    errors: int
    """Those that did not end with an answer."""
    unknown: int
    """Those of which the log does not say how they ended."""
    input_tokens: int | None
    output_tokens: int | None
    without_tokens: int
    """How many calls did not log them: the sums are of the others."""
    cost_usd: float | None
    without_cost: int
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    without_latency: int


@dataclass(frozen=True, slots=True)
class TrafficStats:
    """The figures of a selection of calls."""

    total: Figures
    first_at: str | None
    """UTC, `2026-11-01 12:00:00`."""
    last_at: str | None
    by: GroupBy
    groups: tuple[Figures, ...]
    """The most calls first."""
    every: Every
    over_time: tuple[Figures, ...]
    """Steps in which there were calls, in the order of time."""
    without_time: int
    """Calls of which the log does not say when they were."""


def traffic_stats(
    store: Path, chosen: TrafficFilter, by: GroupBy = GroupBy.MODEL, every: Every | None = None
) -> TrafficStats:
    """Count. `every`: None chooses steps of which at most 60 span all calls.

    Raises:
        ProjectError: something is wrong with `where`, and what.
        StoreError: the store cannot be read.
    """
    reader = StoreReader(store)
    calls = f"(SELECT * FROM traffic WHERE {condition(chosen)}" + (
        f" AND (\n{chosen.where}\n))" if chosen.where is not None else ")"
    )
    [whole] = _found(
        reader,
        f"SELECT min(started_at) AS first_at, max(started_at) AS last_at, "
        f"count_if(started_at IS NULL)::BIGINT AS without_time, {_FIGURES} FROM {calls}",
    )
    first, last, without_time = (whole.pop(name) for name in ("first_at", "last_at", "without_time"))
    step = every or _fitting(first, last)
    time = f"strftime(date_trunc('{step.value}', started_at), '%Y-%m-%d %H:%M')"
    groups = _found(reader, f"SELECT {_KEYS[by]} AS key, {_FIGURES} FROM {calls} GROUP BY 1 ORDER BY calls DESC, key")
    steps = _found(
        reader, f"SELECT {time} AS key, {_FIGURES} FROM {calls} WHERE started_at IS NOT NULL GROUP BY 1 ORDER BY 1"
    )
    return TrafficStats(
        Figures(key=None, **whole),
        first,
        last,
        by,
        tuple(Figures(**row) for row in groups),
        step,
        tuple(Figures(**row) for row in steps),
        without_time,
    )


def _found(reader: StoreReader, text: str) -> Sequence[dict[str, Any]]:
    """Rows of a query. It is carried out in the sandbox: somebody wrote a part of it."""

    def found(layout: Layout) -> list[dict[str, Any]]:
        with running(layout, Query(text, source=Path("--where")), Limits()) as rows:
            return [json.loads(line) for line in rows.lines(Shape.JSON)]

    return reader.look(found)


def _fitting(first: str | None, last: str | None) -> Every:
    if first is None or last is None:
        return Every.DAY
    span = datetime.fromisoformat(last) - datetime.fromisoformat(first)
    return next((every for every in Every if span <= _STEP[every] * _MOST_STEPS), Every.MONTH)
