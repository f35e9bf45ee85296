"""An evaluator made ready for cases: its arguments checked, `extract` and `against` in place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

from llmctl.errors import EvaluatorError, Problem
from llmctl.evaluators.base import Context, Evaluator, KeptBackError, Score
from llmctl.evaluators.extract import Extractor
from llmctl.evaluators.wording import shorten
from llmctl.project.models import EvaluatorSpec

__all__ = ["BuiltEvaluator", "Judged", "NothingToJudge", "judge_all"]


_ALL = tuple(field.name for field in fields(Context) if field.name not in ("has_expected", "cached", "embed", "ask"))
"""What an evaluator may read that does not say: a plugin's."""


class NothingToJudge(Score):
    """A failing score that stays one inside `not`: what should have been judged is not there."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one evaluator on one output: a score, or the reason that there is none."""

    score: Score | None
    error: str | None = None
    """Why the evaluator broke; None where it has a score."""
    extracted: str | None = None
    """What `extract` found, where there is one."""
    missing: bool = False
    """There was nothing to judge (`extract` found nothing): it fails, and `not` does not turn that into a pass."""

    @property
    def passed(self) -> bool:
        """Whether there is a score that passes."""
        return self.score is not None and self.score.passed

    @property
    def explanation(self) -> str:
        """The score's explanation, or the error."""
        return self.score.explanation if self.score is not None else self.error or ""


