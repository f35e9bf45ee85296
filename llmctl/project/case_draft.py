"""A case while it is put together: what its file says, over what the bank says for every case."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from typing import Any, ClassVar

from llmctl.canonical import digest, written
from llmctl.errors import Place
from llmctl.project.evaluator_entry import EvaluatorEntries
from llmctl.project.models import Case, EvaluatorSpec
from llmctl.project.shapes import (
    Fraction,
    Items,
    Mapping,
    Maybe,
    Name,
    Shape,
    TextList,
    Truth,
    given,
    reference_to_file,
)

__all__ = [
    "SCALARS",
    "CaseDraft",
    "CaseKeysShape",
    "CaseShape",
    "as_expected",
    "case_id",
    "case_of",
    "content_digest",
    "draft_of",
    "merge",
]

SCALARS = (str, int, float)
"""What is text as its author wrote it. (A union made anew for every cell would take longer than the check.)"""


class CaseKeysShape(Shape):
    """What may stand in a case, in `defaults:` and in an include's `set:`."""

    reserved: ClassVar[frozenset[str]] = frozenset({"context", "steps", "turns", "examples", "matrix"})

    vars: Maybe[Mapping] = None
    expected: Any = None
    tags: Maybe[TextList] = None
    must_pass: Maybe[Truth] = None
    group: Maybe[Name] = None
    inherit: Maybe[Truth] = None
    evaluators: Maybe[Items] = None
    pass_score: Maybe[Fraction] = None


class CaseShape(CaseKeysShape):
    """One case."""

    id: Maybe[Name] = None


@dataclass(frozen=True, slots=True)
class CaseDraft:
    """A case, or a part of one; None is a key that nobody has written."""

    id: str | None = None
    vars: MappingType[str, object] = field(default_factory=dict)
    expected: object = None
    has_expected: bool = False
    tags: tuple[str, ...] = ()
    must_pass: bool | None = None
    group: str | None = None
    inherit: bool | None = None
    evaluators: tuple[EvaluatorSpec, ...] | None = None
    pass_score: float | None = None
    weight: int = 1
    place: Place | None = None


def draft_of(shape: CaseKeysShape, path: tuple[str | int, ...], entries: EvaluatorEntries) -> CaseDraft:
    """The draft of a case that stands at `path` of the file that `entries` reads."""
    return CaseDraft(
        id=shape.id if isinstance(shape, CaseShape) else None,
        vars={name: _variable(value, (*path, "vars", name), entries) for name, value in (shape.vars or {}).items()},
        expected=_expected(shape.expected, (*path, "expected"), entries),
        has_expected=given(shape, "expected"),
        tags=tuple(shape.tags or ()),
        must_pass=shape.must_pass,
        group=shape.group,
        inherit=shape.inherit,
        evaluators=None if shape.evaluators is None else entries.read(shape.evaluators, (*path, "evaluators")),
        pass_score=shape.pass_score,
        place=entries.document.place(path),
    )


def _variable(value: object, path: tuple[str | int, ...], entries: EvaluatorEntries) -> object:
    if reference_to_file(value):
        return entries.companions.text(written(value["file"]), (*path, "file"))
    return value


def _expected(value: object, path: tuple[str | int, ...], entries: EvaluatorEntries) -> object:
    if reference_to_file(value):
        return as_expected(entries.companions.value(written(value["file"]), (*path, "file")))
    return as_expected(value)


def as_expected(value: object) -> object:
    """An expected answer: a scalar is the text as written; null, lists and mappings stay."""
    return written(value) if isinstance(value, SCALARS) else value


def merge(base: CaseDraft, own: CaseDraft) -> CaseDraft:
    """`own` over `base`: variables key by key, tags joined, of everything else the case's own value."""
    # Not `dataclasses.replace`, which takes twice as long: this runs for every row.
    return CaseDraft(
        id=own.id,
        vars={**base.vars, **own.vars} if base.vars else own.vars,
        expected=own.expected if own.has_expected else base.expected,
        has_expected=own.has_expected or base.has_expected,
        tags=tuple(dict.fromkeys((*base.tags, *own.tags))) if base.tags or len(own.tags) > 1 else own.tags,
        must_pass=base.must_pass if own.must_pass is None else own.must_pass,
        group=base.group if own.group is None else own.group,
        inherit=base.inherit if own.inherit is None else own.inherit,
        evaluators=base.evaluators if own.evaluators is None else own.evaluators,
        pass_score=base.pass_score if own.pass_score is None else own.pass_score,
        weight=own.weight,
        place=own.place,
    )


def case_of(draft: CaseDraft, bank: str, shared: tuple[EvaluatorSpec, ...], pass_score: float | None) -> Case:
    """The finished case: `shared` are the bank's evaluators, `pass_score` is the bank's."""
    own = draft.evaluators or ()
    inherited = shared if draft.inherit is not False else ()
    return Case(
        bank=bank,
        id=draft.id or case_id(draft.vars),
        vars=draft.vars,
        evaluators=inherited + own if own else inherited,
        expected=draft.expected,
        has_expected=draft.has_expected,
        tags=draft.tags,
        must_pass=draft.must_pass or False,
        group=draft.group,
        weight=draft.weight,
        pass_score=pass_score if draft.pass_score is None else draft.pass_score,
        place=draft.place,
    )


def case_id(variables: MappingType[str, object]) -> str:
    """The id of a case that has none: the same whether its values come from YAML, JSON or a spreadsheet.

    16 digits: with 10 of them, two of 100,000 different cases have the same id in one bank of 200.
    """
    return digest(as_text(variables))[:16]


def content_digest(draft: CaseDraft) -> str:
    """Equal for two cases with the same variables and expected answer."""
    return digest(as_text(draft.vars), draft.has_expected, as_text(draft.expected))


def as_text(value: object) -> object:
    """A value with every scalar in it as its author wrote it."""
    if isinstance(value, dict):
        return {key: as_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_text(item) for item in value]
    return written(value)
