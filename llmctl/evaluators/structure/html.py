"""The output is HTML, or holds some."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.structure.html_reading import PAGE, VOID, Tag, is_element, read_tree, tags
from llmctl.evaluators.structure.names_argument import Names
from llmctl.evaluators.wording import listed, quote

__all__ = ["Html"]

_DOCTYPE = re.compile(r"<!doctype\s+html", re.IGNORECASE)
_QUOTED = re.compile(r"=\s*+[\"']")
_XML = re.compile(r"<\?xml", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Html(Evaluator):
    """The output is HTML and nothing beside it: a document or a fragment, with the elements that are asked for."""

    name: ClassVar = "html"
    value_field: ClassVar = "elements"
    reads: ClassVar = ()

    elements: Names = ()
    """Names of elements that must be there."""
    find: bool = False
    """It is enough that the output holds HTML somewhere."""

    def __post_init__(self) -> None:
        for name in self.elements:
            if not re.fullmatch(r"[a-zA-Z][^\s/<>]*", name):
                raise ValueError(f"cannot use {quote(name, 80)} of `elements`: it is no name of an element")

    def score(self, context: Context) -> Score:
        """Read the output and look for the elements."""
        output = context.output.strip()
        names, problem = _found(output) if self.find else _whole(output)
        if problem:
            return Score(0.0, False, f"The output {problem}: {quote(output, 80)}.")
        missing = [name for name in self.elements if name.lower() not in names]
        verb = "holds" if self.find else "is"
        if missing:
            return Score(0.0, False, f"The output {verb} HTML, but without {listed(missing)}: {quote(output, 80)}.")
        return Score(1.0, True, f"The output {verb} HTML: {quote(output, 80)}.")


def _whole(output: str) -> tuple[set[str], str | None]:
    """The elements of a text that is HTML from end to end, or why it is not."""
    if not output:
        return set(), "is no HTML: it is empty"
    if _XML.match(output):
        return set(), "is XML, not HTML"
    tree = read_tree(output)
    if tree.loose_text:
        return set(), f"has text outside of all elements ({quote(tree.loose_text, 40)})"
    if not any(map(is_element, tree.names)):
        return set(), "has no element of HTML"
    return tree.names, None


def _found(output: str) -> tuple[set[str], str | None]:
    """The elements that a text holds somewhere, or why it holds none."""
    read = list(tags(output))
    closed = {tag.name for tag in read if tag.closing}
    names = {tag.name for tag in read if not tag.closing and _counts(tag, closed)}
    if names or _DOCTYPE.search(output):
        return names, None
    return names, "holds no HTML"


def _counts(tag: Tag, closed: set[str]) -> bool:
    """A tag that is not closed may be anything in angle brackets: `List<a>`, `<title>` for a title."""
    if not is_element(tag.name):
        return False
    return tag.name in closed or tag.name in VOID or tag.name in PAGE or _QUOTED.search(tag.rest) is not None
