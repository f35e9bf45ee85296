"""Evaluators made of evaluators: `not`, `any` and `all`.

A child that broke counts as unknown, as in three-valued logic (Kleene, 1938): it decides nothing, and where it alone
could decide, the combinator breaks too.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import Context, Evaluator, Score, Scored
from llmctl.evaluators.built import BuiltEvaluator, Judged, NothingToJudge, judge_all
from llmctl.outcome import Outcome

__all__ = ["All", "Any", "Combinator", "Not"]


@dataclass(frozen=True, slots=True)
class Combinator(Evaluator):
    """Judges by its children's judgements."""

    children: tuple[BuiltEvaluator, ...]

    def score(self, context: Context) -> Scored:
        """Judge by each child, at once where none of them waits for a model."""
        results = judge_all(self.children, context)
        return self.combine(results) if isinstance(results, list) else self._later(results)

    async def _later(self, results: Awaitable[list[Judged]]) -> Score:
        return self.combine(await results)

    @abstractmethod
    def combine(self, results: Sequence[Judged]) -> Score:
        """One score from the children's."""

    def needs_expected(self) -> bool:
        """When a child does."""
        return any(child.needs_expected for child in self.children)

    def embeds(self) -> bool:
        """When a child does."""
        return any(child.embeds for child in self.children)

    def asks(self) -> Sequence[str]:
        """What its children ask."""
        return tuple(dict.fromkeys(name for child in self.children for name in child.asks))

    def expected_problem(self, expected: object) -> str | None:
        """The first child's problem."""
        problems = (child.expected_problem(expected) for child in self.children)
        return next((problem for problem in problems if problem), None)

    def told(self, results: Sequence[Judged]) -> str:
        """What each child said, on one line each."""
        return "\n".join(
            f"- {child.metric} {_word(result)} {_indented(result.explanation)}"
            for child, result in zip(self.children, results, strict=True)
        )


def _word(result: Judged) -> str:
    if result.score is None:
        return "broke:"
    return "passes." if result.passed else "fails."


def _indented(explanation: str) -> str:
    return explanation.replace("\n", "\n  ")


def _broken(results: Sequence[Judged]) -> bool:
    return any(result.score is None for result in results)


@dataclass(frozen=True, slots=True)
class Not(Combinator):
    """Its one evaluator fails; the score is turned round. What broke, or had nothing to judge, is no pass."""

    name: ClassVar = "not"

    def score(self, context: Context) -> Scored:
        """Judge by the child; an empty answer, which lacks everything, is no pass."""
        if context.outcome is Outcome.EMPTY:
            return NothingToJudge(0.0, False, "The answer is empty: what it lacks says nothing for it.")
        return Combinator.score(self, context)  # super() does not work in a dataclass with slots

    def combine(self, results: Sequence[Judged]) -> Score:
        """Turn the judgement round."""
        result, child = results[0], self.children[0]
        if result.score is None:
            raise EvaluatorError(f"`{child.metric}` inside `not` broke: {result.explanation}")
        if result.missing:
            return NothingToJudge(0.0, False, result.explanation)
        passed = not result.passed
        word = "fails, as it should" if passed else "passes, and should not"
        return Score(1.0 - result.score.score, passed, f"`{child.metric}` {word}. {result.explanation}")


@dataclass(frozen=True, slots=True)
class Any(Combinator):
    """At least one of its evaluators passes, though another may break; the score is the best child's."""

    name: ClassVar = "any"

    def combine(self, results: Sequence[Judged]) -> Score:
        """Pass with one that passes."""
        told = self.told(results)
        best = max((result.score.score for result in results if result.score is not None), default=0.0)
        if any(result.passed for result in results):
            return Score(best, True, f"One of {len(results)} is enough:\n{told}")
        if _broken(results):
            raise EvaluatorError(f"none of {len(results)} passes, and not all could judge:\n{told}")
        kind = NothingToJudge if any(result.missing for result in results) else Score
        return kind(best, False, f"None of {len(results)} passes:\n{told}")


@dataclass(frozen=True, slots=True)
class All(Combinator):
    """Each of its evaluators passes; one that fails decides, though another breaks; the score is the worst child's."""

    name: ClassVar = "all"

    def combine(self, results: Sequence[Judged]) -> Score:
        """Pass with all that pass."""
        told = self.told(results)
        worst = min((result.score.score for result in results if result.score is not None), default=0.0)
        failed = [result for result in results if result.score is not None and not result.passed]
        if failed:
            # a real failure decides also inside `not`; one for lack of anything to judge does not
            kind = NothingToJudge if all(result.missing for result in failed) else Score
            return kind(
                worst, False, f"{len(failed)} of {len(results)} {'fails' if len(failed) == 1 else 'fail'}:\n{told}"
            )
        if _broken(results):
            raise EvaluatorError(f"not all of {len(results)} could judge:\n{told}")
        return Score(worst, True, f"All {len(results)} pass:\n{told}")
