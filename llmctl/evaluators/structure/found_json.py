"""The JSON of an output: all of it, or what stands inside fences and prose; trailing commas forgiven where asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from llmctl.evaluators.structure.found_text import TangledError, json_spans
from llmctl.evaluators.structure.json_text import JsonRead, read_json
from llmctl.evaluators.wording import quote

__all__ = ["MAX_FOUND", "JsonReading", "found_json", "without_trailing_commas"]

MAX_FOUND = 1_000
"""So many values of one output are looked at."""

# a JSON text ends on its line, so that a lone quotation mark in prose hides nothing below it
_TEXT_OR_COMMA = re.compile(r'"(?:[^"\\\n]|\\.)*+"?|,(?=\s*+[\]}])')
_TANGLED = "too full of brackets that begin no JSON to look for JSON in it"


@dataclass(frozen=True, slots=True)
class JsonReading:
    """How the JSON of an output is read: two arguments that several evaluators share."""

    find: bool = False
    trailing_commas: bool = False

    def values(self, output: str) -> Iterable[JsonRead]:
        """The values to judge, at least one: the first that fits decides. A `problem` is one that cannot be read."""
        if self.trailing_commas:
            output = without_trailing_commas(output)
        return found_json(output) if self.find else (read_json(output),)


def found_json(output: str) -> Iterator[JsonRead]:
    """The objects and lists in a text, the outermost ones, read strictly; one with a `problem` where there is none."""
    count = 0
    try:
        for span in json_spans(output):
            count += 1
            if count > MAX_FOUND:
                yield JsonRead(problem=f"longer than is looked through: it holds more than {MAX_FOUND:,} JSON values")
                return
            yield read_json(output[span.start : span.end])
    except TangledError:
        yield JsonRead(problem=_TANGLED)
        return
    if not count:
        yield JsonRead(problem=f"without any JSON object or list: {quote(output.strip(), 80)}")


def without_trailing_commas(text: str) -> str:
    """The text without the commas before `]` and `}` that stand outside of JSON texts."""
    return _TEXT_OR_COMMA.sub(lambda found: "" if found[0] == "," else found[0], text)
