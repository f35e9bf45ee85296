"""Paths into a logged line: `req.messages[0].content`, or a JSON pointer `/req/messages/0/content`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmctl.project.json_pointer import split_pointer
from llmctl.traffic.readers.values import decoded

__all__ = ["Path", "parse_path"]

_STEP = re.compile(r"""(?:^|\.)(?P<key>[^.\[\]"]+)|\[(?P<index>-?\d{1,9})\]|\["(?P<quoted>[^"]*)"\]""")


@dataclass(frozen=True, slots=True)
class Path:
    """Where a value stands."""

    text: str
    """As it was written."""
    keys: tuple[str | int, ...]
    """Names of an object, or places in a list: from 0, or from -1 backwards."""

    def find(self, value: Mapping[str, object]) -> object:
        """What stands there; None: nothing. A column with exactly this name wins; JSON in a text is gone into."""
        if self.text in value:
            return value[self.text]
        found: object = value
        for key in self.keys:
            found = _step(decoded(found), key)
            if found is None:
                return None
        return found


def _step(value: object, key: str | int) -> object:
    if isinstance(value, Mapping):
        return value.get(str(key))
    if isinstance(value, Sequence) and not isinstance(value, str):
        place = key if isinstance(key, int) else int(key) if key.isascii() and key.isdigit() and len(key) < 10 else None
        if place is not None and -len(value) <= place < len(value):
            return value[place]
    return None


def parse_path(text: str) -> Path:
    """Read a path.

    Raises:
        ValueError: it is none; ends a sentence that begins with it, and says at which character.
    """
    if text.startswith("/"):
        return Path(text, split_pointer(text))
    keys: list[str | int] = []
    at = 0
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            raise ValueError(f"cannot be read from character {at + 1} on")
        at = step.end()
        keys.append(int(step["index"]) if step["index"] else step["quoted"] or step["key"])
    if not keys:
        raise ValueError("is empty")
    return Path(text, tuple(keys))
