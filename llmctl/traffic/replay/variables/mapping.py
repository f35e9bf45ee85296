"""`--map NAME=PATH`: variables that the user says where to find in a logged call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from llmctl.errors import UsageError
from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.readers.paths import parse_path
from llmctl.traffic.replay.variables.logged import comparable

__all__ = ["VariableMap"]

_FIELDS = tuple(field.name for field in fields(LoggedCall) if field.name not in ("messages", "feedback"))


class VariableMap:
    """The paths of some variables, read once."""

    def __init__(self, maps: Mapping[str, str]) -> None:
        """Read the paths.

        Raises:
            UsageError: one of them is none, or a name is empty.
        """
        self._paths = {}
        for name, place in maps.items():
            if not name.strip() or not place.strip():
                raise UsageError("--map takes NAME=PATH.", hint="For example --map email=messages[-1].content")
            try:
                self._paths[name.strip()] = parse_path(place.strip())
            except ValueError as mistake:
                raise UsageError(
                    f"--map {name}: the path {place} {mistake}.",
                    hint="A path begins with a field of a logged call: messages[-1].content, metadata.email, user.",
                ) from None

    @property
    def names(self) -> frozenset[str]:
        """The variables that it gives."""
        return frozenset(self._paths)

    def find(self, call: LoggedCall) -> dict[str, object]:
        """The values that are there; what is not is left out."""
        if not self._paths:
            return {}
        document: dict[str, object] = {name: getattr(call, name) for name in _FIELDS}
        document["messages"] = None if call.messages is None else list(comparable(call.messages))
        found = {name: path.find(document) for name, path in self._paths.items()}
        return {name: value for name, value in found.items() if value is not None}
