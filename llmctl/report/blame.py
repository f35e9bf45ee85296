"""What `llmctl blame` prints: the answer, the versions with what is known of each, and what the change was."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from llmctl.compare.blame.report import BankChange, BlameReport, Finding, Version, VersionState
from llmctl.report.layout import Cell, Column, block, grid, show, styled, text_block
from llmctl.report.numbers import count, money
from llmctl.safe_text import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["blame_json", "blame_text", "render_blame"]

_STYLES = {
    VersionState.GOOD: "green",
    VersionState.BAD: "red",
    VersionState.FLAKY: "yellow",
    VersionState.UNKNOWN: "dim",
}
_MOST_LINES = 40
_MOST_VERSIONS = 25


def render_blame(console: Console, reports: Sequence[BlameReport]) -> None:
    """Print the answers at the console's width."""
    show(console, blame_text(reports, console.width))


def blame_text(reports: Sequence[BlameReport], width: int) -> Text:
    """One answer for each prompt and model."""
    from rich.text import Text

    return Text("\n").join(_report(report, width) for report in reports)


def _report(report: BlameReport, width: int) -> Text:
    model = f" · {report.model}" if report.model else ""
    text = styled(f"{one_line(f'{report.bank} / {report.case_id} · {report.prompt}{model}', width)}\n", "bold cyan")
    text.append_text(block("", Cell(_headline(report), "bold"), width, indent=0, column=0))
    for sentence in _sentences(report):
        text.append_text(block("", Cell(sentence), width, indent=0, column=0))
    text.append("\n").append_text(_versions(report, width))
    if report.change:
        text.append_text(styled("\nWhat changed\n", "bold"))
        for line in _cut(report.change.splitlines()):
            style = {"+": "green", "-": "red", "@": "dim"}.get(line[:1], "")
            text.append_text(text_block("", styled(line, style), width, indent=2, column=0))
    for note in report.notes:
        text.append_text(block("", Cell(note, "dim"), width, indent=0, column=0))
    return text


def _headline(report: BlameReport) -> str:
    found, versions = report.search, report.versions
    newest = versions[-1]
    match report.finding:
        case Finding.PASSES:
            return f"It passes: {_answers(newest)} of the newest version ({newest.name}). Nothing broke it."
        case Finding.FLAKY:
            passed = f"{newest.passed} of {newest.evidence} answers to the newest call pass"
            return f"It is flaky: {passed}. No commit broke it."
        case Finding.NEVER:
            looked = "of those looked at " if report.more_commits else ""
            return f"No version {looked}passes: nothing shows that a commit broke it."
        case Finding.BANK:
            return "The case was changed: its answer passed before, to the very call that fails today."
        case Finding.FOUND if found.bad is not None:
            bad = versions[found.bad]
            if found.flaky:
                names = ", ".join(versions[place].name for place in found.flaky)
                return f"Broken by {_commit(bad)}, or by one of the flaky versions before it ({names})."
            return f"Broken by {_commit(bad)}."
        case _ if found.good is None or found.bad is None:
            return "Not known: too few versions have an answer."
    return f"Not known: broken after {versions[found.good].name} and not later than {versions[found.bad].name}."


def _sentences(report: BlameReport) -> Iterator[str]:
    found, versions = report.search, report.versions
    if found.good is not None and found.bad is not None:
        yield f"Last good: {_evidence(versions[found.good])}. First bad: {_evidence(versions[found.bad])}."
    if report.bank_change:
        yield from _of_bank(report.bank_change)
    if report.finding is Finding.OPEN:
        yield _way(report)
    elif report.finding is Finding.FOUND and report.flaky:
        yield "A version has passed and failed on equal calls: this flip may be noise. `--repeat 3` asks for more."
    elif report.finding is Finding.FOUND and report.repeat == 1 and _asked_once(report):
        yield "One answer a version says little of a flaky case: `--bisect --repeat 3` asks for more."
    if report.more_commits and report.finding in (Finding.NEVER, Finding.OPEN) and found.good is None:
        yield "There are older commits: `--limit N` looks at more."
    if report.sent:
        spent = "an unknown amount" if report.spent_usd is None else money(report.spent_usd)
        yield f"{count(report.sent)} {_word(report.sent, 'call was', 'calls were')} sent, for {spent}."


def _way(report: BlameReport) -> str:
    """What it would take to find out."""
    steps = report.search.steps
    calls = steps * report.repeat
    cost = "" if report.cost_usd is None else f", about {money(calls * report.cost_usd)}"
    versions = f"{count(steps)} {_word(steps, 'version', 'versions')}"
    answers = f"{count(calls)} {_word(calls, 'call', 'calls')}"
    return f"To find out, at most {versions} would be asked: {answers}{cost}. `--bisect` does it."


