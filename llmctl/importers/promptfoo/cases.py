"""Expanded tests as cases of a bank: id, variables, expected answer, tags, evaluators, and what it is run on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from llmctl.canonical import canonical_json
from llmctl.importers.conversion import Notes
from llmctl.importers.drafts import INCOMPLETE
from llmctl.importers.naming import Names, slug
from llmctl.importers.promptfoo.assertion import never
from llmctl.importers.promptfoo.assertions import AssertionConverter, TestContext
from llmctl.importers.promptfoo.config import javascript_text
from llmctl.importers.promptfoo.expansion import Expanded
from llmctl.importers.samples import no_reference

__all__ = ["SourceCase", "bank_cases", "shared_entries", "source_case"]

Entry = Mapping[str, object]

_OPTIONS = frozenset(
    [
        *("prefix", "suffix", "provider", "rubricPrompt", "transform", "postprocess", "disableVarExpansion"),
        *("disableDefaultAsserts",),
    ]
)
_NO_OPTIONS = {
    "transformVars": "It is a program; write the variables as it makes them.",
    "storeOutputAs": "An answer cannot be used by a later case: llmctl has no conversations yet.",
    "runSerially": "Cases do not depend on each other, so that their order means nothing.",
    "disableConversationVar": "llmctl has no conversations yet.",
    "factuality": "Scores of its categories are not kept.",
    "repeat": "Repeats hold for a whole run: `[eval] repeat`, or `eval --repeat`.",
}
_ANSWERED = {"length": {"min": 1}, "metric": "answered"}
_ANSWERED_OR_CALLED = {
    "any": [{"length": {"min": 1}}, {"tool_calls": {"compare": False}}],
    "metric": "answered",
}


@dataclass(frozen=True, slots=True)
class SourceCase:
    """A case before it knows its bank."""

    test: Expanded
    vars: Mapping[str, object]
    entries: tuple[Entry, ...]
    expected: str | None
    tags: tuple[str, ...]
    pass_score: float | None


def source_case(test: Expanded, converter: AssertionConverter, *, has_tools: bool) -> SourceCase:
    """A case with its assertions converted; what could not be is noted."""
    notes = converter.notes
    _note_options(test, notes)
    context = TestContext(test.vars, test.options, test.threshold is not None)
    results = [converter.convert(raw, context) for raw in test.assertions]
    entries = [entry for result in results for entry in result.entries]
    complete = all(result.complete for result in results)
    pass_score = _pass_score(test, entries, notes)
    if not any(entry.get("weight", 1) != 0 for entry in entries):
        entries.append(_ANSWERED_OR_CALLED if has_tools else _ANSWERED)
        if complete:
            why = "A case without an assertion that counts always passes with promptfoo; here it must be answered."
            notes.changed("no assertion", why, test.at.place)
    expected, entries = _with_expected(entries)
    tags = [*_tags(test, notes), *([] if complete else [INCOMPLETE])]
    variables = {name: _plain_number(value) for name, value in test.vars.items()}
    return SourceCase(test, variables, tuple(entries), expected, tuple(dict.fromkeys(tags)), pass_score)


def bank_cases(cases: Sequence[SourceCase], shared: Sequence[Entry], pass_score: float | None) -> Iterator[Entry]:
    """The cases of one bank, without the evaluators and the pass score that the bank has for all of them."""
    names = Names()
    seen: set[bytes] = set()
    for case in cases:
        data: dict[str, object] = {}
        key = canonical_json(case.vars)
        if case.test.description:
            data["id"] = names.new(slug(case.test.description, "case"))
        elif key in seen:
            data["id"] = names.new("case")
        seen.add(key)
        data["vars"] = dict(case.vars)
        if case.expected is not None:
            data["expected"] = case.expected
        if case.tags:
            data["tags"] = list(case.tags)
        if case.pass_score is not None and pass_score is None:
            data["pass_score"] = case.pass_score
        own = _without(case.entries, shared)
        if own is None:
            data["inherit"] = False
        if own or own is None:
            data["evaluators"] = list(case.entries) if own is None else own
        yield data


def shared_entries(cases: Sequence[SourceCase]) -> list[Entry]:
    """The entries that every case has but for those that want no defaults, in the order of the first case."""
    inheriting = [case for case in cases if not case.test.options.get("disableDefaultAsserts")] or cases
    counts = [Counter(map(canonical_json, case.entries)) for case in inheriting]
    common = counts[0].copy() if counts else Counter()
    for count in counts[1:]:
        common &= count
    shared = []
    for entry in inheriting[0].entries if inheriting else ():
        key = canonical_json(entry)
        if common[key] > 0:
            common[key] -= 1
            shared.append(entry)
    return shared


def _without(entries: Sequence[Entry], shared: Sequence[Entry]) -> list[Entry] | None:
    """The entries that are not shared; None where a shared one is not among them."""
    left = Counter(map(canonical_json, shared))
    own = []
    for entry in entries:
        key = canonical_json(entry)
        if left[key] > 0:
            left[key] -= 1
        else:
            own.append(entry)
    return None if left.total() else own


def _with_expected(entries: list[Entry]) -> tuple[str | None, list[Entry]]:
    """The text of the first `exact` as the case's expected answer, and the entries that compare with that."""
    for index, entry in enumerate(entries):
        match entry.get("exact"):
            case {"value": str(value), "trim": False, **others} if not others:
                compared = {**entry, "exact": {"trim": False}}
                return value, [*entries[:index], compared, *entries[index + 1 :]]
    return None, entries


def _pass_score(test: Expanded, entries: list[Entry], notes: Notes) -> float | None:
    if test.threshold is None:
        return None
    place = test.at.place
    if test.threshold > 1:
        entries.append({**never(), "metric": "threshold"})
        notes.changed("threshold", "No mean reaches a threshold above 1, so that the case fails.", place)
        return None
    if test.threshold <= 0:
        notes.changed("threshold", "With a threshold of 0 no answer could fail; here every assertion must pass.", place)
        return None
    notes.converted("threshold", "`pass_score`: the weighted mean decides, a failed assertion alone does not", place)
    return test.threshold


def _tags(test: Expanded, notes: Notes) -> Iterator[str]:
    """`key=value` of the metadata."""
    for key, value in test.metadata.items():
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(one, str | int | float) for one in values):
            notes.left_out(f"metadata {key}", "A tag holds a text, and this is none.", test.at.place)
            continue
        notes.converted("metadata", "tags `key=value`", test.at.place)
        for one in values:
            yield f"{key}={javascript_text(one)}"


def _note_options(test: Expanded, notes: Notes) -> None:
    for key, value in test.options.items():
        if key not in _OPTIONS and value not in (None, False):
            why = _NO_OPTIONS.get(key, "llmctl has nothing for it.")
            notes.left_out(f"options.{key}", why, test.at.place)
    if test.options.get("rubricPrompt"):
        notes.left_out("options.rubricPrompt", "The judge is asked by llmctl's own prompt.", test.at.place)


def _plain_number(value: object) -> object:
    """A variable as it is printed: `1.0` is 1, and what would be read as the name of a file is its JSON text."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return no_reference(value)
