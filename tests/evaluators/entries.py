"""Evaluator entries as banks write them, read without the project's loader: only the shapes that tests use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmctl.errors import Place, Problem
from llmctl.evaluators.base import Ask, Question, Reply, Vector
from llmctl.evaluators.samples import samples_of
from llmctl.outcome import Outcome
from llmctl.project.models import Case, CaseReference, EvaluatorSettings, EvaluatorSpec

__all__ = ["PLACE", "SETTINGS", "answering", "case_of", "embed_words", "spec_of", "wrong_samples"]

SETTINGS = EvaluatorSettings(allow_code=True, root=Path(__file__).parent / "project")
"""A project whose code may run."""
PLACE = Place(Path("testbanks/t.yaml"), 1, 1)
_COMMON = {"weight", "metric", "extract", "against", "good", "bad"}
_COMBINATORS = {"not", "any", "all"}


def spec_of(entry: Any) -> EvaluatorSpec:
    """`exact`, or `{exact: {ignore_case: true}, extract: /queue}`."""
    entry = {entry: None} if isinstance(entry, str) else dict(entry)
    common = {key: entry.pop(key) for key in _COMMON & set(entry)}
    [(name, args)] = entry.items()
    children: tuple[EvaluatorSpec, ...] = ()
    if name in _COMBINATORS:
        children = tuple(spec_of(child) for child in ([args] if name == "not" else args))
        args = None
    args = _references(args)
    return EvaluatorSpec(
        name,
        args,
        weight=common.get("weight", 1.0),
        metric=common.get("metric"),
        extract=common.get("extract"),
        against=_references(common.get("against")),
        has_against="against" in common,
        good=tuple(common.get("good", ())),
        bad=tuple(common.get("bad", ())),
        children=children,
        place=PLACE,
        arg_places=_places(args),
    )


def case_of(data: Mapping[str, Any], evaluators: tuple[EvaluatorSpec, ...] = ()) -> Case:
    """A case with `vars` and `expected`, where `data` has them."""
    return Case(
        bank="t",
        id=str(data.get("id", "c1")),
        vars=data.get("vars", {}),
        evaluators=evaluators,
        expected=data.get("expected"),
        has_expected="expected" in data,
        pass_score=data.get("pass_score"),
        place=Place(Path("testbanks/t.yaml"), 99, 1),
    )


def wrong_samples(spec: EvaluatorSpec, case: Case | None, settings: EvaluatorSettings | None = None) -> list[Problem]:
    """What `validate` says of an evaluator's samples without any call."""
    samples = samples_of(spec, case, settings)
    return (samples.problems_at_once() if samples else None) or []


def _references(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"from"}:
            return CaseReference(tuple(value["from"].replace("/", ".").split(".")))
        return {key: _references(inner) for key, inner in value.items()}
    return [_references(inner) for inner in value] if isinstance(value, list) else value


def _places(args: Any) -> dict[tuple[str | int, ...], Place]:
    """Line 10 for the first argument, 11 for the second ..."""
    if not isinstance(args, dict):
        return {}
    return {(key,): Place(Path("testbanks/t.yaml"), 10 + index, 3) for index, key in enumerate(args)}


async def embed_words(texts: Any) -> list[Vector]:
    """Unit vectors that count words: texts are as similar as the words they share."""
    return [_words(text) for text in texts]


def _words(text: str) -> list[float]:
    counts = [0.0] * 64
    for word in text.casefold().replace(".", " ").split():
        counts[sum(word.encode("utf-8", "replace")) % 64] += 1.0
    size = sum(count * count for count in counts) ** 0.5
    return [count / size for count in counts] if size else counts


def answering(replies: Any) -> Ask | None:
    """A judge that says one text always, or those of a list in turn; `{timeout: why}` is no answer."""
    if replies is None:
        return None
    turns = iter(replies) if isinstance(replies, list) else None

    async def ask(question: Question) -> Reply:
        said = next(turns) if turns is not None else replies
        if isinstance(said, dict) and set(said) <= {outcome.value for outcome in Outcome}:
            [(outcome, text)] = said.items()
            return Reply(Outcome(outcome), str(text), str(text))
        return Reply(Outcome.ANSWERED, said if isinstance(said, str) else json.dumps(said))

    return ask
