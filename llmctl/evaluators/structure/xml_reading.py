"""XML read by expat without entities and without a DTD: is it well-formed, and which of the wanted elements has it?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from xml.parsers import expat

from llmctl.evaluators.structure.found_text import Span

__all__ = ["ElementPath", "Elements", "xml_problem", "xml_spans"]

_SEPARATOR = "\x1f"  # between namespace, name and prefix; it can stand in none of them
_STEP = re.compile(r"(?P<name>[^\s/@\[\]]+)(?:\[(?P<number>[1-9][0-9]{0,8})\])?")
_TAG = re.compile(
    r"""<!--.*?(?:-->|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)|<\?.*?(?:\?>|\Z)"""
    r"""|<(?P<close>/?)(?P<name>[^\s<>/!?"'=]++)(?P<rest>(?:[^<>"']++|"[^"]*+"|'[^']*+')*+)>""",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class _Step:
    name: str
    number: int | None
    """Which of the elements of this name inside one element, from 1; None: any."""


@dataclass(frozen=True, slots=True)
class ElementPath:
    """`catalog/book[2]/title`, `catalog/book/@id`: from the outermost element inward."""

    text: str
    steps: tuple[_Step, ...]
    attribute: str | None

    @classmethod
    def of(cls, text: str) -> ElementPath:
        """Read a path.

        Raises:
            ValueError: it is none; ends a sentence that begins with its text.
        """
        *names, last = text.strip().strip("/").split("/")
        attribute = last[1:] if last.startswith("@") else None
        matches = [_STEP.fullmatch(name) for name in (names if attribute else [*names, last])]
        if not matches or None in matches or attribute == "":
            raise ValueError("is no path of elements, such as `order/item[2]/@id`")
        steps = (_Step(match["name"], int(match["number"]) if match["number"] else None) for match in matches if match)
        return cls(text, tuple(steps), attribute)


@dataclass(slots=True)
class _Frame:
    """An open element: the paths that lead to it and go on, and its children so far."""

    going_on: list[tuple[int, int]]
    """Number of a path, and how many of its steps are done."""
    counts: dict[str, int] = field(default_factory=dict)


class Elements:
    """Watches for elements while one text or several are read; no tree is built."""

    def __init__(self, paths: Sequence[ElementPath]) -> None:
        self._paths = paths
        self._root = _Frame([(number, 0) for number in range(len(paths))])
        self._stack: list[_Frame | None] = [self._root]
        self._found: set[int] = set()

    @property
    def missing(self) -> list[str]:
        """The paths that nothing was found at."""
        return [path.text for number, path in enumerate(self._paths) if number not in self._found]

    def read(self, text: str) -> str | None:
        """Read one XML text; why it is not well-formed, or None. What a broken text holds does not count."""
        found, counts = set(self._found), dict(self._root.counts)
        problem = _parsed(text, self._start, self._stack.pop)
        self._stack = [self._root]
        if problem:
            self._found, self._root.counts = found, counts
        return problem

    def _start(self, tag: str, attributes: Mapping[str, str]) -> None:
        parent = self._stack[-1]
        if parent is None or not parent.going_on:
            self._stack.append(None)
            return
        local, written = _names(tag)
        number = parent.counts[written] = parent.counts.get(written, 0) + 1
        frame = _Frame([])
        for path, done in parent.going_on:
            step = self._paths[path].steps[done]
            if step.name in (written, local) and step.number in (None, number):
                self._reached(frame, path, done + 1, attributes)
        self._stack.append(frame)

    def _reached(self, frame: _Frame, number: int, done: int, attributes: Mapping[str, str]) -> None:
        path = self._paths[number]
        if done < len(path.steps):
            frame.going_on.append((number, done))
        elif path.attribute is None or any(path.attribute in _names(name) for name in attributes):
            self._found.add(number)


def _names(tag: str) -> tuple[str, str]:
    """The name without its prefix, and as it is written."""
    parts = tag.split(_SEPARATOR)
    if len(parts) == 3:  # namespace, name, prefix
        return parts[1], f"{parts[2]}:{parts[1]}"
    return parts[-1], parts[-1]


class _RefusedError(Exception):
    """What is well-formed and refused all the same."""


def _doctype(_name: str, system_id: str | None, _public_id: str | None, has_internal_subset: int) -> None:
    if has_internal_subset:
        raise _RefusedError("it declares a DTD of its own inside `<!DOCTYPE ... [...]>`, and none is read")
    if system_id and "#" in system_id:
        raise _RefusedError("the address in its DOCTYPE has a fragment (`#`)")


def _parsed(text: str, start: Callable[[str, dict[str, str]], None], end: Callable[[], object]) -> str | None:
    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    parser.namespace_prefixes = True
    parser.StartDoctypeDeclHandler = _doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _tag: end()
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        return f"{expat.ErrorString(error.code)} at line {error.lineno}, column {error.offset + 1}"
    except _RefusedError as error:
        return str(error)
    except UnicodeEncodeError:
        return "it holds half of a character (a lone surrogate)"
    return None


def xml_problem(text: str) -> str | None:
    """Why a text is not one well-formed XML document; None when it is."""
    return Elements(()).read(text)


@dataclass(slots=True)
class _Open:
    name: str
    start: int
    inner: list[Span]
    """Complete elements inside it, in case that it never closes."""


def xml_spans(text: str) -> Iterator[Span]:
    """Where elements stand in a text, from a start tag to its end tag, the outermost ones. Linear in its length."""
    open_: list[_Open] = []
    for tag in _TAG.finditer(text):
        name = tag["name"]
        if name is None:
            continue
        done = None
        if not tag["close"]:
            if tag["rest"].endswith("/"):
                done = Span(tag.start(), tag.end())
            else:
                open_.append(_Open(name, tag.start(), []))
        elif open_ and open_[-1].name == name:
            done = Span(open_.pop().start, tag.end())
        else:  # nothing that is open now ends as it should
            yield from _given_up(open_)
        if done is None:
            continue
        if open_:
            open_[-1].inner.append(done)
        else:
            yield done
    yield from _given_up(open_)


def _given_up(open_: list[_Open]) -> Iterator[Span]:
    for one in open_:
        yield from one.inner
    open_.clear()
