"""The output is nearly the accepted answer, character by character: few edits, or a high similarity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar, Literal

from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.extras import need_package
from llmctl.evaluators.similarity.similarity import needs_threshold
from llmctl.evaluators.text_form import TextForm, form_of
from llmctl.evaluators.texts import Texts, expected_texts, texts_problem
from llmctl.evaluators.wording import quote

__all__ = ["Levenshtein"]

Measure = Literal["levenshtein", "damerau", "indel", "hamming", "jaro", "jaro_winkler"]

_CLASSES = {
    "levenshtein": "Levenshtein",
    "damerau": "DamerauLevenshtein",
    "indel": "Indel",
    "hamming": "Hamming",
    "jaro": "Jaro",
    "jaro_winkler": "JaroWinkler",
}
_DEFAULT_THRESHOLD = 0.8
_MOST_PAIRS = {"damerau": 100_000_000}
_MOST_PAIRS_ELSE = 2_000_000_000
"""Characters of one text times characters of the other: about 0.3 s."""


@dataclass(frozen=True, slots=True)
class Near:
    """How near one reference is: a number of edits (None for Jaro's measures), and a similarity from 0 to 1."""

    reference: str
    distance: int | None
    similarity: float


@dataclass(frozen=True, slots=True)
class Levenshtein(Evaluator):
    """The output is at most a few edits from the accepted answer, or similar enough to it."""

    name: ClassVar = "levenshtein"
    value_field: ClassVar = "value"
    reads: ClassVar = ("expected",)

    value: Texts | None = None
    """References; default: the case's `expected`."""
    threshold: float | None = None
    """The smallest similarity that passes; without `max_distance` 0.8."""
    max_distance: int | None = None
    """The largest number of edits that passes."""
    measure: Measure = "levenshtein"
    """Which edits count."""
    ignore_case: bool = False
    collapse_space: bool = False
    """Runs of inner white space count as one space."""
    trim: bool = True
    """False: outer white space is compared too."""
    form: TextForm = field(init=False, repr=False, compare=False)
    smallest: float = field(init=False, repr=False, compare=False)
    """The threshold, with its default."""

    def __post_init__(self) -> None:
        need_package(self.name, "rapidfuzz")
        if self.threshold is not None:
            needs_threshold(self.threshold)
        if self.max_distance is not None and self.max_distance < 0:
            raise ValueError("needs a `max_distance` of 0 or more")
        if self.max_distance is not None and self.measure.startswith("jaro"):
            raise ValueError(
                f"counts no edits with `measure: {self.measure}`: write `threshold` in place of `max_distance`"
            )
        default = 0.0 if self.max_distance is not None else _DEFAULT_THRESHOLD
        object.__setattr__(self, "smallest", default if self.threshold is None else self.threshold)
        object.__setattr__(self, "form", form_of(self))

    def score(self, context: Context) -> Score:
        """Measure the distance to each reference; the nearest counts."""
        references = expected_texts(self.value, context)
        output = self.form(context.output)
        near = max((self._near(output, text) for text in references), key=self._rank)
        passed = self._passes(near)
        graded = self.threshold is not None or self.max_distance is None
        return Score(near.similarity if graded else float(passed), passed, self._explain(output, near, len(references)))

    def needs_expected(self) -> bool:
        """Without references of its own."""
        return self.value is None

    def expected_problem(self, expected: object) -> str | None:
        """Only text is compared with text."""
        return None if self.value is not None else texts_problem(expected)

    def _near(self, output: str, reference: str) -> Near:
        wanted = self.form(reference)
        if len(output) * len(wanted) > _MOST_PAIRS.get(self.measure, _MOST_PAIRS_ELSE):
            sizes = f"{len(output):,} and {len(wanted):,} characters"
            raise EvaluatorError(f"output and reference are too long to be compared: {sizes}")
        found = _distance(self.measure)(output, wanted)
        if self.measure.startswith("jaro"):
            return Near(reference, None, 1 - found)
        longest = len(output) + len(wanted) if self.measure == "indel" else max(len(output), len(wanted))
        return Near(reference, int(found), 1 - found / longest if longest else 1.0)

    def _passes(self, near: Near) -> bool:
        few = self.max_distance is None or (near.distance is not None and near.distance <= self.max_distance)
        return few and near.similarity >= self.smallest

    def _rank(self, near: Near) -> tuple[bool, float]:
        return self._passes(near), near.similarity

    def _explain(self, output: str, near: Near, count: int) -> str:
        which = "the reference" if count == 1 else f"the nearest of {count} references"
        limits = []
        if self.max_distance is not None:
            limits.append(f"at most {self.max_distance} allowed")
        similarity = f"similarity {near.similarity:.4f}"
        if self.smallest:
            similarity += f" {'≥' if near.similarity >= self.smallest else '<'} {self.smallest:g}"
        limits.append(similarity)
        edits = "" if near.distance is None else f"{near.distance} edit{'s' if near.distance != 1 else ''}, "
        return f"{quote(output)} against {which}, {quote(near.reference)}: {edits}{', '.join(limits)}."


@lru_cache(maxsize=len(_CLASSES))
def _distance(measure: str) -> Callable[[str, str], float]:
    from rapidfuzz import distance

    found: Callable[[str, str], float] = getattr(distance, _CLASSES[measure]).distance
    return found
