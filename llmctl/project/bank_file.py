"""A test bank file: cases, the evaluators that score them, and the rules of its gate."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from llmctl.errors import Place, Problem, Severity
from llmctl.project.case_draft import CaseDraft, CaseKeysShape, CaseShape, case_id, case_of, draft_of, merge
from llmctl.project.evaluator_entry import EvaluatorEntries
from llmctl.project.gate_rules import GateShape, gate_rules
from llmctl.project.includes import IncludeShape, included_drafts
from llmctl.project.models import Bank, Case, EvaluatorSpec
from llmctl.project.references import NamedFile
from llmctl.project.shape_errors import check_parts, check_value
from llmctl.project.shapes import Fraction, Items, Maybe, Shape, Text, TextList
from llmctl.project.syntax.document import EMPTY, Document

__all__ = ["BankShape", "bank_of"]


class BankShape(Shape):
    """A bank: what is asked, and how the answers are scored. Cases and includes are checked one by one."""

    reserved: ClassVar[frozenset[str]] = frozenset({"context", "steps", "turns", "examples", "matrix", "target"})

    description: Maybe[Text] = None
    prompts: TextList = Field(default_factory=list)
    models: TextList = Field(default_factory=list)
    defaults: CaseKeysShape = Field(default_factory=CaseKeysShape)
    evaluators: Items = Field(default_factory=list)
    cases: Items = Field(default_factory=list)
    include: Items = Field(default_factory=list)
    gate: Maybe[GateShape] = None
    pass_score: Maybe[Fraction] = None


def bank_of(name: str, raw: bytes, entries: EvaluatorEntries) -> Bank | None:
    """The bank of the file that `entries` reads, or None with every mistake added to the problems of `entries`."""
    document, problems = entries.document, entries.problems
    problems.extend(document.problems)
    before = len(problems)
    shape = check_parts(BankShape, document, problems)
    if shape is None:
        return None
    whole = len(problems) == before
    shared = entries.read(shape.evaluators, ("evaluators",))
    cases = [case_of(draft, name, shared, shape.pass_score) for draft in _drafts(shape, entries)]
    problems.extend(_same_ids(cases, document))
    if whole and not entries.broken:  # else a case may lack no more than an evaluator that is reported
        problems.extend(_unscored(cases, shared, document))
    if not cases and not _has_errors(problems):
        hint = "Write some under `cases:`, or a table under `include:`."
        problems.append(document.problem((), "The bank has no cases.", hint))
    return None if _has_errors(problems) else _bank(shape, name, cases, raw, entries)


def _has_errors(problems: Iterable[Problem]) -> bool:
    return any(problem.severity is Severity.ERROR for problem in problems)


def _drafts(shape: BankShape, entries: EvaluatorEntries) -> Iterator[CaseDraft]:
    document, problems = entries.document, entries.problems
    defaults = draft_of(shape.defaults, ("defaults",), entries)
    for index, item in enumerate(shape.cases):
        path = ("cases", index)
        case = None if item is EMPTY else check_value(CaseShape, item, document, path, problems)
        if case is not None:
            yield merge(defaults, draft_of(case, path, entries))
    for index, item in enumerate(shape.include):
        path = ("include", index)
        include = None if item is EMPTY else check_value(IncludeShape, item, document, path, problems)
        if include is not None:
            yield from included_drafts(include, path, defaults, entries)


def _same_ids(cases: Iterable[Case], document: Document) -> Iterator[Problem]:
    first: dict[str, Case] = {}
    for case in cases:
        known = first.setdefault(case.id, case)
        if known is case or case.place is None:
            continue
        if case.id == case_id(case.vars):
            message = f"This case has the same variables as the one at {known.place}."
            hint = "Give one of them an `id`, or delete it; an include can say `duplicates: merge`."
        else:
            message, hint = f"The id `{case.id}` belongs to the case at {known.place} too.", "Change one of the two."
        yield Problem(message, case.place, hint, _excerpt(case.place, document))


def _unscored(cases: Iterable[Case], shared: tuple[EvaluatorSpec, ...], document: Document) -> Iterator[Problem]:
    """Cases that nothing can pass or fail: one problem for all that only have the bank's evaluators."""
    inheriting = []
    for case in cases:
        if any(spec.weight > 0 for spec in case.evaluators):
            continue
        if case.evaluators == shared:
            inheriting.append(case)
        else:
            yield _unscored_problem(case, f"The case `{case.id}` has", document)
    if inheriting:
        whose = f"The case `{inheriting[0].id}` has" if len(inheriting) == 1 else f"{len(inheriting)} cases have"
        yield _unscored_problem(inheriting[0], whose, document)


def _unscored_problem(case: Case, whose: str, document: Document) -> Problem:
    if case.evaluators:
        message, hint = f"{whose} only evaluators with `weight: 0`.", "Give one of them a weight."
    else:
        message, hint = f"{whose} no evaluator.", "Write one under `evaluators:`."
    return Problem(message, case.place, hint, _excerpt(case.place, document))


def _excerpt(place: Place | None, document: Document) -> str | None:
    return document.excerpt(place) if place and place.file == document.file else None


def _bank(shape: BankShape, name: str, cases: list[Case], raw: bytes, entries: EvaluatorEntries) -> Bank:
    companions = entries.companions
    return Bank(
        name=name,
        path=Path(companions.path),
        cases=tuple(cases),
        prompts=tuple(shape.prompts),
        models=tuple(shape.models),
        gate=gate_rules(shape.gate) if shape.gate else None,
        description=shape.description,
        digest=_digest(raw, companions.read),
        place=entries.document.place(),
    )


def _digest(raw: bytes, read: Iterable[NamedFile]) -> str:
    """SHA-256 over the bank's file and all files it names, line ends LF."""
    total = hashlib.sha256(raw.replace(b"\r\n", b"\n"))
    for file in read:
        total.update(b"\0" + str(file.path).encode() + b"\0" + file.data.replace(b"\r\n", b"\n"))
    return total.hexdigest()
