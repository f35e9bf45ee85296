"""Do the `good:` and `bad:` samples of an evaluator get the judgement that their author expects?"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from dataclasses import dataclass, replace

from llmctl.errors import Problem, ProjectError
from llmctl.evaluators.base import Models
from llmctl.evaluators.built import BuiltEvaluator, Judged
from llmctl.evaluators.references import has_references
from llmctl.evaluators.registry import build
from llmctl.evaluators.verdict import NO_MODELS, Subject
from llmctl.evaluators.wording import quote
from llmctl.project.models import Case, EvaluatorSettings, EvaluatorSpec

__all__ = ["EvaluatorSamples", "Sample", "samples_of"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer, and what its author expects of the judgement."""

    text: str
    is_good: bool

    @property
    def told(self) -> str:
        """`good sample "Paris"`."""
        return f"{'good' if self.is_good else 'bad'} sample {quote(self.text, 80)}"


@dataclass(frozen=True, slots=True)
class EvaluatorSamples:
    """The samples of one evaluator, ready to be judged."""

    built: BuiltEvaluator
    subject: Subject
    """What of its case it may look at."""

    def __iter__(self) -> Iterator[Sample]:
        yield from (Sample(text, True) for text in self.built.spec.good)
        yield from (Sample(text, False) for text in self.built.spec.bad)

    def __len__(self) -> int:
        return len(self.built.spec.good) + len(self.built.spec.bad)

    @property
    def name(self) -> str:
        """The evaluator as the bank names it."""
        return self.built.spec.name

    def judge(self, sample: Sample, models: Models = NO_MODELS) -> Judged | Awaitable[Judged]:
        """Judge one of them."""
        return self.built.judge(replace(self.subject, output=sample.text).context(models))

    def problem(self, sample: Sample, judged: Judged) -> Problem | None:
        """A judgement otherwise than its author says; None where it is as it should be, or there is none."""
        if judged.score is None or judged.passed == sample.is_good:
            return None
        word = "passes" if judged.passed else "fails"
        message = f"The {sample.told} of `{self.name}` {word}. {judged.explanation}"
        return Problem(message, self.built.spec.place)

    def problems_at_once(self) -> list[Problem] | None:
        """What is wrong with them, without any call; None where one waits for a model, or for code of the project."""
        if self.built.embeds or self.built.asks or self.built.runs_code:
            return None
        problems = []
        for sample in self:
            judged = _at_once(self.judge(sample))
            if judged is None:
                return None
            problem = self.problem(sample, judged)
            if judged.score is None:
                message = f"`{self.name}` cannot judge its {sample.told}: {(judged.error or '').rstrip('.')}."
                problem = Problem(message, self.built.spec.place)
            problems += [problem] if problem else []
        return problems


def samples_of(
    spec: EvaluatorSpec, case: Case | None, settings: EvaluatorSettings | None = None
) -> EvaluatorSamples | None:
    """The samples of an evaluator; None where it has none, needs a case and there is none, or cannot be built.

    Why it cannot be built is for `build` to say.
    """
    if not (spec.good or spec.bad) or (case is None and has_references(spec)):
        return None
    try:
        built = build(spec, case, settings or EvaluatorSettings())
    except ProjectError:
        return None
    if case is None and built.needs_expected:
        return None
    subject = Subject(None)
    if case is not None:
        subject = Subject(None, expected=case.expected, has_expected=case.has_expected, vars=case.vars)
    return EvaluatorSamples(built, subject)


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
