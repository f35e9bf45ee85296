"""What the classes of OpenAI Evals judge by, as evaluators (openai/evals at 4bfc1f5, `evals/elsuite/basic/`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from llmctl.importers.conversion import Notes
from llmctl.importers.samples import ANSWERED, Entry, Sample

__all__ = ["CLASSES", "GRADED", "UNCONVERTED", "EvalClass", "judged_samples", "with_ideal"]

GRADED = "ModelBasedClassify"
Args = Mapping[str, object]
_FUZZY = {"ignore_case": True, "collapse_space": True, "ignore_punctuation": True, "ignore_articles": True}


@dataclass(frozen=True, slots=True)
class EvalClass:
    """A class: what it judges by, and what it sends."""

    name: str
    entries: Callable[[Args], Sequence[Entry]]
    """The evaluators of a bank, by the arguments of the registry."""
    into: str
    """For the report."""
    params: Mapping[str, object] = field(default_factory=dict)
    needs_ideal: bool = True
    finds: bool = False
    """Whether an empty ideal stands in every answer."""


CLASSES: Mapping[str, EvalClass] = MappingProxyType(
    {
        one.name: one
        for one in (
            EvalClass(
                "Match",
                lambda _: [{"starts_with": {"trim": False}}],
                "`starts_with`: the answer begins with an ideal",
                {"temperature": 0},
                finds=True,
            ),
            EvalClass(
                "Includes",
                lambda args: [{"contains": _case({"trim": False}, args)}],
                "`contains`: an ideal stands in the answer",
                finds=True,
            ),
            EvalClass(
                "FuzzyMatch",
                lambda _: [
                    {"exact": {**_FUZZY, "either_contains": True}},
                    {"token_f1": {}, "metric": "f1_score", "weight": 0},
                ],
                "`exact` with `either_contains`; its F1 as `token_f1` that decides nothing",
                {"temperature": 0, "max_tokens": 100},
            ),
            EvalClass(
                "JsonMatch",
                lambda _: [{"json_match": {}}],
                "`json_match`",
                {"temperature": 0, "max_tokens": 512},
            ),
            EvalClass(
                "JsonValidator",
                lambda _: [{"json": {"compare": False}}],
                "`json` with `compare: false`",
                {"temperature": 0},
                needs_ideal=False,
            ),
        )
    }
)

UNCONVERTED: Mapping[str, str] = MappingProxyType(
    {
        "MultipleChoice": "Its samples come from a data set on the Hugging Face hub.",
        "MatchWithSolvers": "It runs a solver, which is a program.",
        "Translate": "It scores a whole run with BLEU; `bleu` scores each answer.",
        "Lambada": "Its samples come from a data set on the Hugging Face hub.",
    }
)


def _case(arguments: dict[str, object], args: Args) -> dict[str, object]:
    return {**arguments, "ignore_case": True} if args.get("ignore_case") is True else arguments


def judged_samples(
    judged: EvalClass, samples: Sequence[Sample], args: Args, notes: Notes
) -> tuple[list[Sample], tuple[Entry, ...]]:
    """The samples and the evaluators of the bank; a sample that these cannot judge has its own."""
    notes.converted(judged.name, judged.into)
    entries = tuple(judged.entries(args))
    return [_judged(sample, judged, notes) for sample in samples], entries


def with_ideal(sample: Sample, notes: Notes) -> Sample:
    """The sample; one without an ideal answer must only be answered."""
    if sample.expected is not None:
        return sample
    notes.left_out("sample without `ideal`", "It must only be answered.", sample.place)
    return replace(sample, entries=(ANSWERED,), complete=False)


def _judged(sample: Sample, judged: EvalClass, notes: Notes) -> Sample:
    if not judged.needs_ideal:
        return sample
    ideals = sample.expected if isinstance(sample.expected, list) else [sample.expected]
    if sample.expected is None:
        return with_ideal(sample, notes)
    if judged.finds and not all(str(ideal).strip() for ideal in ideals):
        why = "An empty ideal stands in every answer, so that all pass; here it must at least be answered."
        notes.changed("empty `ideal`", why, sample.place)
        return replace(sample, entries=(ANSWERED,))
    if judged.name == "JsonMatch":
        return _json_sample(sample, ideals, notes)
    return sample


def _json_sample(sample: Sample, ideals: Sequence[object], notes: Notes) -> Sample:
    """Ideals are JSON texts; several are alternatives, and `null` never matches."""
    values = []
    for ideal in ideals:
        try:
            values.append(json.loads(str(ideal)))
        except (ValueError, RecursionError):
            notes.left_out(
                "`ideal` that is no JSON", "oaieval ends with an error; it must only be answered.", sample.place
            )
            return replace(sample, entries=(ANSWERED,), complete=False)
    if None in values:
        notes.changed("`ideal` null", "null equals null here; there it never matches.", sample.place)
    if len(values) > 1:
        return replace(sample, expected=values, entries=({"json_match": {"alternatives": True}},))
    return replace(sample, expected=str(ideals[0]))
