"""Feedback on a terminal and as JSON: what was given, what an import did, and the latest of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from llmctl.report.layout import Cell, Column, block, grid, show, styled
from llmctl.report.numbers import count
from llmctl.report.said import feedback_words
from llmctl.report.traffic import import_json, import_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from llmctl.traffic.feedback.events import Event
    from llmctl.traffic.feedback.importing import FeedbackImport
    from llmctl.traffic.feedback.store import Said
    from llmctl.traffic.logged_call import LoggedFeedback

__all__ = [
    "feedback_import_json",
    "feedback_import_text",
    "feedback_json",
    "feedback_text",
    "given_json",
    "given_text",
    "render_feedback",
    "render_feedback_import",
    "render_given",
]

_UP, _DOWN = "green", "red"


def _style(said: LoggedFeedback) -> str:
    if said.kind == "rating" and said.value is not None:
        return _UP if said.value >= 0.5 else _DOWN
    return ""


def _time(epoch_s: float | None) -> str:
    if epoch_s is None:
        return "-"
    try:
        return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return "out of range"


def render_given(console: Console, call_id: str, events: Sequence[Event]) -> None:
    """Print what was kept."""
    show(console, given_text(call_id, events, console.width))


def given_text(call_id: str, events: Sequence[Event], width: int) -> Text:
    """The call, and each thing that was said of it."""
    text = styled(f"{call_id}\n", "bold")
    for event in events:
        text.append_text(block(event.said.kind, Cell(feedback_words(event.said), _style(event.said)), width, column=12))
    return text


def given_json(call_id: str, events: Sequence[Event]) -> dict[str, Any]:
    """The same as a document, `llmctl/feedback-add/1`."""
    said = [{"feedback_id": event.id, "by": event.by, **_data(event.said)} for event in events]
    return {"schema": "llmctl/feedback-add/1", "call_id": call_id, "feedback": said}


def _data(said: LoggedFeedback) -> dict[str, Any]:
    return {**asdict(said), "at": None if said.at is None else _time(said.at)}


def render_feedback_import(console: Console, done: FeedbackImport) -> None:
    """Print what an import did."""
    show(console, feedback_import_text(done, console.width))


def feedback_import_text(done: FeedbackImport, width: int) -> Text:
    """What kinds there are, what is of unknown calls, where things were set aside; the summary is the last line."""
    text = styled("")
    facts = {
        "kinds": ", ".join(f"{kind} {count(number)}" for kind, number in done.kinds.most_common() if kind != "edit"),
        "edits": ", ".join(f"{kind.value} {count(number)}" for kind, number in done.edits.most_common()),
        "unknown calls": f"{count(done.unknown)} of no call known here, or of a trace of several: kept for later"
        if done.unknown
        else "",
    }
    for label, line in facts.items():
        if line:
            text.append_text(block(label, Cell(line), width, indent=0, column=16))
    return text.append_text(import_text(done, width))


def feedback_import_json(done: FeedbackImport) -> dict[str, Any]:
    """The same as a document, `llmctl/feedback-import/1`."""
    document = import_json(done)
    kept = ("imported", "skipped", "unreadable", "skips", "redacted", "redacted_lines", "summary")
    return {
        "schema": "llmctl/feedback-import/1",
        "unknown_calls": done.unknown,
        "kinds": dict(done.kinds),
        "edits": {kind.value: number for kind, number in done.edits.items()},
        **{name: document[name] for name in kept},
    }


def render_feedback(console: Console, listed: Sequence[Said], *, total: int) -> None:
    """Print a list of feedback."""
    show(console, feedback_text(listed, console.width, total=total))


def feedback_text(listed: Sequence[Said], width: int, *, total: int) -> Text:
    """One line for each thing that was said, in the order given; `total`: how many fit the filter."""
    if not listed:
        return styled("No feedback. Next: llmctl feedback add CALL --up\n" if not total else "")
    columns = [
        Column("at (UTC)", is_label=True),
        Column("call", is_label=True, max_width=20),
        Column("kind", is_label=True),
        Column("said", is_label=True, max_width=max(16, width - 70)),
        Column("name", is_label=True, droppable=True, max_width=16),
        Column("by", is_label=True, droppable=True, max_width=16),
        Column("prompt", is_label=True, droppable=True, max_width=20),
    ]
    text = grid(columns, [_row(one) for one in listed], width, indent=0)
    if total > len(listed):
        text.append_text(styled(f"{count(total - len(listed))} more; --limit shows them.\n", "dim"))
    return text


def _row(one: Said) -> list[Cell]:
    prompt = " ".join(part for part in (one.prompt, one.prompt_version) if part)
    call = Cell(one.call_id) if one.call_id else Cell(f"? {one.said.target or ''}", "dim")
    return [
        Cell(_time(one.said.at)),
        call,
        Cell(one.said.kind),
        Cell(feedback_words(one.said), _style(one.said)),
        Cell(one.said.name or ""),
        Cell(one.by or one.said.source or ""),
        Cell(prompt),
    ]


def feedback_json(listed: Sequence[Said], *, total: int) -> dict[str, Any]:
    """The list as a document, `llmctl/feedback-list/1`."""
    rows = [
        {
            "call_id": one.call_id,
            "origin": one.given.value,
            **_data(one.said),
            "by": one.by,
            "token_distance": one.token_distance,
            "prompt": one.prompt,
            "prompt_version": one.prompt_version,
            "model": one.model,
        }
        for one in listed
    ]
    return {"schema": "llmctl/feedback-list/1", "total": total, "feedback": rows}
