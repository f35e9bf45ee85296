"""The page of a replay: what changed and what broke, how sure that is, and the worst changes in full."""

from __future__ import annotations

from typing import TextIO

from llmctl.report.html.page import write_static_page
from llmctl.report.html.rows import cut, named, side_by_side
from llmctl.report.numbers import count
from llmctl.report.replay_tables import Table, replay_tables
from llmctl.report.replay_words import (
    choice_sentences,
    evidence_sentences,
    gap_sentences,
    is_worse,
    replay_headline,
    replay_title,
    worst_marks,
)
from llmctl.report.word_diff import DiffBudget
from llmctl.traffic.replay.findings.report import CandidateFindings, Kind, ReplayReport, WorstCall
from llmctl.traffic.replay.records import Mode

__all__ = ["write_replay_page"]

_TONES = {True: "tone-bad", False: "tone-good", None: ""}
_OPEN = 10
"""Of the worst changes, how many are shown without a click."""
_SHOWN = 20_000
"""Characters of a text."""


def write_replay_page(file: TextIO, report: ReplayReport) -> None:
    """Write the page. It runs no script and loads nothing; every text of a log or a model is escaped."""
    budget = DiffBudget(5_000_000, each=50_000)
    values = {
        "title": replay_title(report),
        "sentences": list(choice_sentences(report.choice)),
        "notes": report.notes,
        "candidates": [_View(found, report.mode, budget) for found in report.candidates],
        "open": _OPEN,
        "failing": report.mode is Mode.OUTPUT_ONLY,
    }
    write_static_page(file, "replay.html", values)


class _View:
    """A candidate with what the page says of it."""

    def __init__(self, found: CandidateFindings, mode: Mode, budget: DiffBudget) -> None:
        self.name = named(found.candidate)
        self.headline = replay_headline(found)
        self.tone = _TONES[is_worse(found)]
        self.sentences = [*evidence_sentences(found), *gap_sentences(found)]
        self.tables: list[Table] = list(replay_tables(found))
        self.worst = [_Case(case, mode, budget) for case in found.worst]
        self.worst_count = found.worst_count
        self.left_out = count(found.worst_count - len(found.worst)) if found.worst_count > len(found.worst) else ""


class _Case:
    """One of the worst changes."""

    def __init__(self, case: WorstCall, mode: Mode, budget: DiffBudget) -> None:
        self.id = named(case.id)
        self.status = "worse" if case.kind is Kind.BROKEN or case.passed is False else "changed"
        self.badge = "fails" if mode is Mode.OUTPUT_ONLY else case.kind.value
        self.marks = "; ".join(worst_marks(case, mode))
        self.where = " · ".join(named(one) for one in (case.prompt, case.model) if one)
        self.tags = ", ".join(map(named, case.tags))
        self.question = cut(case.question, _SHOWN)
        self.observed, self.candidate = cut(case.observed, _SHOWN), cut(case.candidate, _SHOWN)
        self.pieces = side_by_side(self.observed, self.candidate, budget)
        self.baseline = None if case.baseline is None else cut(case.baseline, _SHOWN)
        self.reason = cut(case.reason, _SHOWN) if case.passed is False else ""
