"""The node graph of a YAML text: composed under limits, measured, and searched for places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from llmctl.project.syntax.document import DataPath, Spot

__all__ = [
    "MAX_DEPTH",
    "MAX_NODES",
    "PLAIN",
    "TEXT",
    "Extent",
    "LimitError",
    "NodeLocator",
    "PythonLoader",
    "compose",
    "extent",
]

MAX_DEPTH = 64
MAX_NODES = 2_000_000
PLAIN = "plain"
"""The tag of a scalar without quotes: what it means is not decided yet."""
TEXT = "text"
"""The tag of every other value without a tag of its own."""


class LimitError(yaml.MarkedYAMLError):
    """The file is nested too deep or has too many values."""


class _Limits:
    """Mixed into a loader: counts nodes and levels while they are composed, and leaves scalars unresolved."""

    depth = 0
    count = 0

    def resolve(self, kind: type[Node], _value: object, implicit: Any) -> str:
        return PLAIN if kind is ScalarNode and implicit[0] else TEXT

    def descend_resolver(self, parent: Node | None, _index: object) -> None:
        self.depth += 1
        self.count += 1
        if self.depth > MAX_DEPTH:
            raise LimitError(problem=f"is nested deeper than {MAX_DEPTH} levels", problem_mark=_mark(parent))
        if self.count > MAX_NODES:
            raise LimitError(problem=f"has more than {MAX_NODES:,} values", problem_mark=_mark(parent))

    def ascend_resolver(self) -> None:
        self.depth -= 1


class PythonLoader(_Limits, yaml.SafeLoader):
    """Where PyYAML was built without libyaml."""


if yaml.__with_libyaml__:

    class _FastLoader(_Limits, yaml.CSafeLoader):
        """Five times as fast."""


_LOADER: type[Any] = _FastLoader if yaml.__with_libyaml__ else PythonLoader


def compose(text: str, loader: type[Any] = _LOADER) -> Node | None:
    """The graph of one document, None of an empty one.

    Raises:
        yaml.YAMLError: the syntax is broken or a limit is passed.
    """
    composer = loader(text)
    try:
        root: Node | None = composer.get_single_node()
    finally:
        composer.dispose()
    return root


def _mark(node: Node | None) -> Any:
    return node.start_mark if node is not None else None


@dataclass(frozen=True, slots=True)
class Extent:
    """How large a value is when every alias is written out."""

    size: int
    height: int


_LEAF = Extent(1, 1)


def extent(node: Node, known: dict[int, Extent | None]) -> Extent:
    """How large a node is when every alias below it is written out; `known` begins empty."""
    if isinstance(node, ScalarNode):
        return _LEAF
    if id(node) in known:
        return known[id(node)] or _LEAF  # None: a cycle, which is already reported
    known[id(node)] = None
    children = [child for item in node.value for child in (item if isinstance(item, tuple) else (item,))]
    inner = [extent(child, known) for child in children]
    whole = Extent(1 + sum(one.size for one in inner), 1 + max((one.height for one in inner), default=0))
    known[id(node)] = whole
    return whole


class NodeLocator:
    """Walks the node graph along a path, only when a place is asked for."""

    def __init__(self, root: Node) -> None:
        self._root = root

    def value(self, path: DataPath) -> Spot | None:
        """Where the value at the path begins."""
        return _spot(self._walk(path)[1])

    def key(self, path: DataPath) -> Spot | None:
        """Where the key of the value stands."""
        return _spot(self._walk(path)[0])

    def text(self, path: DataPath) -> Spot | None:
        """Where the first character of a text stands."""
        node = self._walk(path)[1]
        spot = _spot(node)
        if not isinstance(node, ScalarNode) or not node.style:
            return spot
        if node.style in "|>":
            return Spot(spot.line + 1, 1)
        return Spot(spot.line, spot.column + 1)

    def _walk(self, path: DataPath) -> tuple[Node, Node]:
        """The key node and the value node of the deepest part of the path that exists."""
        key, value = self._root, self._root
        for step in path:
            found = _child(value, step)
            if found is None:
                break
            key, value = found
        return key, value


def _child(node: Node, step: str | int) -> tuple[Node, Node] | None:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if isinstance(key, ScalarNode) and key.value == step:
                return key, value
    elif isinstance(node, SequenceNode) and isinstance(step, int) and 0 <= step < len(node.value):
        return node.value[step], node.value[step]
    return None


def _spot(node: Node) -> Spot:
    return Spot(node.start_mark.line + 1, node.start_mark.column + 1)
