"""Reads one journal from end to end and says what it holds, what is damaged, and whether anybody writes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llmctl.errors import StoreError
from llmctl.runs.codec import LoggedLine, UnknownEvent
from llmctl.runs.journal import is_alive
from llmctl.runs.journal_reader import Damage, JournalLine, read_journal
from llmctl.runs.records import (
    BankEvent,
    CallEvent,
    CaseEvent,
    EndEvent,
    Event,
    JudgeEvent,
    PlanEvent,
    PromptEvent,
    ResultEvent,
    RunEvent,
    TargetEvent,
)
from llmctl.store.health import RowCount
from llmctl.store.layout import TRAFFIC, Layout
from llmctl.store.locks import lock_holder

__all__ = ["JournalHealth", "examine_journal", "line_ranges"]

_TABLES: dict[type, str] = {
    RunEvent: "run_heads",
    EndEvent: "run_ends",
    PromptEvent: "prompt_rows",
    TargetEvent: "target_rows",
    BankEvent: "bank_rows",
    CaseEvent: "case_rows",
    JudgeEvent: "judge_rows",
    PlanEvent: "plan_rows",
    CallEvent: "call_rows",
    ResultEvent: "result_rows",
}
"""Which table a line goes into; said here again, because a check that asked `rows` would check nothing."""


@dataclass(slots=True)
class JournalHealth:
    """One journal, as it lies on disk."""

    path: Path
    size_bytes: int = 0
    lines: int = 0
    results: int = 0
    damaged: list[int] = field(default_factory=list)
    """Numbers of the lines that cannot be read."""
    damaged_offsets: list[int] = field(default_factory=list)
    """Where they begin."""
    reason: str = ""
    """What is wrong with the first of them."""
    in_index: bool = False
    """Whether the index holds rows of damaged lines: it took them in before they were damaged."""
    missing: int = 0
    """Lines that were written, and are no longer in the file."""
    unordered: list[int] = field(default_factory=list)
    """Numbers of lines that stand where they were not written: doubled, or moved."""
    torn_bytes: int = 0
    """After the last whole line; never reported as done, and cut off by the next writer."""
    ended: bool = False
    pid: int | None = None
    """Of the process that began the run last."""
    copy_of: str | None = None
    """The run that the journal says it is, where its name says another."""
    alive: bool = False
    """Whether a process writes it now."""
    unreadable: str | None = None
    counts: dict[str, RowCount] = field(default_factory=dict)
    """By table: what the index must hold of the part that was asked for."""

    @property
    def run_id(self) -> str:
        """As the file's name says it; of traffic: `traffic/` and the name; of events: their file."""
        root = self.path.parent
        return Layout(root if self.of_events else root.parent).journal_name(self.path)

    @property
    def of_traffic(self) -> bool:
        """Whether it holds logged calls, not a run."""
        return self.path.parent.name == TRAFFIC.rstrip("/") and not self.of_events

    @property
    def of_events(self) -> bool:
        """Whether it holds events, and is never at its end."""
        store = Layout(self.path.parent)  # a run may be named so, too: but no folder of runs holds one of runs
        return self.path == store.events and store.runs.is_dir()

    @property
    def sound(self) -> bool:
        """Whether everything that was ever written can be read, where it was written."""
        return not (self.damaged or self.missing or self.unordered or self.unreadable)


def examine_journal(path: Path, reached_bytes: int | None = None) -> JournalHealth:
    """Read a journal; `counts` covers the lines that end within the first `reached_bytes` (None: all)."""
    health = JournalHealth(path)
    try:
        health.alive = is_alive(path)
        health.size_bytes = path.stat().st_size
        end = _read(path, health, reached_bytes)
    except (StoreError, OSError) as error:
        health.unreadable = error.message if isinstance(error, StoreError) else f"{path}: {error.strerror}."
        return health
    if not health.alive:  # else the rest is a line that is being written
        health.torn_bytes = max(0, health.size_bytes - end)
    elif (pid := lock_holder(path)) is not None:
        health.pid = pid
    return health


def _read(path: Path, health: JournalHealth, reached_bytes: int | None) -> int:
    """Add up all lines; where the last one ends."""
    end = expected = 0
    for line in read_journal(path):
        end = line.end
        health.lines += 1
        if isinstance(line, Damage):
            health.damaged.append(line.line_number)
            health.damaged_offsets.append(line.offset)
            health.reason = health.reason or line.reason
            expected += 1
            continue
        expected = _numbered(line, expected, health)
        _told(line.event, health)
        if reached_bytes is None or line.end <= reached_bytes:
            for table, rows in _rows(line.event):
                health.counts[table] = health.counts.get(table, RowCount()) + RowCount(rows, rows * line.offset)
    return end


def _numbered(line: JournalLine, before: int, health: JournalHealth) -> int:
    """Compare a line's own number with that of the line before; the number to go on from."""
    if line.seq <= before and not _after_damage(line, health):
        health.unordered.append(line.line_number)
    elif line.seq > before + 1:
        health.missing += line.seq - before - 1
    return line.seq


def _after_damage(line: JournalLine, health: JournalHealth) -> bool:
    """A bit that makes a newline of another character makes two damaged lines of one: the numbers then step back."""
    return bool(health.damaged) and health.damaged[-1] == line.line_number - 1


def _told(event: Event | UnknownEvent, health: JournalHealth) -> None:
    """Take over what a line says of the run."""
    match event:
        case RunEvent():
            health.ended = False
            health.pid = event.pid or None
            health.copy_of = event.run_id if event.run_id != health.run_id else health.copy_of
        case EndEvent() | LoggedLine(type="traffic_end"):
            health.ended = True
        case ResultEvent():
            health.results += 1


def _rows(event: Event | UnknownEvent) -> Iterator[tuple[str, int]]:
    """How many rows of which tables a line makes."""
    if isinstance(event, LoggedLine):
        yield from _logged_rows(event)
        return
    if isinstance(event, UnknownEvent):
        return
    yield _TABLES[type(event)], 1
    if isinstance(event, CallEvent) and event.call.attempts:
        yield "attempt_rows", len(event.call.attempts)
    if isinstance(event, ResultEvent) and event.scores:
        yield "score_rows", len(event.scores)


def _logged_rows(line: LoggedLine) -> Iterator[tuple[str, int]]:
    if line.type == "logged_call":
        yield "traffic_rows", 1
    if line.type == "feedback":
        yield "feedback_rows", 1
    said = line.said + (line.type == "logged_feedback")
    if said:
        yield "traffic_feedback_rows", said


def line_ranges(numbers: Sequence[int], most: int = 8) -> str:
    """`line 7`, `lines 3, 41-57`; after `most` ranges `and 12 more`."""
    ranges: list[tuple[int, int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] + 1 == number:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    shown = ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in ranges[:most])
    hidden = sum(high - low + 1 for low, high in ranges[most:])
    more = f" and {hidden:,} more" if hidden else ""
    return f"{'line' if len(numbers) == 1 else 'lines'} {shown}{more}"
