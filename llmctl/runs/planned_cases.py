"""Planned cases to journal lines and back, evaluators made ready again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmctl.canonical import digest, to_json
from llmctl.errors import StoreError
from llmctl.evaluators import registry
from llmctl.evaluators.built import BuiltEvaluator
from llmctl.evaluators.references import has_references
from llmctl.evaluators.specification import specification, specification_of
from llmctl.project.models import Case, EvaluatorSettings, EvaluatorSpec
from llmctl.runs.line_reader import LineReader
from llmctl.runs.records import CaseEvent
from llmctl.runs.target import PlannedCase

__all__ = ["CaseReader", "case_event", "embeds"]

_SPECS_KEPT = 2_000


def case_event(planned: PlannedCase) -> CaseEvent:
    """A planned case with all that its evaluators read."""
    case = planned.case
    evaluators = _specified(case.evaluators)
    return CaseEvent(
        bank=case.bank,
        case_id=case.id,
        vars=case.vars,
        expected=case.expected,
        has_expected=case.has_expected,
        tags=case.tags,
        group=case.group,
        must_pass=case.must_pass,
        weight=case.weight,
        pass_score=case.pass_score,
        evaluators=evaluators,
        digest=digest(case.vars, case.expected, evaluators, case.pass_score),
    )


@dataclass(frozen=True, slots=True)
class _Specified:
    """The data of evaluators, beside them: held here, their id goes to no others."""

    specs: tuple[EvaluatorSpec, ...]
    data: tuple[Mapping[str, object], ...]


_specified_of: dict[int, _Specified] = {}


def _specified(specs: tuple[EvaluatorSpec, ...]) -> tuple[Mapping[str, object], ...]:
    """The data of a case's evaluators; cases that share them share it."""
    kept = _specified_of.get(id(specs))
    if kept is None:
        if len(_specified_of) >= _SPECS_KEPT:
            _specified_of.clear()
        kept = _specified_of[id(specs)] = _Specified(specs, tuple(map(specification, specs)))
    return kept.data


@dataclass(slots=True)
class _Ready:
    """Evaluators of cases that have equal ones."""

    specs: tuple[EvaluatorSpec, ...]
    built: tuple[BuiltEvaluator, ...] | None = None
    """Ready for every case; None: not built yet, or a case decides an argument."""


def embeds(evaluators: Sequence[BuiltEvaluator]) -> bool:
    """Whether one of them needs the embedding model."""
    return any(built.embeds for built in evaluators)


class CaseReader:
    """Reads planned cases back from a journal, in any order. Used from one thread at a time."""

    def __init__(self, journal: Path, settings: EvaluatorSettings) -> None:
        self._lines = LineReader(journal)
        self._settings = settings
        self._last: tuple[int, PlannedCase] | None = None
        self._ready: dict[bytes, _Ready] = {}

    def at(self, position: int, number: int) -> PlannedCase:
        """The case whose line begins at a byte of the journal.

        Raises:
            StoreError: it cannot be read.
        """
        if self._last is None or self._last[0] != position:
            line = self._lines.fields_at(position)
            if line.type != "case":
                raise StoreError(f"The journal {self._lines.journal} holds no case at byte {position}.")
            self._last = (position, self._planned(line.fields, number))
        return self._last[1]

    def _planned(self, fields: Mapping[str, Any], number: int) -> PlannedCase:
        """A case of the journal, made ready to score.

        Raises:
            ProjectError: an evaluator is not known to this llmctl, or not as the journal uses it.
        """
        # Not through a CaseEvent: its fields are this llmctl's own, and checking them again takes half of the time.
        ready = self._ready_for(fields["evaluators"])
        case = Case(
            bank=fields["bank"],
            id=fields["case_id"],
            vars=fields["vars"],
            evaluators=ready.specs,
            expected=fields["expected"],
            has_expected=fields["has_expected"],
            tags=tuple(fields["tags"]),
            must_pass=fields["must_pass"],
            group=fields["group"],
            weight=fields["weight"],
            pass_score=fields["pass_score"],
        )
        built = ready.built
        if built is None:
            built = tuple(registry.build(spec, case, self._settings) for spec in case.evaluators)
            if not any(map(has_references, ready.specs)):
                ready.built = built  # whether the other cases fit, the plan has looked at
        return PlannedCase(case, built, number)

    def close(self) -> None:
        """Close the journal."""
        self._lines.close()

    def _ready_for(self, data: list[Mapping[str, Any]]) -> _Ready:
        """Cases with equal evaluators share them, so that each is built once."""
        key = to_json(data)
        ready = self._ready.get(key)
        if ready is None:
            if len(self._ready) >= _SPECS_KEPT:
                self._ready.clear()
            ready = self._ready[key] = _Ready(tuple(map(specification_of, data)))
        return ready
