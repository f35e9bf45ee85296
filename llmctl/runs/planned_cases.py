"""Planned cases to journal lines and back, evaluators made ready again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llmctl.canonical import digest, to_json
from llmctl.errors import StoreError
from llmctl.evaluators import registry
from llmctl.evaluators.built import BuiltEvaluator
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
    evaluators = tuple(specification(built.spec) for built in planned.evaluators)
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


def embeds(evaluators: Sequence[BuiltEvaluator]) -> bool:
    """Whether one of them needs the embedding model."""
    return any(built.embeds for built in evaluators)


class CaseReader:
    """Reads planned cases back from a journal, in any order. Used from one thread at a time."""

    def __init__(self, journal: Path, settings: EvaluatorSettings) -> None:
        self._lines = LineReader(journal)
        self._settings = settings
        self._last: tuple[int, PlannedCase] | None = None
        self._specs: dict[bytes, tuple[EvaluatorSpec, ...]] = {}

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
        case = Case(
            bank=fields["bank"],
            id=fields["case_id"],
            vars=fields["vars"],
            evaluators=self._specs_of(fields["evaluators"]),
            expected=fields["expected"],
            has_expected=fields["has_expected"],
            tags=tuple(fields["tags"]),
            must_pass=fields["must_pass"],
            group=fields["group"],
            weight=fields["weight"],
            pass_score=fields["pass_score"],
        )
        built = [registry.build(spec, case, self._settings) for spec in case.evaluators]
        return PlannedCase(case, tuple(built), number)

    def close(self) -> None:
        """Close the journal."""
        self._lines.close()

    def _specs_of(self, data: list[Mapping[str, Any]]) -> tuple[EvaluatorSpec, ...]:
        """Cases with equal evaluators share the specs, so that each evaluator is built once."""
        key = to_json(data)
        specs = self._specs.get(key)
        if specs is None:
            if len(self._specs) >= _SPECS_KEPT:
                self._specs.clear()
            specs = self._specs[key] = tuple(map(specification_of, data))
        return specs