def _of_bank(change: BankChange) -> Iterator[str]:
    commit = f" (commit {change.commit[:7]})" if change.commit else ""
    yield f"It passed in run {change.run_id}{commit}; its variables, expected answer or evaluators are others now."
    if change.commits:
        listed = "; ".join(one_line(one, 80) for one in change.commits[:5])
        more = f" and {count(len(change.commits) - 5)} more" if len(change.commits) > 5 else ""
        yield f"Commits that touched the test banks since: {listed}{more}."
    if change.dirty:
        yield "The test banks here hold changes that are not committed."


def _commit(version: Version) -> str:
    if version.commit is None:
        return "changes that are not committed"
    day = f"{version.committed_at:%Y-%m-%d}, " if version.committed_at else ""
    return f"{version.name} ({day}{one_line(version.subject, 72)})"


def _asked_once(report: BlameReport) -> bool:
    """Whether one of the two versions has one answer only."""
    found = report.search
    return any(at is not None and report.versions[at].evidence == 1 for at in (found.good, found.bad))


def _evidence(version: Version) -> str:
    run = f", run {version.run_id}" if version.run_id else ""
    return f"{version.name} ({version.passed}/{version.evidence} passed{run})"


def _answers(version: Version) -> str:
    return "the answer" if version.evidence == 1 else f"all {count(version.evidence)} answers"


def _versions(report: BlameReport, width: int) -> Text:
    columns = [
        Column("version", is_label=True),
        Column("", is_label=True),
        Column("passed"),
        Column("model", is_label=True),
    ]
    columns += [Column("commits", droppable=True), Column("subject", is_label=True, max_width=max(20, width - 60))]
    rows = [_row(version) for version in reversed(report.versions[-_MOST_VERSIONS:])]
    text = styled("Versions, the newest first\n", "bold").append_text(grid(columns, rows, width))
    older = len(report.versions) - _MOST_VERSIONS
    return text.append(f"  ... and {count(older)} older ones\n", style="dim") if older > 0 else text


def _row(version: Version) -> list[Cell]:
    passed = f"{version.passed}/{version.evidence}" if version.evidence else "-"
    commits = count(1 + version.later) if version.commit else "-"
    state = version.state
    return [
        Cell(version.name),
        Cell(state.value, _STYLES[state]),
        Cell(passed),
        Cell(version.model),
        Cell(commits),
        Cell(version.subject, "dim"),
    ]


def _cut(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:_MOST_LINES]
    if len(lines) > _MOST_LINES:
        yield f"... and {count(len(lines) - _MOST_LINES)} more lines (--json has all of them)"


def _word(number: float, one: str, many: str) -> str:
    return one if number == 1 else many


def blame_json(reports: Sequence[BlameReport]) -> dict[str, Any]:
    """The answers as data, `llmctl/blame/1`."""
    return {"schema": "llmctl/blame/1", "reports": [_json(report) for report in reports]}


def _json(report: BlameReport) -> dict[str, Any]:
    found, versions = report.search, report.versions

    def at(place: int | None) -> dict[str, Any] | None:
        return None if place is None else _version_json(versions[place])

    return {
        "bank": report.bank,
        "case_id": report.case_id,
        "prompt": report.prompt,
        "model": report.model,
        "finding": report.finding.value,
        "last_good": at(found.good),
        "first_bad": at(found.bad),
        "unknown": [versions[place].label for place in found.unknown],
        "steps": found.steps,
        "calls": found.steps * report.repeat,
        "cost_usd": None if report.cost_usd is None else found.steps * report.repeat * report.cost_usd,
        "repeat": report.repeat,
        "flaky": report.flaky,
        "change": report.change,
        "bank_change": dataclasses.asdict(report.bank_change) if report.bank_change else None,
        "versions": [_version_json(version) for version in versions],
        "more_commits": report.more_commits,
        "sent": report.sent,
        "spent_usd": report.spent_usd,
        "command": shlex.join(["llmctl", "blame", f"{report.bank}/{report.case_id}", "--bisect"]),
        "notes": list(report.notes),
    }


def _version_json(version: Version) -> dict[str, Any]:
    return {
        "label": version.label,
        "commit": version.commit,
        "subject": version.subject,
        "committed_at": version.committed_at,
        "model": version.model,
        "call_key": version.call_key,
        "state": version.state.value,
        "passed": version.passed,
        "evidence": version.evidence,
        "run_id": version.run_id,
        "reason": version.reason,
        "output": version.output,
        "later_commits": version.later,
    }
