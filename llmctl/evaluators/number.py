"""The number in the output is the right one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from itertools import chain, islice
from typing import ClassVar, Literal

from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.numbers import (
    FoundNumber,
    Percent,
    closeness,
    exact_number,
    find_numbers,
    gap,
    percentage,
    same_number,
)
from llmctl.evaluators.texts import Texts, expected_texts, texts_problem
from llmctl.evaluators.wording import listed, quote

__all__ = ["Number"]

_SHOWN_OTHERS = 5
_HINT_CHARACTERS = 20_000
_KEPT_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Number(Evaluator):
    """The number in the output equals the accepted one, or one of several, within a tolerance."""

    name: ClassVar = "number"
    value_field: ClassVar = "value"
    reads: ClassVar = ("expected",)

    value: Texts | None = None
    """Accepted numbers; default: the case's `expected`."""
    tolerance: float = 0.0
    """The largest difference that passes."""
    relative: float = 0.0
    """The same as a share of the accepted number: 0.01 is one per cent. The larger of the two counts."""
    find: Literal["only", "first", "last", "any", "whole"] = "only"
    """Which number counts. `only`: all numbers in the output are the same one; `whole`: the output is a number."""
    decimal: Literal[".", ","] = "."
    """The decimal sign of output and expected answer; the other one groups thousands."""
    percent: Literal["skip", "share", "number"] = "skip"
    """A percentage is no number; or `12 %` is 0.12 (`share`) or 12 (`number`)."""
    graded: bool = False
    """The score is 1 - |difference| / (|found| + |accepted|), instead of 1 for a pass and 0."""
    limits: tuple[Decimal, Decimal] = field(init=False, repr=False, compare=False)
    wanted: tuple[Decimal, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for label, limit in (("tolerance", self.tolerance), ("relative", self.relative)):
            if not 0 <= limit < float("inf"):
                raise ValueError(f"needs a `{label}` of 0 or more")
        bad = next((text for text in self.value or () if self._exact(text) is None), None)
        if bad is not None:
            raise ValueError(f"compares with {quote(bad, 60)}, which is not a number{self._percent_note(bad)}")
        object.__setattr__(self, "limits", (Decimal(repr(self.tolerance)), Decimal(repr(self.relative))))
        object.__setattr__(self, "wanted", tuple(map(self._accepted, self.value or ())))

    def score(self, context: Context) -> Score:
        """Find the number and compare."""
        texts = expected_texts(self.value, context)
        wanted = self.wanted or tuple(map(self._accepted, texts))
        numbers = self._numbers(context.output)
        number = next(numbers, None)
        if number is None:
            what = "The output is no plain number" if self.find == "whole" else "There is no plain number in the output"
            output = context.output.strip()
            return Score(0.0, False, f"{what}: {quote(output)}.{self._percent_hint(output)}")
        if self.find == "only":
            others = list(islice((other for other in numbers if other.value != number.value), _SHOWN_OTHERS))
            if others:
                return Score(0.0, False, _several([number, *others]))
        elif self.find == "last":
            number = (deque(numbers, maxlen=1) or [number])[0]
        elif self.find == "any":
            number = next((one for one in chain((number,), numbers) if self._same(one, wanted)), number)
        return self._judged(number, wanted, texts, context.output)

    def _numbers(self, output: str) -> Iterator[FoundNumber]:
        found = find_numbers(output, self.decimal, Percent(self.percent))
        return found if self.find != "whole" or self._exact(output) is not None else iter(())

    def _same(self, number: FoundNumber, wanted: Sequence[Decimal]) -> bool:
        return any(same_number(number.value, accepted, *self.limits) for accepted in wanted)

    def _judged(self, number: FoundNumber, wanted: Sequence[Decimal], texts: Sequence[str], output: str) -> Score:
        passed = self._same(number, wanted)
        score = max(closeness(number.value, accepted) for accepted in wanted) if self.graded else float(passed)
        hint = "" if passed else self._percent_hint(output)
        return Score(score, passed, self._explain(number, wanted, texts, passed) + hint)

    def needs_expected(self) -> bool:
        """Without a value of its own."""
        return self.value is None

    def expected_problem(self, expected: object) -> str | None:
        """It must be a number, or a list of them."""
        if self.value is not None:
            return None
        problem = texts_problem(expected)
        if problem is not None:
            return problem
        texts = expected if isinstance(expected, list | tuple) else [expected]
        bad = next((str(text) for text in texts if self._exact(str(text)) is None), None)
        return None if bad is None else f"{quote(bad, 60)} is not a number{self._percent_note(bad)}"

    def _exact(self, text: str) -> Decimal | None:
        read = _exact if len(text) < _KEPT_CHARACTERS else exact_number
        return read(text, self.decimal, Percent(self.percent))

    def _accepted(self, text: str) -> Decimal:
        value = self._exact(text)
        if value is None:
            raise EvaluatorError(f"the expected answer {quote(text, 60)} is not a number")
        return value

    def _percent_hint(self, text: str) -> str:
        """What to write where a percentage was left out."""
        found = percentage(text[:_HINT_CHARACTERS], self.decimal) if self.percent == "skip" else None
        if found is None:
            return ""
        return f" A percentage, {quote(found, 40)}, is left out: `percent: number` or `percent: share` reads it."

    def _percent_note(self, text: str) -> str:
        found = self.percent == "skip" and percentage(text, self.decimal)
        return " (a percentage is one with `percent: number` or `percent: share`)" if found else ""

    def _explain(self, number: FoundNumber, wanted: Sequence[Decimal], texts: Sequence[str], passed: bool) -> str:
        said = f"The number in the output is {_shown(number)}"
        slack = self._slack()
        if passed:
            return f"{said}, accepted is {listed(texts)}{slack}."
        if len(wanted) > 1:
            return f"{said}, which is none of {listed(texts)}{slack}."
        off = gap(number.value, wanted[0])
        how_far = f"off by {off:+.10g}" if off.is_finite() and abs(off.adjusted()) < 100 else "far off"
        return f"{said}, not {texts[0]}: {how_far}{slack}."

    def _slack(self) -> str:
        parts = []
        if self.tolerance:
            parts.append(f"tolerance {self.tolerance:g}")
        if self.relative:
            parts.append(f"relative tolerance {self.relative:g}")
        return f" ({', '.join(parts)})" if parts else ""


_exact = lru_cache(maxsize=1024)(exact_number)
"""The same answers are expected again and again."""


def _shown(number: FoundNumber) -> str:
    plain = f"{number.value:f}" if abs(number.value.adjusted()) < 20 else f"{number.value:e}"
    text = quote(number.text, 60)
    return text if number.text == plain else f"{text}, read as {quote(plain, 60)[1:-1]}"


def _several(found: Sequence[FoundNumber]) -> str:
    texts = list(dict.fromkeys(number.text for number in found))
    return (
        f"The output holds several different numbers: {listed(texts)}. "
        "Say which one counts with `find: first`, `find: last` or `extract`."
    )
