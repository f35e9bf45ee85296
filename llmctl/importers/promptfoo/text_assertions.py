"""Assertions about the text of an output, as evaluators."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from llmctl.evaluators.javascript_patterns import javascript_pattern
from llmctl.evaluators.patterns import compile_pattern
from llmctl.importers.promptfoo.assertion import (
    Assertion,
    Builder,
    Entry,
    UnconvertibleError,
    as_argument,
    never,
    one_or_all,
    text_value,
    texts_value,
)
from llmctl.importers.promptfoo.config import javascript_text
from llmctl.importers.promptfoo.rows import UnreadableTextsError, separated_texts

__all__ = ["TEXT_BUILDERS"]

_NOT_JAVASCRIPT = re.compile(r"(?<!\\)\((?:\?[aiLmsux-]+\)|\?P[<=>]|\?#|\?>|\?\()")


def _equals(assertion: Assertion) -> Entry:
    if isinstance(assertion.value, dict | list) or assertion.value is None:
        return Entry({"json": {"value": as_argument(assertion.value)}})
    return Entry({"exact": {"value": javascript_text(assertion.value), "trim": False}})


def _contains(assertion: Assertion, *, ignore_case: bool) -> Entry:
    return _part("contains", "text", text_value(assertion), ignore_case=ignore_case)


def _contains_several(assertion: Assertion, name: str, *, ignore_case: bool) -> Entry:
    value = assertion.value
    if value in (None, "", False, 0):
        raise UnconvertibleError("it has no value")
    try:
        texts = separated_texts(value) if isinstance(value, str) else value
    except UnreadableTextsError as error:
        raise UnconvertibleError(f"its texts cannot be told apart: {error}") from None
    if not isinstance(texts, list):
        raise UnconvertibleError("its value is no list of texts")
    if not texts and name == "contains_any":
        return Entry(never(), ("It names no text, so that every output fails, as in promptfoo.",))
    if not texts:
        raise UnconvertibleError("it names no text, and no output could fail")
    return _part(name, "texts", texts_value(replace(assertion, value=texts)), ignore_case=ignore_case)


def _part(name: str, argument: str, value: str | list[str], *, ignore_case: bool) -> Entry:
    texts = [value] if isinstance(value, str) else value
    if not all(text.strip() for text in texts):
        raise UnconvertibleError("it looks for a text that is empty or blank")
    arguments: dict[str, object] = {argument: value}
    if ignore_case:
        arguments["ignore_case"] = True
    if any(text != text.strip() for text in texts):
        arguments["trim"] = False
    return Entry({name: value if len(arguments) == 1 else arguments})


def _starts_with(assertion: Assertion) -> Entry:
    if not isinstance(assertion.value, str):
        raise UnconvertibleError("its value is no text")
    return Entry({"starts_with": {"text": text_value(assertion), "trim": False}})


def _regex(assertion: Assertion) -> Entry:
    if not isinstance(assertion.value, str) or not assertion.value:
        raise UnconvertibleError("its value is no pattern")
    pattern = javascript_pattern(assertion.value)
    if pattern is None and _is_invalid(assertion.value):
        why = "The pattern is not valid in JavaScript, so that every output fails, as in promptfoo; write it anew."
        return Entry(never(), (why,), keeps_polarity=True)
    if pattern is None:
        raise UnconvertibleError("its pattern uses what only JavaScript has")
    arguments: dict[str, object] = {"pattern": pattern, "trim": False}
    try:
        compile_pattern(pattern)
    except ValueError:
        arguments["engine"] = "python"
    return Entry({"regex": arguments})


def _is_invalid(pattern: str) -> bool:
    """Whether JavaScript refuses the pattern: it breaks off, or has groups that only other languages know."""
    import regex

    if _NOT_JAVASCRIPT.search(pattern):
        return True
    try:
        regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError, ValueError, MemoryError):
        return True
    return False


def _word_count(assertion: Assertion) -> Entry:
    value = assertion.value
    if isinstance(value, dict):
        bounds = {key: value[key] for key in ("min", "max") if value.get(key) is not None}
        if not bounds or not all(isinstance(one, int | float) for one in bounds.values()):
            raise UnconvertibleError("its value has no `min` and no `max`")
        low, high = bounds.get("min"), bounds.get("max")
    else:
        try:
            low = high = float(javascript_text(value))
        except ValueError:
            raise UnconvertibleError("its value is no number") from None
    return _words(low, high)


def _words(low: object, high: object) -> Entry:
    arguments: dict[str, object] = {}
    least = math.ceil(low) if isinstance(low, int | float) else None
    most = math.floor(high) if isinstance(high, int | float) else None
    if least is not None and most is not None and least > most:
        return Entry(never(), ("No output has that many words, so that every output fails.",))
    if most is not None and most < 0:
        return Entry(never(), ("No output has fewer than 0 words, so that every output fails.",))
    if least is not None:
        arguments["min"] = max(0, least)
    if most is not None:
        arguments["max"] = most
    return Entry({"length": {**arguments, "unit": "words"}})


def _levenshtein(assertion: Assertion) -> Entry:
    if not isinstance(assertion.value, str):
        raise UnconvertibleError("its value is no text")
    threshold = 5 if assertion.threshold is None else assertion.threshold
    if threshold < 0:
        return Entry(never(), ("Its threshold is below 0, so that every output fails.",))
    arguments = {"value": assertion.value, "max_distance": int(threshold), "trim": False}
    return Entry({"levenshtein": arguments}, graded=True)


def _likeness(assertion: Assertion, name: str, threshold: float, arguments: Mapping[str, object]) -> Entry:
    given = threshold if assertion.threshold is None else assertion.threshold
    data = {"value": one_or_all(texts_value(assertion)), **arguments, "threshold": given}
    return Entry({name: data}, graded=True)


def _rouge(assertion: Assertion) -> Entry:
    arguments = {"kind": "1", "tokenize": "treebank"}
    return _likeness(assertion, "rouge", 0.75, arguments)


def _refusal(assertion: Assertion) -> Entry:  # noqa: ARG001
    return Entry({"refusal": {}})


TEXT_BUILDERS: Mapping[str, Builder] = {
    "equals": _equals,
    "contains": partial(_contains, ignore_case=False),
    "icontains": partial(_contains, ignore_case=True),
    "contains-any": partial(_contains_several, name="contains_any", ignore_case=False),
    "icontains-any": partial(_contains_several, name="contains_any", ignore_case=True),
    "contains-all": partial(_contains_several, name="contains_all", ignore_case=False),
    "icontains-all": partial(_contains_several, name="contains_all", ignore_case=True),
    "starts-with": _starts_with,
    "regex": _regex,
    "word-count": _word_count,
    "levenshtein": _levenshtein,
    "rouge-n": _rouge,
    "bleu": partial(_likeness, name="bleu", threshold=0.5, arguments={"variant": "promptfoo"}),
    "gleu": partial(_likeness, name="gleu", threshold=0.5, arguments={}),
    "is-refusal": _refusal,
}
