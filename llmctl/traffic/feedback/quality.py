"""How good users find the answers, by prompt version, model or prompt, and over time: what they say, and what they do.

A call counts once: its last rating, its last score under each name, its last edit. Only logged calls count; feedback on
calls of runs stays with its run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from llmctl.runs.store_reader import StoreReader
from llmctl.stats.clustered import estimate_mean
from llmctl.stats.independent import newcombe_difference
from llmctl.stats.intervals import Interval, wilson
from llmctl.stats.medians import MedianEstimate, estimate_median

__all__ = ["FEWEST", "By", "Change", "Group", "Period", "Quality", "QualityFilter", "Rate", "Score", "quality"]

FEWEST = 10
"""Fewer than this many calls allow no conclusion: the interval of a rate is then 40 points wide or more."""


class By(StrEnum):
    """What calls are put together by."""

    PROMPT_VERSION = "prompt-version"
    PROMPT = "prompt"
    MODEL = "model"


class Period(StrEnum):
    """The steps of time."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class QualityFilter:
    """Which calls, and which feedback."""

    since: float | None = None
    """UTC epoch seconds, of the call."""
    until: float | None = None
    prompts: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    """Of what was judged; none: all explicit feedback."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of calls, with Wilson's interval at 95 %."""

    count: int
    total: int

    @property
    def rate(self) -> float | None:
        """None where nothing was counted."""
        return self.count / self.total if self.total else None

    @property
    def interval(self) -> Interval | None:
        """None where nothing was counted."""
        return wilson(self.count, self.total)

    @property
    def few(self) -> bool:
        """Whether it allows no conclusion."""
        return self.total < FEWEST


@dataclass(frozen=True, slots=True)
class Score:
    """The mean of what was given under one name, with Student's interval at 95 %."""

    name: str | None
    count: int
    mean: float
    interval: Interval | None
    """None: of one value, or nothing varies."""


@dataclass(frozen=True, slots=True)
class Group:
    """The calls of one prompt version, prompt or model, in one step of time where there are steps."""

    prompt: str | None
    version: str | None
    model: str | None
    period: str | None
    """The step's first day, `2026-11-16`; None: all of the time, or the call has none."""
    calls: int
    judged: int
    """Calls of which something was said."""
    up: Rate
    scores: tuple[Score, ...]
    corrections: int
    comments: int
    accepted: Rate
    """Of the answers that are known to have been used, edited or abandoned: used as they were."""
    abandoned: int
    distance: MedianEstimate | None
    """By characters, of those that were edited."""

    @property
    def edited(self) -> int:
        """How many answers were used, but changed."""
        return self.accepted.total - self.accepted.count - self.abandoned


@dataclass(frozen=True, slots=True)
class Change:
    """The latest version of a prompt against the one before, in one rate."""

    prompt: str
    before_version: str | None
    after_version: str | None
    what: str
    """`rated up`, or `accepted unedited`."""
    before: Rate
    after: Rate

    @property
    def interval(self) -> Interval | None:
        """Of the difference after minus before: Newcombe's at 95 %; None where a side has too few calls."""
        if self.before.few or self.after.few:
            return None
        return newcombe_difference(self.before.count, self.before.total, self.after.count, self.after.total)


@dataclass(frozen=True, slots=True)
class Quality:
    """All of it."""

    by: By
    every: Period | None
    groups: tuple[Group, ...]
    """Over all of the time."""
    over_time: tuple[Group, ...]
    """By step, the earliest first; empty without steps."""
    changes: tuple[Change, ...]
    unknown: int
    """Feedback on calls that are not known here."""
    of_runs: int
    """Feedback on calls of runs."""


def quality(
    store: Path, by: By = By.PROMPT_VERSION, every: Period | None = None, chosen: QualityFilter | None = None
) -> Quality:
    """Count.

    Raises:
        StoreError: the store cannot be read.
    """
    reader, chosen = StoreReader(store), chosen or QualityFilter()
    groups = _groups(reader, by, None, chosen)
    apart = reader.rows("SELECT count_if(call_id IS NULL), count_if(run_id IS NOT NULL) FROM feedback", [])
    return Quality(
        by,
        every,
        groups,
        _groups(reader, by, every, chosen) if every else (),
        tuple(_changes(groups)) if by is By.PROMPT_VERSION else (),
        *(apart[0] if apart else (0, 0)),
    )


_KEYS = {
    By.PROMPT_VERSION: "prompt, prompt_version AS version, NULL::VARCHAR AS model",
    By.PROMPT: "prompt, NULL::VARCHAR AS version, NULL::VARCHAR AS model",
    By.MODEL: "NULL::VARCHAR AS prompt, NULL::VARCHAR AS version, coalesce(model, served_model) AS model",
}
_GROUP = "prompt, version, model, period"


