"""A test bank file: cases, the evaluators that score them, and the rules of its gate."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from llmctl.canonical import digest
from llmctl.errors import Place, Problem
from llmctl.project.case_checks import CaseIds, Unscored
from llmctl.project.case_draft import CaseDraft, CaseKeysShape, CaseShape, case_of, draft_of, merge
from llmctl.project.case_stream import CaseStream
from llmctl.project.evaluator_entry import EvaluatorEntries
from llmctl.project.gate_rules import GateShape, gate_rules
from llmctl.project.includes import Include, IncludeShape, include_of
from llmctl.project.models import Bank
from llmctl.project.problem_list import has_errors
from llmctl.project.references import ReadFile, text_digest
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
    """The bank of the file that `entries` reads, or None with every mistake added to the problems of `entries`.

    Mistakes in the tables of a sound bank are found when its cases are read.
    """
    document, problems = entries.document, entries.problems
    problems.extend(document.problems)
    before = len(problems)
    shape = check_parts(BankShape, document, problems)
    if shape is None:
        return None
    whole = len(problems) == before
    stream = _stream(name, shape, entries, whole=whole)
    problems.extend(_same_ids(stream, document))
    if stream.sound:
        problems.extend(_unscored(stream, document))
    if has_errors(problems):
        # Nobody will read the cases to hear what else is wrong.
        deque(replace(stream, no_cases=None)(problems), maxlen=0)
        return None
    return _bank(shape, stream, raw, entries)


def _stream(name: str, shape: BankShape, entries: EvaluatorEntries, *, whole: bool) -> CaseStream:
    companions = entries.companions
    shared = entries.read(shape.evaluators, ("evaluators",))
    defaults = draft_of(shape.defaults, ("defaults",), entries)
    inline = tuple(case_of(draft, name, shared, shape.pass_score) for draft in _inline(shape, defaults, entries))
    includes = tuple(_includes(shape, defaults, entries))
    hint = "Write some under `cases:`, or a table under `include:`."
    return CaseStream(
        bank=name,
        file=entries.document.file,
        inline=inline,
        includes=includes,
        shared=shared,
        pass_score=shape.pass_score,
        source=companions.source,
        names=entries.names,
        no_cases=entries.document.problem((), "The bank has no cases.", hint),
        sound=whole and not entries.broken,
    )


def _inline(shape: BankShape, defaults: CaseDraft, entries: EvaluatorEntries) -> Iterator[CaseDraft]:
    for index, item in enumerate(shape.cases):
        path = ("cases", index)
        case = None if item is EMPTY else check_value(CaseShape, item, entries.document, path, entries.problems)
        if case is not None:
            yield merge(defaults, draft_of(case, path, entries))


def _includes(shape: BankShape, defaults: CaseDraft, entries: EvaluatorEntries) -> Iterator[Include]:
    for index, item in enumerate(shape.include):
        path = ("include", index)
        one = None if item is EMPTY else check_value(IncludeShape, item, entries.document, path, entries.problems)
        include = None if one is None else include_of(one, path, defaults, entries)
        if include is not None:
            yield include


def _same_ids(stream: CaseStream, document: Document) -> Iterator[Problem]:
    ids = CaseIds(len(stream.inline))
    for case in stream.inline:
        ids.add(case)
    return ids.problems(lambda: stream.inline, partial(_excerpt, document))


def _unscored(stream: CaseStream, document: Document) -> Iterator[Problem]:
    unscored = Unscored(stream.shared, len(stream.inline), partial(_excerpt, document))
    for case in stream.inline:
        unscored.add(case)
    return unscored.problems()


def _excerpt(document: Document, place: Place | None) -> str | None:
    return document.excerpt(place) if place else None


def _bank(shape: BankShape, stream: CaseStream, raw: bytes, entries: EvaluatorEntries) -> Bank:
    companions = entries.companions
    return Bank(
        name=stream.bank,
        path=Path(companions.path),
        reader=stream,
        prompts=tuple(shape.prompts),
        models=tuple(shape.models),
        evaluators=stream.shared,
        pass_score=shape.pass_score,
        gate=gate_rules(shape.gate, entries.document, ("gate",)) if shape.gate else None,
        description=shape.description,
        digest=_digest(raw, companions.read),
        place=entries.document.place(),
    )


def _digest(raw: bytes, read: Iterable[ReadFile]) -> str:
    """SHA-256 over the bank's file and the files it names. What a row names is in the digest of the row's case."""
    return digest(text_digest(io.BytesIO(raw)), [(str(file.path), file.digest) for file in read])
