"""Logged calls on a terminal and as JSON: what an import did, a list of calls, one call in full."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from llmctl.outcome import Outcome
from llmctl.report.layout import Cell, Column, block, grid, show, styled
from llmctl.report.numbers import count, latency, money
from llmctl.report.said import feedback_words
from llmctl.safe_text import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from llmctl.traffic.importing import SkipCount, TrafficImport
    from llmctl.traffic.logged_call import LoggedFeedback
    from llmctl.traffic.store import StoredCall

__all__ = [
    "call_json",
    "call_text",
    "calls_json",
    "calls_text",
    "import_json",
    "import_text",
    "render_call",
    "render_calls",
    "render_import",
    "summary_line",
]

_UNREADABLE_STYLE = "yellow"
_LONG = 800
"""Characters of data beside the messages."""


def summary_line(done: TrafficImport) -> str:
    """`imported 90, skipped 3: not JSON x 2, imported already x 1`: the last line of every import."""
    line = f"imported {count(done.imported)}, skipped {count(done.skipped)}"
    reasons = ", ".join(f"{one_line(skip.reason, 120)} x {count(skip.count)}" for skip in _most_first(done))
    return f"{line}: {reasons}" if reasons else line


def _most_first(done: TrafficImport) -> list[SkipCount]:
    return sorted(done.skips.values(), key=lambda skip: (-skip.count, skip.reason))


def render_import(console: Console, done: TrafficImport) -> None:
    """Print what an import did."""
    show(console, import_text(done, console.width))


def import_text(done: TrafficImport, width: int) -> Text:
    """The formats, what cannot be replayed, where things were set aside, and the summary."""
    text = styled("")
    for label, line in _facts(done):
        text.append_text(block(label, Cell(line), width, indent=0, column=16))
    for skip in _most_first(done):
        if skip.unreadable:
            places = ", ".join(f"{one.file}:{one.line}" for one in skip.examples)
            more = ", ..." if skip.count > len(skip.examples) else ""
            text.append_text(
                block("not read", Cell(f"{skip.reason}: {places}{more}", _UNREADABLE_STYLE), width, indent=0, column=16)
            )
    return text.append_text(styled(f"{summary_line(done)}\n"))


def _facts(done: TrafficImport) -> Iterator[tuple[str, str]]:
    if done.import_id is not None:
        yield "import", done.import_id
    if done.formats:
        yield "formats", ", ".join(f"{name} {count(number)}" for name, number in done.formats.most_common())
    if done.feedback:
        yield "feedback", f"{count(done.feedback)} for calls of other lines"
    for reason, number in done.not_replayable.most_common():
        yield "not replayable", f"{count(number)}: {reason}"
    if done.redacted:
        yield "redacted", ", ".join(f"{name.lower()} {count(number)}" for name, number in done.redacted.most_common())
    if done.redacted_lines:
        yield "keys", f"taken out of {count(done.redacted_lines)} {'line' if done.redacted_lines == 1 else 'lines'}"
    if done.later:
        yield "later", f"{done.later} The next command brings it into the index."


def import_json(done: TrafficImport) -> dict[str, Any]:
    """The same as a document, `llmctl/traffic-import/1`."""
    return {
        "schema": "llmctl/traffic-import/1",
        "import_id": done.import_id,
        "imported": done.imported,
        "feedback": done.feedback,
        "skipped": done.skipped,
        "unreadable": done.unreadable,
        "formats": dict(done.formats),
        "skips": [
            {
                "reason": skip.reason,
                "count": skip.count,
                "unreadable": skip.unreadable,
                "examples": [{"file": one.file, "line": one.line} for one in skip.examples],
            }
            for skip in _most_first(done)
        ],
        "not_replayable": dict(done.not_replayable),
        "redacted": dict(done.redacted),
        "redacted_lines": done.redacted_lines,
        "summary": summary_line(done),
    }


def render_calls(console: Console, calls: Sequence[StoredCall], *, total: int) -> None:
    """Print a list of calls."""
    show(console, calls_text(calls, console.width, total=total))


def calls_text(calls: Sequence[StoredCall], width: int, *, total: int) -> Text:
    """One line a call, in the order given; `total`: how many fit the filter."""
    if not calls:
        return styled("No logged calls. Next: llmctl traffic import FILE\n" if not total else "")
    columns = [
        Column("call", is_label=True, max_width=16),
        Column("started (UTC)", is_label=True),
        Column("model", is_label=True, max_width=28),
        *([Column("prompt", is_label=True, max_width=20)] if any(one.call.prompt_name for one in calls) else []),
        Column("outcome", is_label=True),
        Column("latency"),
        Column("tokens", droppable=True),
        Column("cost", droppable=True),
        Column("asked", is_label=True, droppable=True, max_width=32),
    ]
    text = grid(columns, [_row(one, columns) for one in calls], width, indent=0)
    if total > len(calls):
        text.append_text(styled(f"{count(total - len(calls))} more; --limit shows them.\n", "dim"))
    return text


def _row(stored: StoredCall, columns: Sequence[Column]) -> list[Cell]:
    call = stored.call
    outcome = call.outcome.value if call.outcome else "not logged"
    cells = {
        "call": Cell(stored.id),
        "started (UTC)": Cell(_time(call.started_at)[:19]),
        "model": Cell(call.model or call.served_model or "-"),
        "prompt": Cell(call.prompt_name or ""),
        "outcome": Cell(outcome, "" if call.outcome is None or call.outcome.scored else "red"),
        "latency": Cell(latency(call.latency_ms)),
        "tokens": Cell(_tokens(call.input_tokens, call.output_tokens)),
        "cost": Cell("-" if call.cost_usd is None else money(call.cost_usd)),
        "asked": Cell(_asked(call.messages)),
    }
    return [cells[column.title] for column in columns]


def _tokens(taken: int | None, given: int | None) -> str:
    if taken is None and given is None:
        return "-"
    return f"{'?' if taken is None else count(taken)}+{'?' if given is None else count(given)}"


def _time(epoch_s: float | None) -> str:
    if epoch_s is None:
        return "not logged"
    try:
        return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:23]
    except (OverflowError, ValueError, OSError):
        return "out of range"


def _asked(messages: Sequence[Mapping[str, object]] | None) -> str:
    """What the last user's message says."""
    for message in reversed(messages or ()):
        if message.get("role") == "user":
            return _content(message.get("content"))[:200]
    return "not logged" if messages is None else ""


