"""Scorers of inspect_ai as evaluators (`inspect_ai/scorer/`, read at the version of November 2026)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from llmctl.canonical import written
from llmctl.errors import UsageError
from llmctl.importers.conversion import Notes
from llmctl.importers.entry_check import EntryCheck
from llmctl.importers.samples import ANSWERED, Entry, Sample
from llmctl.project.shape_errors import nearest

__all__ = ["SCORERS", "Scorer", "scorer_entries", "scorer_of"]

_LIKE_ANSWER = {"ignore_case": True, "trim_punctuation": True}
_NORMALISED = {"ignore_case": True, "ignore_punctuation": True, "ignore_articles": True, "collapse_space": True}
_PLACES = {"end": "ends_with", "begin": "starts_with", "any": "contains", "exact": "exact"}
_NUMBERS = {"end": "last", "begin": "first", "any": "any", "exact": "whole"}
_ANSWERS = {
    "letter": r"ANSWER\s*:\s*([A-Za-z])(?:\W|$)",
    "word": r"ANSWER\s*:\s*(\S+?)[.,;:!?]?\s*(?:\n|$)",
    "line": r"ANSWER\s*:\s*([^\n]+)\s*\z",
}
_GRADER = (
    "The reference says what a right answer is, or by which criterion an answer is right. Is the output a right "
    "answer? {choices}"
)
_FACT = (
    "The reference is an expert's answer. Does the output contain its content? Differences in style, grammar and "
    "punctuation do not count; an output that contradicts the reference or leaves out its content is not right. "
    "{choices}"
)


@dataclass(frozen=True, slots=True)
class Scorer:
    """A scorer and its arguments, as a person or a log names them."""

    name: str
    args: Mapping[str, object]

    def text(self, key: str, default: str, allowed: Sequence[str] = ()) -> str:
        """An argument that is a text, one of the allowed ones."""
        value = written(self.args.get(key, default))
        if allowed and value not in allowed:
            raise UsageError(f"`{key}` of {self.name} is one of {', '.join(allowed)}, not {value}.")
        return value

    def truth(self, key: str, *, default: bool) -> bool:
        """An argument that is true or false."""
        value = written(self.args.get(key, default)).casefold()
        if value not in ("true", "false"):
            raise UsageError(f"`{key}` of {self.name} is true or false, not {value}.")
        return value == "true"


def scorer_of(name: str, args: Mapping[str, object]) -> Scorer:
    """A scorer that can be converted, with arguments that it has.

    Raises:
        UsageError: there is none of that name, or it has no such argument.
    """
    known = SCORERS.get(name)
    if known is None:
        raise UsageError(
            f"There is no evaluator for the scorer `{name}`.",
            hint=nearest(name, SCORERS) or f"--scorer takes {', '.join(SCORERS)}.",
        )
    unknown = next((key for key in args if key not in known.args), None)
    if unknown is not None:
        takes = f"It takes {', '.join(known.args)}." if known.args else "It takes none."
        raise UsageError(f"The scorer `{name}` has no argument `{unknown}` that can be converted.", hint=takes)
    return Scorer(name, args)


@dataclass(frozen=True, slots=True)
class _Known:
    build: Callable[[Scorer, Notes], Entry]
    args: tuple[str, ...] = ()
    finds: bool = False
    """Whether an empty target stands in every answer."""


def scorer_entries(scorer: Scorer, samples: Sequence[Sample], notes: Notes) -> tuple[list[Sample], tuple[Entry, ...]]:
    """The samples and the evaluators of their bank; a sample that these cannot judge has its own."""
    known = SCORERS[scorer.name]
    entry = known.build(scorer, notes)
    check = EntryCheck()
    problem = check.problem(entry) if "judge" not in entry else None
    if problem is not None:
        raise UsageError(f"The scorer `{scorer.name}` cannot be converted: {problem.message}", hint=problem.hint)
    notes.converted(f"scorer {scorer.name}", f"`{next(iter(entry))}`")
    finds = known.finds and not (scorer.name == "match" and scorer.args.get("location") == "exact")
    targets = _Targets(scorer, check, notes, finds=finds)
    return [targets.judged(one) for one in samples], (entry,)


@dataclass(frozen=True, slots=True)
class _Targets:
    """Sees whether the bank's evaluator can judge a sample by its target."""

    scorer: Scorer
    check: EntryCheck
    notes: Notes
    finds: bool
    """Whether an empty target stands in every answer."""

    def judged(self, sample: Sample) -> Sample:
        """The sample, with evaluators of its own where the bank's cannot judge it."""
        targets = sample.expected if isinstance(sample.expected, list) else [sample.expected]
        if sample.expected is None or (self.finds and not all(str(one).strip() for one in targets)):
            return self._left_out(sample, "empty target", "There is nothing to compare with")
        texts = [str(one) for one in targets]
        if self.scorer.name == "choice" and self.check.problem({"choice": {"value": texts}}) is not None:
            return self._left_out(sample, "target that is no letter", "A target of `choice` is a letter, or several")
        if self._numeric and not all(_is_number(text, self.check) for text in texts):
            return replace(sample, entries=(_mixed(self.scorer, texts, self.check),))
        return sample

    @property
    def _numeric(self) -> bool:
        return self.scorer.name == "match" and self.scorer.truth("numeric", default=False)

    def _left_out(self, sample: Sample, what: str, why: str) -> Sample:
        self.notes.left_out(what, f"{why}: the sample must only be answered.", sample.place)
        return replace(sample, entries=(ANSWERED,), complete=False)


