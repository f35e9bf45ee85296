"""A regular expression finds something in the output, matches all of it, or captures the accepted answer."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.findings import ArgumentError, Finding
from llmctl.evaluators.patterns import Engine, Found, Pattern, compile_pattern
from llmctl.evaluators.text_form import TextForm
from llmctl.evaluators.texts import Texts, expected_texts, texts_problem
from llmctl.evaluators.wording import listed, nearest, place_in, quote, quote_pattern

__all__ = ["Regex"]


@dataclass(frozen=True, slots=True)
class Regex(Evaluator):
    """A pattern matches somewhere in the output, or all of it; or what it captures there is the accepted answer."""

    name: ClassVar = "regex"
    value_field: ClassVar = "pattern"

    pattern: str
    """In RE2's syntax, where no pattern can hang."""
    full: bool = False
    """The pattern must match the whole output."""
    ignore_case: bool = False
    """In the pattern, and where what it captures is compared."""
    engine: Literal["re2", "python"] = "re2"
    """`python` takes lookaround and backreferences, and stops after 1 s."""
    group: Texts | None = None
    """Names or numbers of groups; one that captures an accepted answer is enough. 0 is the whole match."""
    equals: Texts | None = None
    """Accepted answers for what is captured; default, where `group` is given: the case's `expected`."""
    find: Literal["first", "last", "any"] = "first"
    """Which match captures."""
    all: bool = False
    """Every match must capture accepted answers only, and there must be one."""
    trim: bool = True
    """False: white space around the output and around what is captured stays."""
    compiled: Pattern = field(init=False, repr=False, compare=False)
    groups: tuple[int, ...] = field(init=False, repr=False, compare=False)
    form: TextForm = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            compiled = compile_pattern(self.pattern, ignore_case=self.ignore_case, engine=Engine(self.engine))
        except ValueError as error:
            message = f"the pattern {quote_pattern(self.pattern)} {error}"
            raise ArgumentError([Finding(message, ("pattern",))]) from None
        if not self._captures and (self.all or self.find != "first"):
            raise ValueError("compares nothing: `find` and `all` need `group` or `equals`")
        if self.all and self.find != "first":
            raise ValueError("takes `find` or `all`, not both")
        object.__setattr__(self, "compiled", compiled)
        object.__setattr__(self, "groups", _groups(compiled, self.group) if self._captures else ())
        object.__setattr__(self, "form", TextForm(ignore_case=self.ignore_case, trim=self.trim))

    @property
    def reads(self) -> tuple[str, ...]:
        """The expected answer where what is captured is compared with it."""
        return ("expected",) if self.needs_expected() else ()

    @property
    def _captures(self) -> bool:
        return self.group is not None or self.equals is not None

    def needs_expected(self) -> bool:
        """When a group is to be compared with no answer of its own."""
        return self.group is not None and self.equals is None

    def expected_problem(self, expected: object) -> str | None:
        """Only text compares with what is captured."""
        return texts_problem(expected) if self.needs_expected() else None

    def score(self, context: Context) -> Score:
        """Search the output."""
        output = context.output.strip() if self.trim else context.output
        if self._captures:
            return self._compared(output, expected_texts(self.equals, context))
        found = self.compiled.search(output, full=self.full)
        if found is not None:
            return Score(1.0, True, f"The pattern matches at {place_in(output, found.start)}: {quote(found.text)}.")
        return self._unmatched(output)

    def _unmatched(self, output: str) -> Score:
        if not self.full:
            return Score(0.0, False, f"The pattern {quote_pattern(self.pattern)} matches nowhere in {quote(output)}.")
        part = self.compiled.search(output)
        hint = f" It matches a part, {quote(part.text, 80)}." if part else ""
        return Score(
            0.0, False, f"The pattern {quote_pattern(self.pattern)} does not match all of {quote(output)}.{hint}"
        )

    def _compared(self, output: str, accepted: Sequence[str]) -> Score:
        """Compare what the groups captured. The last match looked at is the one that is told of."""
        wanted = frozenset(map(self.form, accepted))
        match, passed = None, False
        for match in self._matches(output):
            right = [self.form(text) in wanted for text in match.captured if text is not None]
            passed = bool(right) and all(right) if self.all else any(right)
            if passed is not self.all:
                break
        if match is None:
            return self._unmatched(output)
        return Score(float(passed), passed, self._said(output, match, accepted, passed))

    def _matches(self, output: str) -> Iterable[Found]:
        if self.full or (self.find == "first" and not self.all):
            found = self.compiled.search(output, full=self.full, groups=self.groups)
            return () if found is None else (found,)
        matches = self.compiled.matches(output, self.groups)
        return deque(matches, maxlen=1) if self.find == "last" else matches

    def _said(self, output: str, match: Found, accepted: Sequence[str], passed: bool) -> str:
        captured = [text for text in match.captured if text is not None]
        what = f"captures {listed(captured)}" if captured else f"captures nothing in {quote(match.text, 80)}"
        where = f"The match at {place_in(output, match.start)} {what}"
        if passed:
            return f"{where}, as accepted." if not self.all else f"Every match captures what is accepted. {where}."
        return f"{where}; accepted is {listed(accepted)}."


def _groups(pattern: Pattern, wanted: Sequence[str] | None) -> tuple[int, ...]:
    """The numbers of the groups; without a wish all that the pattern has, or the whole match where it has none."""
    if wanted is None:
        return tuple(range(1, pattern.groups + 1)) or (0,)
    return tuple(_group(pattern, name) for name in wanted)


def _group(pattern: Pattern, name: str) -> int:
    if name in pattern.names:
        return pattern.names[name]
    if name.isascii() and name.isdigit() and len(name) < 6 and int(name) <= pattern.groups:
        return int(name)
    hint = nearest(name, pattern.names) or f"Its groups are counted from 1 to {pattern.groups}; 0 is the whole match."
    raise ArgumentError(
        [Finding(f"the pattern {quote_pattern(pattern.source)} has no group {quote(name, 60)}", ("group",), hint)]
    )