def _content(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list | tuple):
        parts = [part.get("text") or f"[{part.get('type', 'part')}]" for part in content if isinstance(part, Mapping)]
        return "\n".join(map(str, parts))
    return "" if content is None else json.dumps(content, ensure_ascii=False, default=str)


def calls_json(calls: Sequence[StoredCall], *, total: int) -> dict[str, Any]:
    """The list as a document, `llmctl/traffic-list/1`."""
    return {"schema": "llmctl/traffic-list/1", "total": total, "calls": [_call_data(one) for one in calls]}


def _call_data(stored: StoredCall) -> dict[str, Any]:
    data = asdict(stored.call)
    return {
        "call_id": stored.id,
        "import_id": stored.import_id,
        "file": stored.file or None,
        "line": stored.line or None,
        **data,
        "started_at": None if stored.call.started_at is None else _time(stored.call.started_at),
    }


def call_json(stored: StoredCall, raw: str) -> dict[str, Any]:
    """One call as a document, `llmctl/traffic-show/1`; `raw` is the line as it was logged."""
    return {"schema": "llmctl/traffic-show/1", **_call_data(stored), "raw": raw}


def render_call(console: Console, stored: StoredCall, raw: str | None) -> None:
    """Print one call."""
    show(console, call_text(stored, raw, console.width))


