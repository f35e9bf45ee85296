"""What `extract` takes from an output before it is judged: a JSON pointer or a regular expression."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from llmctl.canonical import written
from llmctl.evaluators.patterns import Pattern, compile_pattern
from llmctl.evaluators.structure.found_text import fences
from llmctl.evaluators.structure.json_text import JsonRead, json_text, pointer_text, read_json
from llmctl.evaluators.wording import nearest, quote, visible
from llmctl.project.json_pointer import split_pointer

__all__ = ["Extraction", "Extractor", "PatternExtractor", "PointerExtractor", "compile_extract"]


@dataclass(frozen=True, slots=True)
class Extraction:
    """What was found, or the `problem` as a sentence: then the metric fails."""

    text: str | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class PointerExtractor:
    """A JSON pointer (RFC 6901): a text as it is, any other value as its JSON text, numbers as the model wrote them.

    It says where the answer stands, not how it must be packed: in an output that is no JSON it looks into the fenced
    block, where there is just one. Whether the whole output is JSON is for the evaluator `json` to judge.
    """

    pointer: str
    keys: tuple[str, ...]

    def find(self, output: str) -> Extraction:
        """Follow the pointer through the output, or, where that is no JSON, through the one fenced block in it."""
        read = _document(output)
        if read.problem:
            return _nothing(self.pointer, read.problem)
        value = read.value
        for depth, key in enumerate(self.keys):
            value, problem = _step(value, key)
            if problem:
                where = "the output" if not depth else visible(pointer_text(self.keys[:depth]))
                return _nothing(self.pointer, f"{where} {problem}")
        return Extraction(json_text(value) if isinstance(value, list | dict) else written(value))


@dataclass(frozen=True, slots=True)
class PatternExtractor:
    """An RE2 pattern: its first match in the output; group 1 where the pattern has one, else all of it."""

    pattern: Pattern

    def find(self, output: str) -> Extraction:
        """Search the output."""
        found = self.pattern.search(output, groups=(1,) if self.pattern.groups else ())
        text = None if found is None else found.captured[0] if found.captured else found.text
        if text is None:
            return _nothing(self.pattern.source, f"it matches nowhere in {quote(output.strip())}")
        return Extraction(text)


Extractor = PointerExtractor | PatternExtractor


@lru_cache(maxsize=1024)
def compile_extract(text: str) -> Extractor:
    """Ready an `extract`: a JSON pointer when it is empty or begins with `/`, else a pattern.

    Raises:
        ValueError: it is neither; the message ends a sentence that begins with its name.
    """
    if not text or text.startswith("/"):
        return PointerExtractor(text, split_pointer(text))
    return PatternExtractor(compile_pattern(text))


def _nothing(extract: str, reason: str) -> Extraction:
    stop = "" if reason.endswith((".", "?")) else "."
    return Extraction(None, f"`extract: {visible(extract, 80)}` found nothing: {reason}{stop}")


def _document(output: str) -> JsonRead:
    """The JSON of the output, or of the fenced block in it; a problem is a whole clause."""
    read = read_json(output)
    blocks = fences(output) if read.problem else []
    if not blocks:
        return JsonRead(read.value, read.problem and f"the output is {read.problem}")
    if len(blocks) > 1:
        return JsonRead(problem=f"the output holds {len(blocks)} fenced blocks, and it is not said which one counts")
    if not blocks[0].closed:
        return JsonRead(problem="the fenced block in the output has no end")
    read = read_json(blocks[0].text)
    return JsonRead(read.value, read.problem and f"the fenced block in the output is {read.problem}")


def _step(value: object, key: str) -> tuple[object, str]:
    if isinstance(value, dict):
        if key in value:
            return value[key], ""
        hint = nearest(key, value) or f"It has {', '.join(quote(name, 40) for name in list(value)[:8]) or 'no keys'}."
        return None, f"has no key {quote(key, 60)}. {hint}"
    if isinstance(value, list):
        # RFC 6901: array indexes have no leading zeros
        if key == "0" or (key.isascii() and key.isdigit() and not key.startswith("0") and len(key) < 10):
            if int(key) < len(value):
                return value[int(key)], ""
            return None, f"has {len(value)} items, and they count from 0"
        return None, f"is a list, and {quote(key, 60)} is no index"
    return None, f"is {visible(json_text(value), 60)}, which has no parts"
