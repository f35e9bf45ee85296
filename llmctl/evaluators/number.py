"""The number in the output is the right one."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import ClassVar, Literal

from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.numbers import FoundNumber, exact_number, find_numbers, gap, same_number
from llmctl.evaluators.texts import Texts, expected_texts, texts_problem
from llmctl.evaluators.wording import listed, quote

__all__ = ["Number"]

_SHOWN_OTHERS = 5


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
    find: Literal["only", "first", "last"] = "only"
    """Which number counts. `only`: all numbers in the output must be the same one."""
    decimal: Literal[".", ","] = "."
    """The decimal sign of output and expected answer; the other one groups thousands."""
    limits: tuple[Decimal, Decimal] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for label, limit in (("tolerance", self.tolerance), ("relative", self.relative)):
            if not 0 <= limit < float("inf"):
                raise ValueError(f"needs a `{label}` of 0 or more")
        bad = next((text for text in self.value or () if exact_number(text, self.decimal) is None), None)
        if bad is not None:
            raise ValueError(f"compares with {quote(bad, 60)}, which is not a number")
        object.__setattr__(self, "limits", (Decimal(repr(self.tolerance)), Decimal(repr(self.relative))))

    def score(self, context: Context) -> Score:
        """Find the number and compare."""
        wanted = expected_texts(self.value, context)
        found = find_numbers(context.output, self.decimal)
        number = next(found, None)
        if number is None:
            return Score(0.0, False, f"There is no plain number in the output {quote(context.output.strip())}.")
        if self.find == "only":
            others = list(islice((other for other in found if other.value != number.value), _SHOWN_OTHERS))
            if others:
                return Score(0.0, False, _several([number, *others]))
        elif self.find == "last":
            number = (deque(found, maxlen=1) or [number])[0]
        passed = any(same_number(number.value, self._accepted(text), *self.limits) for text in wanted)
        return Score(float(passed), passed, self._explain(number, wanted, passed))

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
        bad = next((str(text) for text in texts if exact_number(str(text), self.decimal) is None), None)
        return None if bad is None else f"{quote(bad, 60)} is not a number"

    def _accepted(self, text: str) -> Decimal:
        value = exact_number(text, self.decimal)
        if value is None:
            raise EvaluatorError(f"the expected answer {quote(text, 60)} is not a number")
        return value

    def _explain(self, number: FoundNumber, wanted: Sequence[str], passed: bool) -> str:
        said = f"The number in the output is {_shown(number)}"
        slack = self._slack()
        if passed:
            return f"{said}, accepted is {listed(wanted)}{slack}."
        if len(wanted) > 1:
            return f"{said}, which is none of {listed(wanted)}{slack}."
        off = gap(number.value, self._accepted(wanted[0]))
        how_far = f"off by {off:+.10g}" if off.is_finite() and abs(off.adjusted()) < 100 else "far off"
        return f"{said}, not {wanted[0]}: {how_far}{slack}."

    def _slack(self) -> str:
        parts = []
        if self.tolerance:
            parts.append(f"tolerance {self.tolerance:g}")
        if self.relative:
            parts.append(f"relative tolerance {self.relative:g}")
        return f" ({', '.join(parts)})" if parts else ""


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
