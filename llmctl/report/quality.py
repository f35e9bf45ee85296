"""Quality on a terminal and as JSON: what users say and, apart from it, what they do, each rate with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from llmctl.report.layout import Cell, Column, block, grid, show, styled
from llmctl.report.numbers import NONE, count, interval_text, percent

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from llmctl.stats.intervals import Interval
    from llmctl.traffic.feedback.quality import Change, Group, Quality, Rate, Score

__all__ = ["change_sentence", "quality_json", "quality_text", "render_quality"]

_CAVEAT = (
    "Versions answered different requests, and those who say something are not all users: a difference is a hint, "
    "not an experiment. `llmctl replay` asks both versions the same."
)
_FEW_MARK = "*"


def render_quality(console: Console, found: Quality) -> None:
    """Print it."""
    show(console, quality_text(found, console.width))


def quality_text(found: Quality, width: int) -> Text:
    """What was said, what was done with the answers, what changed, and what is not in it."""
    if not found.groups:
        return styled("No logged calls. Next: llmctl traffic import FILE\n")
    if not any(group.judged or group.accepted.total for group in found.groups):
        calls = sum(group.calls for group in found.groups)
        said = "1 logged call" if calls == 1 else f"{count(calls)} logged calls"
        text = styled(f"{said}, and no feedback. Next: llmctl feedback add CALL --up\n")
        return text.append_text(_apart(found, width))
    text = styled("")
    for groups in (found.groups, found.over_time):
        for part in (_said(groups, found, width), _scores(groups, found, width), _done(groups, found, width)):
            if part is not None:
                text.append_text(part).append_text(styled("\n"))
    if any(_few(group) for group in found.groups):
        text.append_text(_wrapped(f"{_FEW_MARK} Fewer than 10: no conclusion.", width, "dim"))
    for change in found.changes:
        text.append_text(_wrapped(change_sentence(change), width))
    if found.changes:
        text.append_text(_wrapped(_CAVEAT, width, "dim"))
    return text.append_text(_apart(found, width))


def _wrapped(sentence: str, width: int, style: str = "") -> Text:
    return block("", Cell(sentence, style), width, indent=0, column=0)


def _apart(found: Quality, width: int) -> Text:
    text = styled("")
    if found.unknown:
        sentence = f"Not counted: {_things(found.unknown)} said of no call that is known here."
        text.append_text(_wrapped(sentence, width, "dim"))
    if found.of_runs:
        sentence = f"Not counted: {_things(found.of_runs)} said of calls of runs, which users never saw."
        text.append_text(_wrapped(sentence, width, "dim"))
    return text


def _things(number: int) -> str:
    return f"{count(number)} {'thing' if number == 1 else 'things'}"


def _few(group: Group) -> bool:
    return any(rate.total and rate.few for rate in (group.up, group.accepted))


def _labels(found: Quality, groups: Sequence[Group]) -> list[Column]:
    over_time = any(group.period for group in groups)
    first = [Column(f"{found.every} (UTC)", is_label=True)] if over_time and found.every else []
    return [*first, Column(found.by.value.replace("-", " "), is_label=True, max_width=36)]


def _label_cells(group: Group, columns: Sequence[Column]) -> list[Cell]:
    name = " ".join(part for part in (group.prompt, group.version, group.model) if part) or "(not logged)"
    return [Cell(group.period or NONE), Cell(name)][-len(columns) :]


def _said(groups: Sequence[Group], found: Quality, width: int) -> Text | None:
    shown = [group for group in groups if group.judged] if any(group.period for group in groups) else list(groups)
    if not any(group.judged for group in shown):
        return None
    labels = _labels(found, groups)
    columns = [
        *labels,
        Column("calls"),
        Column("with feedback", droppable=True),
        Column("rated"),
        Column("up"),
        Column("corrections"),
        Column("comments", droppable=True),
    ]
    rows = [
        [
            *_label_cells(group, labels),
            Cell(count(group.calls)),
            Cell(f"{count(group.judged)} ({percent(group.judged, group.calls)})" if group.judged else "0"),
            Cell(count(group.up.total)),
            _rate_cell(group.up),
            Cell(count(group.corrections)),
            Cell(count(group.comments)),
        ]
        for group in shown
    ]
    return styled("What users say\n", "bold").append_text(grid(columns, rows, width, indent=0))


def _rate_cell(rate: Rate) -> Cell:
    interval = rate.interval
    if interval is None:
        return Cell(NONE)
    text = f"{percent(rate.count, rate.total)} {interval_text(interval)}"
    return Cell(f"{text}{_FEW_MARK}", "dim") if rate.few else Cell(text)


def _scores(groups: Sequence[Group], found: Quality, width: int) -> Text | None:
    if not any(group.scores for group in groups):
        return None
    labels = _labels(found, groups)
    columns = [*labels, Column("score", is_label=True, max_width=24), Column("given"), Column("mean")]
    rows = [
        [*_label_cells(group, labels), Cell(score.name or "(no name)"), Cell(count(score.count)), Cell(_mean(score))]
        for group in groups
        for score in group.scores
    ]
    return styled("Scores\n", "bold").append_text(grid(columns, rows, width, indent=0))


def _mean(score: Score) -> str:
    interval = score.interval
    return f"{score.mean:.3g}" + (f" [{interval.low:.3g}, {interval.high:.3g}]" if interval else "")


def _done(groups: Sequence[Group], found: Quality, width: int) -> Text | None:
    shown = [group for group in groups if group.accepted.total]
    if not shown:
        return None
    labels = _labels(found, groups)
    columns = [
        *labels,
        Column("answers"),
        Column("accepted unedited"),
        Column("edited"),
        Column("abandoned", droppable=True),
        Column("median edit"),
    ]
    rows = [
        [
            *_label_cells(group, labels),
            Cell(count(group.accepted.total)),
            _rate_cell(group.accepted),
            Cell(count(group.edited)),
            Cell(count(group.abandoned)),
            Cell(_median(group)),
        ]
        for group in shown
    ]
    return styled("What users do\n", "bold").append_text(grid(columns, rows, width, indent=0))


def _median(group: Group) -> str:
    if group.distance is None:
        return NONE
    median = f"{100 * group.distance.median:.1f} %"
    return f"{median} {interval_text(group.distance.interval)}" if group.distance.interval else median


def change_sentence(change: Change) -> str:
    """The change between two versions, as evidence: never more sure than its interval."""
    head = f"{change.prompt} {change.before_version} to {change.after_version}, {change.what}:"
    before, after = change.before, change.after
    interval = change.interval
    if interval is None or before.rate is None or after.rate is None:
        return f"{head} {count(before.total)} against {count(after.total)} answers: no conclusion."
    points = 100 * (after.rate - before.rate)
    rates = f"{percent(before.count, before.total)} to {percent(after.count, after.total)}"
    low, high = interval_text(interval).strip("[]").split(", ")
    return f"{head} {rates}, {points:+.1f} points (95 % interval {low} to {high}): {_evidence(interval)}."


def _evidence(interval: Interval) -> str:
    if interval.low > 0:
        return "evidence of a rise"
    return "evidence of a drop" if interval.high < 0 else "no evidence of a change"


def quality_json(found: Quality) -> dict[str, Any]:
    """The same as a document, `llmctl/quality/1`."""
    return {
        "schema": "llmctl/quality/1",
        "by": found.by.value,
        "every": found.every.value if found.every else None,
        "groups": [_group_data(group) for group in found.groups],
        "over_time": [_group_data(group) for group in found.over_time],
        "changes": list(map(_change_data, found.changes)),
        "unknown_calls": found.unknown,
        "of_runs": found.of_runs,
    }


def _group_data(group: Group) -> dict[str, Any]:
    return {
        "prompt": group.prompt,
        "prompt_version": group.version,
        "model": group.model,
        "period": group.period,
        "calls": group.calls,
        "explicit": {
            "calls": group.judged,
            "up": _rate_data(group.up),
            "scores": [asdict(score) for score in group.scores],
            "corrections": group.corrections,
            "comments": group.comments,
        },
        "implicit": {
            "accepted_unedited": _rate_data(group.accepted),
            "edited": group.edited,
            "abandoned": group.abandoned,
            "edit_distance": asdict(group.distance) if group.distance else None,
        },
    }


def _rate_data(rate: Rate) -> dict[str, Any]:
    return {
        "count": rate.count,
        "total": rate.total,
        "rate": rate.rate,
        "interval": asdict(rate.interval) if rate.interval else None,
        "conclusive": not rate.few,
    }


def _change_data(change: Change) -> dict[str, Any]:
    return {
        "prompt": change.prompt,
        "before_version": change.before_version,
        "after_version": change.after_version,
        "what": change.what,
        "before": _rate_data(change.before),
        "after": _rate_data(change.after),
        "interval": asdict(change.interval) if change.interval else None,
        "sentence": change_sentence(change),
    }
