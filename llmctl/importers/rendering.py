"""A finished import for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llmctl.importers.conversion import Conversion, Fate, Note
from llmctl.report.layout import Cell, block, styled
from llmctl.report.numbers import count

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["conversion_json", "conversion_text"]

_TITLES = {
    Fate.CONVERTED: ("Converted", "green"),
    Fate.CHANGED: ("Changed in meaning, or to be known about", "yellow"),
    Fate.LEFT_OUT: ("Not converted", "bold red"),
}
_MAX_WHAT = 60


def conversion_text(conversion: Conversion, width: int) -> Text:
    """What was written, and what became of each part."""
    wrote = "Would write" if conversion.dry_run else "Wrote"
    text = styled(f"{wrote if conversion.files else 'Nothing changed.'}\n", "bold")
    for path in conversion.files:
        text.append_text(styled(f"  {_relative(path)}\n"))
    for fate, (title, style) in _TITLES.items():
        notes = [note for note in conversion.notes if note.fate is fate]
        if notes:
            text.append_text(styled(f"\n{title}\n", style))
        for note in notes:
            text.append_text(_note(note, width))
    text.append_text(styled(f"\n{_summary(conversion)}\n"))
    return text


def conversion_json(conversion: Conversion) -> dict[str, object]:
    """The document of `--json`."""
    return {
        "schema": "llmctl/import/1",
        "tool": conversion.tool,
        "source": str(conversion.source),
        "dry_run": conversion.dry_run,
        "files": [str(path) for path in conversion.files],
        "prompts": list(conversion.prompts),
        "banks": dict(conversion.banks),
        "models": list(conversion.models),
        "notes": [
            {
                "fate": note.fate.value,
                "what": note.what,
                "how": note.how,
                "count": note.count,
                "places": [str(place) for place in note.places],
            }
            for note in conversion.notes
        ],
    }


def _note(note: Note, width: int) -> Text:
    what = note.what.replace("\n", " ")
    what = what if len(what) <= _MAX_WHAT else f"{what[:_MAX_WHAT]}..."
    times = f" ({note.count} times)" if note.count > 1 else ""
    into = "->" if note.fate is Fate.CONVERTED else ":"
    sentence = f"{what}{times} {into} {note.how}" if into == "->" else f"{what}{times}: {note.how}"
    text = block("-", Cell(sentence), width, indent=2, column=2)
    if note.places and note.fate is not Fate.CONVERTED:
        text.append_text(block("", Cell(_places(note)), width, indent=4, column=0))
    return text


def _places(note: Note) -> str:
    more = ", ..." if note.count > len(note.places) else ""
    return f"at {', '.join(map(str, note.places))}{more}"


def _summary(conversion: Conversion) -> str:
    cases = sum(conversion.banks.values())
    counted = [
        *([_counted(len(conversion.prompts), "prompt")] if conversion.prompts else []),
        _counted(len(conversion.banks), "bank"),
        _counted(cases, "case"),
        *([_counted(len(conversion.models), "new model")] if conversion.models else []),
    ]
    left = list(_fates(conversion.notes))
    return f"{', '.join(counted)}{'; ' if left else ''}{', '.join(left)}."


def _fates(notes: Sequence[Note]) -> Iterator[str]:
    changed = sum(note.fate is Fate.CHANGED for note in notes)
    left_out = sum(note.fate is Fate.LEFT_OUT for note in notes)
    if changed:
        yield f"{count(changed)} changed in meaning"
    if left_out:
        yield f"{count(left_out)} not converted"


def _counted(number: int, noun: str) -> str:
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"


def _relative(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