def _groups(reader: StoreReader, by: By, every: Period | None, chosen: QualityFilter) -> tuple[Group, ...]:
    """One for each group of calls, in the order in which these first came."""
    period = f"strftime(date_trunc('{every.value}', started_at), '%Y-%m-%d')" if every else "NULL::VARCHAR"
    where, values = _condition(chosen)
    named = "AND (kind = 'edit' OR name IN (SELECT unnest($names)))" if chosen.names else ""
    rows = reader.rows(
        f"""
        WITH calls AS (
            SELECT call_id, {_KEYS[by]}, {period} AS period, started_at FROM traffic WHERE {where}
        ), last AS (
            SELECT call_id, kind, name, "value", edit FROM feedback
            WHERE call_id IS NOT NULL AND run_id IS NULL {named}
            QUALIFY row_number() OVER (
                PARTITION BY call_id, kind, CASE WHEN kind = 'score' THEN name END
                ORDER BY "at" DESC NULLS LAST, journal DESC, position DESC
            ) = 1
        ), told AS (
            SELECT call_id, bool_or(kind <> 'edit') AS judged, any_value("value") FILTER (kind = 'rating') AS rating,
                bool_or(kind = 'correction') AS corrected, bool_or(kind = 'comment') AS commented,
                any_value(edit) FILTER (kind = 'edit') AS edit, any_value("value") FILTER (kind = 'edit') AS distance,
                list({{'name': name, 'value': "value"}}) FILTER (kind = 'score' AND "value" IS NOT NULL) AS scores
            FROM last GROUP BY call_id
        )
        SELECT {_GROUP}, count(*), count(*) FILTER (judged), count(*) FILTER (rating >= 0.5), count(rating),
            count(*) FILTER (corrected), count(*) FILTER (commented), count(*) FILTER (edit = 'accepted'), count(edit),
            count(*) FILTER (edit = 'abandoned'), list(distance) FILTER (distance > 0),
            flatten(list(scores) FILTER (scores IS NOT NULL))
        FROM calls c LEFT JOIN told USING (call_id)
        GROUP BY {_GROUP} ORDER BY period NULLS LAST, min(started_at) NULLS LAST, {_GROUP}
        """,
        values,
    )
    return tuple(_group(row) for row in rows)


def _condition(chosen: QualityFilter) -> tuple[str, dict[str, Any]]:
    parts: list[str] = []
    values: dict[str, Any] = {}
    for name, condition, value in (
        ("since", "epoch(started_at) >= $since", chosen.since),
        ("until", "epoch(started_at) < $until", chosen.until),
        ("prompts", "prompt IN (SELECT unnest($prompts))", list(chosen.prompts) or None),
        ("models", "coalesce(model, served_model) IN (SELECT unnest($models))", list(chosen.models) or None),
    ):
        if value is not None:
            parts.append(condition)
            values[name] = value
    if chosen.names:
        values["names"] = list(chosen.names)
    return " AND ".join(parts) or "true", values


def _group(row: Sequence[Any]) -> Group:
    prompt, version, model, period, calls, judged, up, rated, corrections, comments, *rest = row
    accepted, edits, abandoned, distances, scores = rest
    return Group(
        prompt,
        version,
        model,
        period,
        calls,
        judged,
        Rate(up, rated),
        tuple(_scores(scores or ())),
        corrections,
        comments,
        Rate(accepted, edits),
        abandoned,
        estimate_median(distances or ()),
    )


def _scores(given: Sequence[Mapping[str, Any]]) -> Iterator[Score]:
    by_name: dict[str | None, list[float]] = {}
    for one in given:
        by_name.setdefault(one["name"], []).append(one["value"])
    for name, values in sorted(by_name.items(), key=lambda one: one[0] or ""):
        estimate = estimate_mean(values)
        assert estimate is not None
        yield Score(name, len(values), estimate.mean, estimate.interval())


def _changes(groups: Sequence[Group]) -> Iterator[Change]:
    """Of each prompt the last two versions that anything is known of, by when they were first called.

    Where that is too little for a conclusion, also the last two of which enough is known.
    """
    versions: dict[str, list[Group]] = {}
    for group in groups:
        if group.prompt is not None and group.version is not None:
            versions.setdefault(group.prompt, []).append(group)
    for prompt, found in versions.items():
        for what, rate_of in (("rated up", _up), ("accepted unedited", _accepted)):
            known = [group for group in found if rate_of(group).total]
            enough = [group for group in known if not rate_of(group).few]
            pairs = [known[-2:]] if known[-2:] == enough[-2:] else [known[-2:], enough[-2:]]
            for before, after in (pair for pair in pairs if len(pair) > 1):
                yield Change(prompt, before.version, after.version, what, rate_of(before), rate_of(after))


def _up(group: Group) -> Rate:
    return group.up


def _accepted(group: Group) -> Rate:
    return group.accepted
