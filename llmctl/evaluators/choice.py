"""The answer to a multiple-choice question is the right one."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar

from llmctl.canonical import written
from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.choices import Labels, labels_of
from llmctl.evaluators.findings import ArgumentError, Finding
from llmctl.evaluators.patterns import Pattern, compile_pattern
from llmctl.evaluators.texts import Texts, expected_texts, texts_problem
from llmctl.evaluators.wording import quote, quote_pattern

__all__ = ["Choice"]

# as much as possible before it: one search finds the last one
_ANSWER = r"(?is)^.*\banswers?(?:\s+is)?[\s*_]*[:：][\s*_]*"  # noqa: RUF001 - the full-width colon


@dataclass(frozen=True, slots=True)
class Choice(Evaluator):
    """The choice behind the output's last `ANSWER:`, or that is the whole output, is the right one."""

    name: ClassVar = "choice"
    value_field: ClassVar = "value"
    reads: ClassVar = ("expected",)

    value: Texts | None = None
    """The right label (`B`), several that are all right (`A,C`), a choice's text, or `none`; default: `expected`."""
    choices: Texts | None = None
    """The labels (`ABCD`), or the texts of the choices, which are then called A, B, C. Default: any letter."""
    pattern: str | None = None
    """An RE2 pattern whose group 1 holds the answer, instead of `ANSWER:`; its last match counts."""
    labels: Labels = field(init=False, repr=False, compare=False)
    compiled: Pattern = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", labels_of(self.choices))
        object.__setattr__(self, "compiled", _compiled(self.pattern))
        bad = None if self.value is None else self._problem(self.value)
        if bad:
            raise ArgumentError([Finding(f"the right answer {bad}", ("value",))])

    def score(self, context: Context) -> Score:
        """Read the answer and compare."""
        right = self._right(expected_texts(self.value, context))
        marked = self._marked(context.output)
        if marked is None and self.pattern:
            return Score(
                0.0, False, f"The pattern {quote_pattern(self.pattern)} matches nowhere in {quote(context.output)}."
            )
        chosen = self._chosen(context.output, marked, several=len(right) > 1)
        if chosen is None:
            return Score(0.0, False, _unread(context.output, marked))
        passed = chosen == right
        said = f"The answer is {self._told(chosen)}"
        return Score(float(passed), passed, f"{said}, as accepted." if passed else f"{said}, not {self._told(right)}.")

    def needs_expected(self) -> bool:
        """Without a value of its own."""
        return self.value is None

    def expected_problem(self, expected: object) -> str | None:
        """It must name choices that there are."""
        if self.value is not None:
            return None
        problem = texts_problem(expected)
        return problem or self._problem(expected if isinstance(expected, list | tuple) else [expected])

    def reads_labels(self) -> bool:
        """Always: a choice is one."""
        return True

    def accepted_labels(self, texts: Sequence[str]) -> tuple[str, ...]:
        """One label: `B`, `A,C` where both are right, `none`."""
        return (_label(self._right(texts)),)

    def label_of(self, output: str, accepted: tuple[str, ...]) -> str | None:
        """What is chosen, in the same way; None where nothing can be read."""
        if not output.strip():
            return ""
        marked = self._marked(output)
        if marked is None and self.pattern:
            return None
        chosen = self._chosen(output, marked, several="," in accepted[0])
        return None if chosen is None else _label(chosen)

    def _chosen(self, output: str, marked: str | None, *, several: bool) -> frozenset[str] | None:
        if marked is None:
            return self.labels.alone(output, several=several)
        return self.labels.named(marked, several=several)

    def _marked(self, output: str) -> str | None:
        """What stands behind the last mark, or in the last match of the pattern."""
        if self.pattern is None:
            found = self.compiled.search(output)
            return None if found is None else output[len(found.text) :].partition("\n")[0]
        matches = deque(self.compiled.matches(output, (1,)), maxlen=1)
        return matches[0].captured[0] or "" if matches else None

    def _problem(self, right: Sequence[object]) -> str | None:
        bad = next((text for text in map(written, right) if self.labels.alone(text) is None), None)
        return None if bad is None else f"{quote(bad, 60)} is none of the choices: {self._all()}"

    def _right(self, texts: Sequence[str]) -> frozenset[str]:
        found = _right(self.labels, tuple(texts))
        if found is None:
            raise EvaluatorError("the expected answer is none of the choices")
        return found

    def _told(self, chosen: frozenset[str]) -> str:
        texts = dict(zip(self.labels.labels, self.labels.texts, strict=False))
        told = [f"{label} ({quote(texts[label], 60)})" if label in texts else label for label in sorted(chosen)]
        return ", ".join(told) or "none of them"

    def _all(self) -> str:
        return "any letter" if self.choices is None else self._told(frozenset(self.labels.labels))


def _label(chosen: frozenset[str]) -> str:
    return ",".join(sorted(chosen)) or "none"


@lru_cache(maxsize=1024)
def _right(labels: Labels, texts: tuple[str, ...]) -> frozenset[str] | None:
    """The choices that several texts name together; None where one of them names none."""
    found = [labels.alone(text) for text in texts]
    return None if None in found else frozenset().union(*(named for named in found if named is not None))


def _unread(output: str, marked: str | None) -> str:
    if marked is not None:
        return f"Behind the last answer mark stands {quote(marked, 80)}, which names none of the choices."
    return f"There is no `ANSWER:` in the output, and all of it is no choice: {quote(output.strip())}."


def _compiled(source: str | None) -> Pattern:
    if source is None:
        return compile_pattern(_ANSWER)
    try:
        pattern = compile_pattern(source)
    except ValueError as error:
        raise ArgumentError([Finding(f"the pattern {quote_pattern(source)} {error}", ("pattern",))]) from None
    if not pattern.groups:
        message = f"the pattern {quote_pattern(source)} has no group, and the answer is read from group 1"
        raise ArgumentError([Finding(message, ("pattern",), "Put what holds the answer in parentheses.")])
    return pattern