def _is_number(text: str, check: EntryCheck) -> bool:
    return check.problem({"number": {"value": text}}) is None


def _mixed(scorer: Scorer, texts: Sequence[str], check: EntryCheck) -> Entry:
    """Numbers are compared as numbers, other targets of the same sample as texts."""
    place = scorer.text("location", "end", tuple(_PLACES))
    parts: list[Entry] = []
    for text in texts:
        if _is_number(text, check):
            parts.append({"number": {"value": text, "find": _NUMBERS[place]}})
        else:
            field = "value" if place == "exact" else "text"
            parts.append({_PLACES[place]: {field: text, **_matching(scorer)}})
    return parts[0] if len(parts) == 1 else {"any": parts}


def _matching(scorer: Scorer) -> dict[str, object]:
    folded = scorer.truth("ignore_case", default=True)
    return dict(_LIKE_ANSWER) if folded else {"trim_punctuation": True}


def _match(scorer: Scorer, notes: Notes) -> Entry:
    place = scorer.text("location", "end", tuple(_PLACES))
    if scorer.truth("numeric", default=False):
        notes.changed("match(numeric)", "Numbers are compared exactly; there to five significant digits.")
        return {"number": {"find": _NUMBERS[place]}}
    return {_PLACES[place]: _matching(scorer)}


def _includes(scorer: Scorer, notes: Notes) -> Entry:
    del notes
    return {"contains": {"trim": False, "ignore_case": scorer.truth("ignore_case", default=True)}}


def _f1(scorer: Scorer, notes: Notes) -> Entry:
    stop_words = scorer.args.get("stop_words")
    words = stop_words.split(",") if isinstance(stop_words, str) else stop_words
    why = "There it is a score that nothing passes or fails; here `threshold` of `token_f1` says what passes."
    notes.changed("scorer f1", why)
    return {"token_f1": {"variant": "inspect", **({"ignored": list(words)} if isinstance(words, list) else {})}}


def _pattern(scorer: Scorer, notes: Notes) -> Entry:
    pattern = scorer.text("pattern", "")
    if not pattern:
        raise UsageError("The scorer `pattern` needs its pattern.", hint="Add --scorer-arg pattern=REGEX.")
    try:
        groups = re.compile(pattern).groups
    except (re.error, RecursionError, OverflowError) as error:
        raise UsageError(f"The pattern {pattern} is no regular expression: {error}.") from None
    if groups == 0:
        raise UsageError("The pattern has no group: there is nothing to compare with the target.")
    arguments: dict[str, object] = {"pattern": pattern, "group": list(range(1, groups + 1))}
    if scorer.truth("ignore_case", default=True):
        arguments["ignore_case"] = True
    if scorer.truth("match_all", default=False):
        notes.changed("pattern(match_all)", "Every match must capture targets only; there the first match.")
        arguments["all"] = True
    if EntryCheck().problem({"regex": arguments}) is not None:
        arguments["engine"] = "python"
    return {"regex": arguments}


def _answer(scorer: Scorer, notes: Notes) -> Entry:
    del notes
    kind = scorer.text("pattern", "letter", tuple(_ANSWERS))
    return {"regex": {"pattern": _ANSWERS[kind], "group": [1], "ignore_case": True, "find": "last"}}


def _graded(template: str) -> Callable[[Scorer, Notes], Entry]:
    def build(scorer: Scorer, notes: Notes) -> Entry:
        partial = scorer.truth("partial_credit", default=False)
        labels = {"C": 1.0, **({"P": 0.5} if partial else {}), "I": 0.0}
        choices = f"C: right. {'P: right in part. ' if partial else ''}I: wrong."
        own = scorer.args.get("instructions")
        rubric = template.format(choices=choices) if own is None else f"{template.format(choices=choices)}\n\n{own}"
        arguments = {"rubric": rubric, "labels": labels, "pass_labels": ["C"], "reference": True}
        notes.changed(f"scorer {scorer.name}", "The judge is asked in llmctl's own words; only `C` passes.")
        model = scorer.args.get("model")
        return {"judge": {**({"model": written(model)} if model else {}), **arguments}}

    return build


SCORERS: Mapping[str, _Known] = MappingProxyType(
    {
        "match": _Known(_match, ("location", "ignore_case", "numeric"), finds=True),
        "includes": _Known(_includes, ("ignore_case",), finds=True),
        "exact": _Known(lambda *_: {"exact": dict(_NORMALISED)}),
        "f1": _Known(_f1, ("stop_words",)),
        "choice": _Known(lambda *_: {"choice": {}}),
        "pattern": _Known(_pattern, ("pattern", "ignore_case", "match_all")),
        "answer": _Known(_answer, ("pattern",)),
        "model_graded_qa": _Known(_graded(_GRADER), ("partial_credit", "model", "instructions")),
        "model_graded_fact": _Known(_graded(_FACT), ("partial_credit", "model", "instructions")),
    }
)
"""Those with an evaluator of the same meaning."""
