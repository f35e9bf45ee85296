"""A replay on one Markdown page, for a pull request or for somebody who writes prompts rather than code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from llmctl.report.diff_outputs import marked
from llmctl.report.markdown_file import code, fenced
from llmctl.report.numbers import count
from llmctl.report.replay_tables import Table, replay_tables
from llmctl.report.replay_words import (
    choice_sentences,
    evidence_sentences,
    gap_sentences,
    replay_headline,
    replay_title,
    worst_marks,
)
from llmctl.report.word_diff import DiffBudget, word_diff
from llmctl.traffic.replay.findings.report import CandidateFindings, ReplayReport, WorstCall
from llmctl.traffic.replay.records import Mode

__all__ = ["write_replay_markdown"]


def write_replay_markdown(file: TextIO, report: ReplayReport) -> None:
    """Write what was chosen, the evidence and tables of each candidate, and the worst changes with their texts."""
    file.write(f"# {code(replay_title(report))}\n")
    # Reasons and notes may quote a log.
    for sentence in (*choice_sentences(report.choice), *report.notes):
        file.write(f"\n{code(sentence, 400)}\n")
    budget = DiffBudget(10_000_000)
    for found in report.candidates:
        file.writelines(_candidate(found, report.mode, budget))


def _candidate(found: CandidateFindings, mode: Mode, budget: DiffBudget) -> Iterator[str]:
    yield f"\n## {code(found.candidate)}\n\n**{replay_headline(found)}**\n"
    for sentence in (*evidence_sentences(found), *gap_sentences(found)):
        yield f"\n{sentence}\n"
    for table in replay_tables(found):
        yield from _table(table)
    if found.worst_count:
        title = "Logged answers that fail" if mode is Mode.OUTPUT_ONLY else "The worst changes first"
        yield f"\n### {title}: {count(found.worst_count)}\n"
        for case in found.worst:
            yield from _case(case, mode, budget)
        if found.worst_count > len(found.worst):
            yield f"\n... and {count(found.worst_count - len(found.worst))} more.\n"


def _table(table: Table) -> Iterator[str]:
    yield f"\n### {table.title}\n\n"
    yield f"| {' | '.join(table.columns)} |\n"
    yield f"| --- |{' ---: |' * (len(table.columns) - 1)}\n"
    for row in table.rows:
        # Even inside code a bar would end the cell.
        yield f"| {code(row[0].replace('|', chr(0xA6)), 80)} | {' | '.join(row[1:])} |\n"
    if table.more:
        yield f"\n... and {count(table.more)} more.\n"


def _case(case: WorstCall, mode: Mode, budget: DiffBudget) -> Iterator[str]:
    yield f"\n#### {code(case.id)}\n"
    if marks := "; ".join(worst_marks(case, mode)):
        yield f"\n{code(marks, 400)}\n"
    if case.question:
        yield f"\nAsked:\n\n{fenced(case.question)}"
    if mode is Mode.OUTPUT_ONLY:
        yield f"\nLogged:\n\n{fenced(case.observed)}"
    elif case.observed and case.candidate:
        yield f"\nAnswer:\n\n{fenced(marked(word_diff(case.observed, case.candidate, budget)))}"
    else:
        for name, text in (("Logged", case.observed), ("Candidate", case.candidate)):
            yield f"\n{name}:\n\n{fenced(text)}" if text else f"\n{name}: nothing.\n"
    if case.reason and case.passed is False:
        yield f"\nWhy it fails:\n\n{fenced(case.reason)}"