def call_text(stored: StoredCall, raw: str | None, width: int) -> Text:
    """All that is known of a call: facts, messages, tools, the answer, feedback; and `raw`, where it is given."""
    text = styled(f"{stored.id}\n", "bold")
    for label, value in _call_facts(stored):
        text.append_text(block(label, Cell(value), width, indent=0, column=16))
    for message in stored.call.messages or ():
        text.append_text(styled(f"\n{message.get('role', 'message')}\n", "bold"))
        text.append_text(block("", Cell(_said(message)), width, indent=2, column=0))
    text.append_text(styled("\nanswer\n", "bold"))
    text.append_text(block("", Cell(_answer(stored)), width, indent=2, column=0))
    if stored.call.feedback:
        text.append_text(styled("\nfeedback\n", "bold"))
        for one in stored.call.feedback:
            text.append_text(block(one.kind, Cell(_feedback(one)), width, indent=2, column=14))
    if raw is not None:
        text.append_text(styled("\nas logged\n", "bold"))
        text.append_text(styled(f"{raw}\n"))
    return text


def _call_facts(stored: StoredCall) -> Iterator[tuple[str, str]]:
    call = stored.call
    yield (
        "import",
        f"{stored.import_id}, {f'{stored.file}:{stored.line}' if stored.file else 'recorded'} ({call.format})",
    )
    yield "started (UTC)", _time(call.started_at)
    model = call.model or "not logged"
    yield "model", f"{model} (served: {call.served_model})" if call.served_model not in (None, call.model) else model
    outcome = call.outcome.value if call.outcome else "not logged"
    details = ", ".join(part for part in (call.finish_reason, f"HTTP {call.status}" if call.status else None) if part)
    yield "outcome", f"{outcome} ({details})" if details else outcome
    yield "latency", latency(call.latency_ms) + (f", first token {latency(call.ttft_ms)}" if call.ttft_ms else "")
    cached = f", {count(call.cached_tokens)} from a cache" if call.cached_tokens else ""
    yield "tokens", _tokens(call.input_tokens, call.output_tokens) + cached
    yield "cost", "not logged" if call.cost_usd is None else money(call.cost_usd)
    yield from _more_facts(stored)


def _more_facts(stored: StoredCall) -> Iterator[tuple[str, str]]:
    call = stored.call
    prompt = call.prompt_name and f"{call.prompt_name}{f' {call.prompt_version}' if call.prompt_version else ''}"
    named = {
        "provider": call.provider,
        "endpoint": call.endpoint,
        "prompt": prompt,
        "user": call.user,
        "session": call.session_id,
        "trace": call.trace_id,
        "source id": call.source_id,
        "environment": call.environment,
        "tags": ", ".join(call.tags),
        "error": call.error,
        "not replayable": call.not_replayable,
    }
    yield from ((label, str(value)) for label, value in named.items() if value)
    data = {
        "parameters": call.params,
        "variables": call.variables,
        "tools": call.tools,
        "tool choice": call.tool_choice,
        "format": call.response_format,
        "metadata": call.metadata,
    }
    for label, value in data.items():
        if value:
            written = _data(value)
            yield label, written if len(written) <= _LONG else f"{written[:_LONG]} ... (all of it with --json)"


def _data(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _said(message: Mapping[str, object]) -> str:
    calls = message.get("tool_calls")
    parts = [_content(message.get("content")), _data(calls) if calls else ""]
    return "\n".join(part for part in parts if part) or "(empty)"


def _answer(stored: StoredCall) -> str:
    call = stored.call
    parts = [call.output or "", *(_data(one) for one in call.tool_calls)]
    said = "\n".join(part for part in parts if part)
    if said:
        return said
    return "(not logged)" if call.outcome in (None, Outcome.ANSWERED) and call.output is None else "(none)"


def _feedback(one: LoggedFeedback) -> str:
    if one.kind == "edit":
        return feedback_words(one)
    value = None if one.value is None else f"{one.value:g}"
    parts = [one.name, value, one.text, f"by {one.source}" if one.source else None]
    return ", ".join(part for part in parts if part)
