"""The YAML parser's complaints in plain sentences, at the place where the mistake was made."""

from __future__ import annotations

from dataclasses import dataclass

from yaml import MarkedYAMLError, YAMLError
from yaml.error import Mark

from llmctl.project.syntax.document import Spot

__all__ = ["Complaint", "complaint"]


@dataclass(frozen=True, slots=True)
class Complaint:
    """One syntax error."""

    message: str
    hint: str | None
    spot: Spot | None


@dataclass(frozen=True, slots=True)
class _Sentence:
    part: str
    """What the parser's own text contains."""
    message: str
    hint: str | None = None
    at_context: bool = False
    """Whether the mistake stands where the parser began, not where it gave up."""


_QUOTE = "Put the text between quotes."
_SENTENCES = (
    _Sentence("unexpected end of stream", "A quote is opened here and never closed.", None, True),
    _Sentence("could not find expected ':'", "This line has no `:` after its key.", _QUOTE, True),
    _Sentence(
        "mapping values are not allowed",
        "A `:` stands where no key can be.",
        "Check the indentation: a key stands below its neighbours.",
    ),
    _Sentence("block sequence entries", "A list cannot begin on this line.", "Begin it on the next line."),
    _Sentence("',' or ']'", "A `,` or `]` is missing in the list that begins on line {line}."),
    _Sentence("',' or '}'", "A `,` or `}}` is missing in the mapping that begins on line {line}."),
    _Sentence(
        "did not find expected key",
        "This does not continue the mapping that begins on line {line}.",
        "Check the indentation and the quotes.",
    ),
    _Sentence("expected '-' indicator", "This does not continue the list of line {line}.", "Begin with `-`."),
    _Sentence("expected <block end>", "This does not continue what begins on line {line}.", "Check the indentation."),
    _Sentence("expected node content", "A value is expected here.", _QUOTE),
    _Sentence("expected the node content", "A value is expected here.", _QUOTE),
    _Sentence("unknown escape character", "`\\` before this character means nothing.", "Write `\\\\`."),
    _Sentence("invalid Unicode character escape", "This escape is no character.", "Write the character itself."),
    _Sentence("hexdecimal number", "This escape needs hexadecimal digits.", "Write `\\\\` for a backslash."),
    _Sentence("tab character", "A tab stands where spaces are needed.", "YAML indents with spaces only."),
    _Sentence("alphabetic or numeric character", "A text cannot begin with this character.", _QUOTE, True),
    _Sentence("alphabetic or numeric char", "A text cannot begin with this character.", _QUOTE, True),
    _Sentence("comment or line break", "After `|` or `>` the text begins on the next line."),
    _Sentence("single document", "A second document begins here.", "Keep one document in a file: no second `---`."),
    _Sentence("undefined alias", "`*` here refers to an anchor that does not exist.", _QUOTE),
    _Sentence("duplicate anchor", "This anchor stands twice."),
    _Sentence("undefined tag handle", "A text cannot begin with `!`.", _QUOTE),
    _Sentence("directive", "A line cannot begin with `%`.", _QUOTE, True),
)


def complaint(error: YAMLError, text: str) -> Complaint:
    """The sentence for what the parser said about `text`."""
    if not isinstance(error, MarkedYAMLError):
        return Complaint("This is not valid YAML.", None, None)
    said = f"{error.context or ''} {error.problem or ''}"
    lines = text.split("\n")
    stop = _spot(error.problem_mark or error.context_mark, lines)
    begin = _spot(error.context_mark, lines) or stop
    line = lines[stop.line - 1] if stop else ""
    if "cannot start any token" in said and stop:
        return _cannot_start(line[stop.column - 1 :], stop)
    if "mapping values are not allowed" in said and stop and ": " in line[: stop.column - 1]:
        return Complaint("A text that holds `: ` needs quotes.", None, stop)
    for sentence in _SENTENCES:
        if sentence.part in said:
            message = sentence.message.format(line=begin.line if begin else "?")
            return Complaint(message, sentence.hint, begin if sentence.at_context else stop)
    return Complaint(f"This is not valid YAML: {error.problem}.", None, stop)


def _cannot_start(rest: str, spot: Spot) -> Complaint:
    if rest.startswith("\t"):
        return Complaint("A tab stands where spaces are needed.", "YAML indents with spaces only.", spot)
    return Complaint(f"A text cannot begin with `{rest[:1]}`.", _QUOTE, spot)


def _spot(mark: Mark | None, lines: list[str]) -> Spot | None:
    """The mark, the end of the text brought back to the end of its last written line."""
    if mark is None:
        return None
    if mark.line < len(lines) and (mark.line < len(lines) - 1 or lines[-1]):
        return Spot(mark.line + 1, mark.column + 1)
    last = max((number for number, line in enumerate(lines) if line.strip()), default=0)
    return Spot(last + 1, len(lines[last]) + 1)
