"""What is to be said of the journals after each was read."""

from __future__ import annotations

from collections.abc import Sequence

from llmctl.runs.checkup import Check, Remark, State, counted
from llmctl.runs.journal_health import JournalHealth, line_ranges

__all__ = ["check_journals"]


def check_journals(journals: Sequence[JournalHealth]) -> Check:
    """Damaged, missing, doubled and torn lines, and runs that were killed."""
    lines = sum(journal.lines for journal in journals)
    remarks = [remark for journal in journals for remark in _remarks(journal)]
    ending = (journal for journal in journals if not journal.of_events)
    killed = [journal for journal in ending if not (journal.ended or journal.alive or journal.unreadable)]
    if runs := [journal for journal in killed if not journal.of_traffic]:
        remarks.append(_killed(runs))
    if traffic := [journal for journal in killed if journal.of_traffic]:
        ids = ", ".join(journal.run_id for journal in traffic[-3:])
        text = f"{counted(len(traffic), 'import')} or recordings of traffic ended from outside before the end: {ids}."
        remarks.append(Remark(State.NOTE, text, "What they had written is kept. Import again: nothing is added twice."))
    facts = {"journals": [_facts(journal) for journal in journals]}
    return Check("journals", f"{counted(len(journals), 'journal')}, {counted(lines, 'line')}", tuple(remarks), facts)


def _remarks(journal: JournalHealth) -> list[Remark]:
    """What is wrong with a journal."""
    run = journal.run_id
    if journal.unreadable is not None:
        return [Remark(State.PROBLEM, journal.unreadable, "Nothing is imported until it can be read.")]
    found = []
    if journal.damaged:
        text = f"{run}: {line_ranges(journal.damaged)} cannot be read ({journal.reason})."
        found.append(Remark(State.PROBLEM, text, _what_remains(journal)))
    if journal.missing:
        text = f"{run}: {counted(journal.missing, 'line')} missing that the journal once had."
        found.append(Remark(State.PROBLEM, text, "Put the journal back from a copy, if there is one."))
    if journal.unordered:
        text = f"{run}: {line_ranges(journal.unordered)} stand twice, or not where they were written."
        found.append(Remark(State.PROBLEM, text, "Put the journal back from a copy, if there is one."))
    if journal.copy_of is not None:
        text = f"{run}: its journal is a copy of the one of {journal.copy_of}."
        found.append(Remark(State.NOTE, text, "Its results count twice, once for each run; move it away if unwanted."))
    if journal.torn_bytes:
        text = f"{run}: {journal.torn_bytes:,} bytes of a last line that was not written to its end."
        found.append(Remark(State.NOTE, text, "No result in it was reported as done; it is left out everywhere."))
    return found


def _what_remains(journal: JournalHealth) -> str:
    if journal.in_index:
        return "The index still holds rows of them: put the journal back from a copy before the index is built anew."
    return f"What {'it' if len(journal.damaged) == 1 else 'they'} held is lost; everything else of the run is used."


def _killed(journals: Sequence[JournalHealth]) -> Remark:
    """Runs without an end that nobody writes: killed, or cut off by a power failure."""
    ids = ", ".join(journal.run_id for journal in journals[-3:])
    number = len(journals)
    text = f"{counted(number, 'run')} ended from outside before the end: {'..., ' if number > 3 else ''}{ids}."
    return Remark(State.NOTE, text, f"Go on with one: llmctl eval --resume {journals[-1].run_id}")


def _facts(journal: JournalHealth) -> dict[str, object]:
    return {
        "run_id": journal.run_id,
        "size_bytes": journal.size_bytes,
        "lines": journal.lines,
        "results": journal.results,
        "damaged_lines": journal.damaged,
        "missing_lines": journal.missing,
        "unordered_lines": journal.unordered,
        "torn_bytes": journal.torn_bytes,
        "ended": journal.ended,
        "writer_pid": journal.pid if journal.alive else None,
        "alive": journal.alive,
        "copy_of": journal.copy_of,
        "unreadable": journal.unreadable,
    }
