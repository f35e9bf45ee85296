"""HTML as browsers take it apart: its elements, and whether text stands outside of all of them. Linear in its length.

Follows the tokenizer and the tree construction of the HTML standard (https://html.spec.whatwg.org/multipage/parsing.html)
as far as the two questions need it: raw text, void elements, `p` that a block ends, text that a table pushes out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["KNOWN", "PAGE", "VOID", "HtmlTree", "Tag", "is_element", "read_tree", "tags"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


KNOWN = _words(
    "a abbr acronym address area article aside audio b base bdi bdo big blockquote body br button canvas caption center"
    " cite code col colgroup data datalist dd del details dfn dialog dir div dl dt em embed fieldset figcaption figure"
    " font footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html i iframe img input ins kbd label"
    " legend li link main map mark math menu meta meter nav noscript object ol optgroup option output p param picture"
    " pre progress q rp rt ruby s samp script search section select slot small source span strike strong style sub"
    " summary sup svg table tbody td template textarea tfoot th thead time title tr track tt u ul var video wbr"
)
"""The elements of HTML, those of old pages too."""

VOID = _words("area base br col embed frame hr img input link meta param source track wbr")
"""Elements that have no end tag."""

PAGE = _words("html head body div span p h1 h2 h3 h4 h5 h6 ul ol li table tr td th form button script style")
"""Elements that nobody writes but in HTML, closed or not."""

_WRAPPERS = frozenset({"html", "head", "body"})
_HEAD = _words("base link meta noscript script style template title")
_RAW = frozenset({"iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp"})
_BARRIERS = _words("button caption marquee object table td template th")
_TABLE = frozenset({"table", "tbody", "tfoot", "thead", "tr"})
_BLOCKS = _words(
    "address article aside blockquote center details dialog dd dir div dl dt fieldset figcaption figure footer form h1"
    " h2 h3 h4 h5 h6 header hgroup hr li main menu nav ol p pre search section summary table ul"
)
_SPECIAL = _BLOCKS | _BARRIERS | _TABLE

_TOKEN = re.compile(
    r"""<!--.*?(?:--!?>|\Z)|<[!?][^>]*+>?|</(?![a-zA-Z])[^>]*+>?"""
    r"""|<(?P<close>/?)(?P<name>[a-zA-Z][^\s/>]*+)"""
    r"""(?P<rest>(?:=\s*+(?:"[^"]*+"|'[^']*+')|[^>=]++|=)*+)(?P<end>>|\Z)""",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Tag:
    """A start tag or an end tag; `name` empty: a comment, a doctype, or text at the end."""

    name: str
    before: str
    """The text before it."""
    closing: bool = False
    rest: str = ""
    """Attributes, as they are written."""


def is_element(name: str) -> bool:
    """Whether a tag of this name is one of HTML's, or of a component's (`my-button`)."""
    return name in KNOWN or "-" in name


def tags(text: str) -> Iterator[Tag]:
    """The tags of a text and the text between them; what a script holds is no tag, and neither is a tag cut off."""
    at = 0
    never: set[str] = set()  # raw text that nothing below ends
    while found := _TOKEN.search(text, at):
        before, at = text[at : found.start()], found.end()
        name = (found["name"] or "").lower()
        if not found["end"]:
            yield Tag("", before)
            if name:
                return
            continue
        closing = bool(found["close"])
        yield Tag(name, before, closing, found["rest"])
        if name in _RAW and not closing and name not in never:
            last = re.compile(f"</{name}(?=[\\s/>])", re.IGNORECASE).search(text, at)
            if last:
                at = last.start()
            else:
                never.add(name)
    yield Tag("", text[at:])


@dataclass(slots=True)
class HtmlTree:
    """What of the tree is asked for."""

    names: set[str] = field(default_factory=set)
    """Elements that are there, without `html`, `head` and `body` that nobody wrote."""
    loose_text: str = ""
    """The first text that stands in no element, where there is no `body` tag."""


def read_tree(text: str) -> HtmlTree:
    """Take a document or a fragment apart."""
    builder = _Builder()
    for tag in tags(text):
        builder.text(tag.before)
        if tag.name and tag.closing:
            builder.end(tag.name)
        elif tag.name:
            builder.start(tag)
    return builder.tree


class _Builder:
    """The stack of open elements, with the places of each name in it, so that no tag has to search."""

    def __init__(self) -> None:
        self.tree = HtmlTree()
        self._stack: list[str] = []
        self._places: dict[str, list[int]] = {}
        self._special: list[int] = []
        self._barriers: list[int] = []
        self._has_body = False
        self._in_body = False
        """Whether the body has begun, with its tag or without."""

    def text(self, text: str) -> None:
        if not text.strip():
            return
        inside = len(self._stack)
        if inside and self._stack[-1] in _TABLE:
            inside = self._last("table")  # text that stands right in a table is pushed out of it
        if inside <= 0:
            self._in_body = True
            if not self._has_body:
                self.tree.loose_text = self.tree.loose_text or text.strip()

    def start(self, tag: Tag) -> None:
        name = tag.name
        if name in _WRAPPERS:
            self._wrapper(name)
            return
        self._in_body = self._in_body or name not in _HEAD
        self.tree.names.add(name)
        if name in _BLOCKS:
            self._close_in_scope("p")
        foreign = self._last("svg") >= 0 or self._last("math") >= 0
        if name not in VOID and not (foreign and tag.rest.endswith("/")):
            self._push(name)

    def end(self, name: str) -> None:
        if name in _SPECIAL:
            scope = -1 if name in _BARRIERS or name in _TABLE else self._top(self._barriers)
        else:
            scope = self._top(self._special)
        if self._last(name) > scope:
            self._pop_to(self._last(name))

    def _wrapper(self, name: str) -> None:
        """`html`, `head` and `body` count where they come before anything that stands in the body."""
        if self._in_body:
            return
        self.tree.names.add(name)
        if name == "body":
            self._has_body = self._in_body = True

    def _close_in_scope(self, name: str) -> None:
        if self._last(name) > self._top(self._barriers):
            self._pop_to(self._last(name))

    def _last(self, name: str) -> int:
        places = self._places.get(name)
        return places[-1] if places else -1

    @staticmethod
    def _top(places: list[int]) -> int:
        return places[-1] if places else -1

    def _push(self, name: str) -> None:
        place = len(self._stack)
        self._stack.append(name)
        self._places.setdefault(name, []).append(place)
        if name in _SPECIAL:
            self._special.append(place)
        if name in _BARRIERS:
            self._barriers.append(place)

    def _pop_to(self, place: int) -> None:
        while len(self._stack) > place:
            name = self._stack.pop()
            self._places[name].pop()
            if name in _SPECIAL:
                self._special.pop()
            if name in _BARRIERS:
                self._barriers.pop()
