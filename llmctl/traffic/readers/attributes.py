"""Attributes of spans by their dotted names, whether they stand flat (`llm.model_name`) or nested in objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmctl.traffic.readers.values import decoded, literal

__all__ = ["NO_ATTRIBUTES", "Attributes", "nested"]

_DEEPEST = 12
_MOST_ITEMS = 100_000


class Attributes:
    """Attributes of one span, event or resource; read only."""

    __slots__ = ("values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def __bool__(self) -> bool:
        return bool(self.values)

    def get(self, *names: str) -> Any:
        """What the first of these names holds that has anything but null or an empty text; None: none has."""
        for name in names:
            found = self.values.get(name)
            if found is None:
                found = self._walk(name)
            if found is not None and found != "":
                return found
        return None

    def has(self, *prefixes: str) -> bool:
        """Whether a name is one of these, or begins with one of them and a dot."""
        dotted = tuple(f"{prefix}." for prefix in prefixes)
        if any(name in prefixes or name.startswith(dotted) for name in self.values):
            return True
        return any(self._walk(prefix) is not None for prefix in prefixes)

    def items(self, name: str) -> list[Any]:
        """The list under a name: as a list, as JSON in a text, or spread over names with numbers (`name.0.role`)."""
        direct = literal(self.get(name))
        if isinstance(direct, Mapping):
            direct = _listed(nested(direct), _DEEPEST)
            direct = direct if isinstance(direct, list) else [direct]
        if isinstance(direct, Sequence) and not isinstance(direct, str):
            return [nested(one) if isinstance(one, Mapping) else one for one in direct]
        spread = _listed(nested(dict(self._below(name))), _DEEPEST)
        return spread if isinstance(spread, list) else []

    def under(self, name: str) -> dict[str, Any]:
        """All that is below a name, by the rest of its name."""
        direct = decoded(self.get(name))
        return {**(direct if isinstance(direct, dict) else {}), **dict(self._below(name))}

    def _below(self, name: str) -> Iterator[tuple[str, Any]]:
        prefix = f"{name}."
        return ((key[len(prefix) :], value) for key, value in self.values.items() if key.startswith(prefix))

    def _walk(self, name: str) -> Any:
        """Down through objects; each step may take several parts of the name."""
        found: Any = self.values
        rest = name
        while rest and isinstance(found, Mapping):
            if rest in found:
                return found[rest]
            head, _, rest = rest.partition(".")
            while head not in found and rest:
                more, _, rest = rest.partition(".")
                head = f"{head}.{more}"
            found = found.get(head)
        return None if rest or found is self.values else found


NO_ATTRIBUTES = Attributes({})


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Objects within objects for dotted names: `{"message.role": "user"}` -> `{"message": {"role": "user"}}`.

    What has only numbers for names becomes a list.
    """
    if not any("." in name for name in values):
        return dict(values)
    tree: dict[str, Any] = {}
    for name, value in values.items():
        *path, last = str(name).split(".", _DEEPEST)
        place = tree
        for part in path:
            inner = place.setdefault(part, {})
            if not isinstance(inner, dict):
                inner = place[part] = {}
            place = inner
        place[last] = value
    return {name: _listed(value, _DEEPEST) for name, value in tree.items()}


def _listed(value: Any, depth: int) -> Any:
    if not isinstance(value, dict) or depth == 0 or not value:
        return value
    found = {name: _listed(item, depth - 1) for name, item in value.items()}
    if len(found) < _MOST_ITEMS and all(isinstance(name, str) and name.isdecimal() and len(name) < 8 for name in found):
        return [found[name] for name in sorted(found, key=int)]
    return found
