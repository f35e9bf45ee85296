"""Names for imported things: short, fit for a file of any system, each used once."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["Names", "slug"]

_MAX_CHARACTERS = 48
_OTHER = re.compile(r"[^a-z0-9]+")
# Files that Windows keeps for its devices.
_RESERVED = re.compile(r"con|prn|aux|nul|com[0-9]|lpt[0-9]")


def slug(text: str, otherwise: str) -> str:
    """The text in lower-case ASCII letters, digits and hyphens; `otherwise` where nothing is left of it."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    short = _OTHER.sub("-", ascii_text[: 4 * _MAX_CHARACTERS]).strip("-")
    if len(short) > _MAX_CHARACTERS:
        cut = short[:_MAX_CHARACTERS]
        short = cut.rsplit("-", 1)[0] if "-" in cut[_MAX_CHARACTERS // 2 :] else cut
    return otherwise if not short or _RESERVED.fullmatch(short) else short


class Names:
    """Gives each name out once: the second `triage` is `triage-2`."""

    def __init__(self, taken: frozenset[str] = frozenset()) -> None:
        self._taken = set(taken)
        self._next: dict[str, int] = {}

    def new(self, wanted: str) -> str:
        """The name, with a number behind it where it is taken."""
        name, number = wanted, self._next.get(wanted, 2)
        while name in self._taken:
            name, number = f"{wanted}-{number}", number + 1
        self._next[wanted] = number
        self._taken.add(name)
        return name
