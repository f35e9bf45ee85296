"""What became of each part of an imported project: converted, changed in meaning, or left out.

An importer adds a note for everything that it meets: nothing is dropped in silence. Equal notes are counted, so that a
thousand cases with one trait are one line of the report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from llmctl.errors import Place

__all__ = ["Conversion", "Fate", "Note", "Notes"]

_PLACES = 3


class Fate(StrEnum):
    """What became of a part."""

    CONVERTED = "converted"
    CHANGED = "changed"
    """Converted, and it means something else now."""
    LEFT_OUT = "left_out"


@dataclass(frozen=True, slots=True)
class Note:
    """One kind of part, and what became of it."""

    fate: Fate
    what: str
    """The part in its own tool's words: `contains-any`, `prompts/a.txt`."""
    how: str
    """What it became; for a change or a part left out a sentence that says why."""
    places: tuple[Place, ...] = ()
    """The first places."""
    count: int = 1


@dataclass(slots=True)
class Notes:
    """The notes of one import while it goes on."""

    _counts: dict[tuple[Fate, str, str], int] = field(default_factory=dict)
    _places: dict[tuple[Fate, str, str], list[Place]] = field(default_factory=dict)

    def converted(self, what: str, into: str, place: Place | None = None) -> None:
        """The part means the same as before."""
        self._add((Fate.CONVERTED, what, into), place)

    def changed(self, what: str, why: str, place: Place | None = None) -> None:
        """The part was converted and means something else, or has more to be known about."""
        self._add((Fate.CHANGED, what, why), place)

    def left_out(self, what: str, why: str, place: Place | None = None) -> None:
        """The part could not be converted."""
        self._add((Fate.LEFT_OUT, what, why), place)

    def list(self) -> tuple[Note, ...]:
        """All notes by fate, in the order in which they first came."""
        notes = [
            Note(fate, what, how, tuple(self._places[fate, what, how]), count)
            for (fate, what, how), count in self._counts.items()
        ]
        order = list(Fate)
        return tuple(sorted(notes, key=lambda note: order.index(note.fate)))

    def _add(self, key: tuple[Fate, str, str], place: Place | None) -> None:
        self._counts[key] = self._counts.get(key, 0) + 1
        places = self._places.setdefault(key, [])
        if place is not None and len(places) < _PLACES and place not in places:
            places.append(place)


@dataclass(frozen=True, slots=True)
class Conversion:
    """A finished import, as it is reported."""

    tool: str
    """`promptfoo`."""
    source: Path
    notes: tuple[Note, ...]
    prompts: tuple[str, ...]
    banks: Mapping[str, int]
    """The number of cases of each."""
    models: tuple[str, ...]
    files: tuple[Path, ...]
    """What was written, or would be."""
    dry_run: bool = False
