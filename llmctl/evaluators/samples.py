"""Do the `good:` and `bad:` samples of an evaluator get the judgement that their author expects?"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from dataclasses import replace

from llmctl.errors import Problem, ProjectError
from llmctl.evaluators.built import BuiltEvaluator, Judged
from llmctl.evaluators.references import has_references
from llmctl.evaluators.registry import build
from llmctl.evaluators.verdict import Subject
from llmctl.evaluators.wording import quote
from llmctl.project.models import Case, EvaluatorSpec, SemanticSettings

__all__ = ["check_samples"]


def check_samples(spec: EvaluatorSpec, case: Case | None, semantic: SemanticSettings | None = None) -> list[Problem]:
    """The samples that are judged otherwise than their author says, without any call.

    Evaluators that ask a model are left out, those that need a case when there is none, and those that cannot be
    built: `build` says why.
    """
    if not (spec.good or spec.bad) or (case is None and has_references(spec)):
        return []
    try:
        built = build(spec, case, semantic or SemanticSettings())
    except ProjectError:
        return []
    if built.embeds or (case is None and built.needs_expected):
        return []
    subject = Subject(None)
    if case is not None:
        subject = Subject(None, expected=case.expected, has_expected=case.has_expected, vars=case.vars)
    return list(_problems(built, subject))


def _at_once(result: Judged | Awaitable[Judged]) -> Judged | None:
    """The judgement, or None where a plugin waits for something, and so for a call."""
    if isinstance(result, Judged):
        return result
    steps = result.__await__()
    try:
        next(steps)
    except StopIteration as done:
        judged: Judged = done.value
        return judged if judged.error is None else None  # it may have broken for want of an event loop
    except RuntimeError:  # the same, in a combinator
        return None
    return None


def _problems(built: BuiltEvaluator, subject: Subject) -> Iterator[Problem]:
    spec = built.spec
    for kind, samples in (("good", spec.good), ("bad", spec.bad)):
        for sample in samples:
            result = _at_once(built.judge(replace(subject, output=sample).context()))
            if result is None:
                return
            if result.score is None:
                message = f"`{spec.name}` cannot judge its sample {quote(sample, 80)}: {result.error}."
                yield Problem(message, spec.place)
            elif result.passed != (kind == "good"):
                word = "passes" if result.passed else "fails"
                message = f"The {kind} sample {quote(sample, 80)} of `{spec.name}` {word}. {result.explanation}"
                yield Problem(message, spec.place)