@dataclass(frozen=True, slots=True)
class BuiltEvaluator:
    """One evaluator, ready to judge any output of the cases it was built for."""

    evaluator: Evaluator
    spec: EvaluatorSpec
    metric: str
    weight: float
    extract: Extractor | None = None
    against: object = None
    """Stands in for the expected answer, references resolved."""
    has_against: bool = False
    key: str = ""
    """Digest of everything but the case and the output that decides the score."""
    warnings: tuple[Problem, ...] = ()
    """What is odd but allowed: an unknown keyword in a schema."""

    needs_expected: bool = field(init=False)
    """Whether a case without `expected` is an error."""
    reads: tuple[str, ...] = field(init=False)
    """The fields of the context that decide the score, beside the output."""
    asks: tuple[str, ...] = field(init=False)
    """The models that are asked."""
    waits: bool = field(init=False)
    """Whether it may wait for a model, for code of the project or for whatever a plugin does; else it is at once."""
    case_checks: tuple[Callable[[Mapping[str, object]], str | None], ...] = field(init=False)
    """Each says what the variables of a case lack, before any call; None where they lack nothing."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "needs_expected", not self.has_against and self.evaluator.needs_expected())
        object.__setattr__(self, "reads", _reads(self.evaluator, self.has_against))
        object.__setattr__(self, "asks", tuple(self.evaluator.asks()))
        object.__setattr__(self, "waits", self.embeds or bool(self.asks) or any(map(_may_wait, self.leaves)))
        object.__setattr__(self, "case_checks", _case_checks(self.evaluator))

    @property
    def embeds(self) -> bool:
        """Whether the embedding model must be at hand."""
        return self.evaluator.embeds()

    @property
    def runs_code(self) -> bool:
        """Whether code of the project judges."""
        return any(leaf.evaluator.runs_code for leaf in self.leaves)

    @property
    def wants_refusal(self) -> bool:
        """Whether it may pass where the provider refused: then such an answer is judged, no failure by itself."""
        children: tuple[BuiltEvaluator, ...] = getattr(self.evaluator, "children", ())
        if children:
            return self.spec.name != "not" and any(child.wants_refusal for child in children)
        return bool(getattr(self.evaluator, "wants_refusal", False))

    @property
    def leaves(self) -> Iterator[BuiltEvaluator]:
        """The evaluators that look at the output: this one, or those inside it."""
        children: tuple[BuiltEvaluator, ...] = getattr(self.evaluator, "children", ())
        if not children:
            yield self
        for child in children:
            yield from child.leaves

    def expected_problem(self, expected: object) -> str | None:
        """Why the case's expected answer is of no use here, found before any call; None when it is not looked at.

        An evaluator says so by a method of the same name and shape; it may do without.
        """
        check: Callable[[object], str | None] | None = getattr(self.evaluator, "expected_problem", None)
        return None if self.has_against or check is None else check(expected)

    def judge(self, context: Context) -> Judged | Awaitable[Judged]:
        """Judge an output. Whatever the evaluator raises becomes a `Judged` with an error.

        Cancellation passes, and so does a question that was kept back.
        """
        extracted = None
        if self.has_against:
            context = replace(context, expected=self.against, has_expected=True)
        try:
            if self.extract is not None:
                extraction = self.extract.find(context.output)
                if extraction.text is None:
                    return Judged(NothingToJudge(0.0, False, extraction.problem), missing=True)
                extracted = extraction.text
                context = replace(context, output=extracted)
            scored = self.evaluator.score(context)
        except Exception as error:  # a broken evaluator is a row without a verdict, never a crash
            return Judged(None, _said(error), extracted)
        if isinstance(scored, Score):
            return _judged(scored, extracted)
        return self._later(scored, extracted)

    async def _later(self, scored: Awaitable[Score], extracted: str | None) -> Judged:
        try:
            return _judged(await scored, extracted)
        except KeptBackError:
            raise
        except Exception as error:
            return Judged(None, _said(error), extracted)


def _may_wait(leaf: BuiltEvaluator) -> bool:
    evaluator = leaf.evaluator
    return evaluator.runs_code or not type(evaluator).__module__.startswith(f"{__package__}.")


def _reads(evaluator: Evaluator, has_against: bool) -> tuple[str, ...]:
    children: tuple[BuiltEvaluator, ...] = getattr(evaluator, "children", ())
    own = ("outcome",) if children else tuple(getattr(evaluator, "reads", _ALL))
    names = {*own, *(name for child in children for name in child.reads)}
    return tuple(sorted(names - {"expected"} if has_against else names))


def _case_checks(evaluator: Evaluator) -> tuple[Callable[[Mapping[str, object]], str | None], ...]:
    """An evaluator has such a check as its method `case_problem`; it may do without."""
    children: tuple[BuiltEvaluator, ...] = getattr(evaluator, "children", ())
    own = getattr(evaluator, "case_problem", None)
    return (*([own] if own else []), *(check for child in children for check in child.case_checks))


def _judged(score: object, extracted: str | None) -> Judged:
    if not isinstance(score, Score):
        return Judged(None, f"it returned {type(score).__name__}, not a Score", extracted)
    return Judged(score, extracted=extracted, missing=isinstance(score, NothingToJudge))


def _said(error: Exception) -> str:
    said = str(error) if isinstance(error, EvaluatorError) else f"{type(error).__name__}: {error}"
    return shorten(said, 1000)


def judge_all(built: Sequence[BuiltEvaluator], context: Context) -> list[Judged] | Awaitable[list[Judged]]:
    """Judge one output by several evaluators, at once where none of them waits for a model."""
    results: list[Judged | Awaitable[Judged]] = []
    done: list[Judged] = []
    for one in built:
        result = one.judge(context)
        results.append(result)
        if isinstance(result, Judged):
            done.append(result)
    return done if len(done) == len(results) else _gather(results)


async def _gather(results: Sequence[Judged | Awaitable[Judged]]) -> list[Judged]:
    import asyncio

    waiting = (result for result in results if not isinstance(result, Judged))
    # All are waited for: what one of them has been answered is kept, though another one was kept back.
    waited = await asyncio.gather(*waiting, return_exceptions=True)
    done = []
    for one in waited:
        if isinstance(one, BaseException):
            raise one
        done.append(one)
    following = iter(done)
    return [result if isinstance(result, Judged) else next(following) for result in results]
