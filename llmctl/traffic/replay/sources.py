"""Which logged calls are meant: files, which are imported first, an import, or all that is there."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from llmctl.errors import UsageError
from llmctl.providers.redaction import Redactor
from llmctl.runs.store_reader import StoreReader
from llmctl.store.layout import TRAFFIC
from llmctl.traffic.filters import TrafficFilter
from llmctl.traffic.identity import ID_DIGITS
from llmctl.traffic.importing import Importing, TrafficImport, import_traffic
from llmctl.traffic.sources import STDIN, sources_of

__all__ = ["LAST_IMPORT", "Logs", "Meant"]

LAST_IMPORT = "@last"
_SHORTEST = 6
_IMPORT_ID = re.compile(r"[0-9][0-9A-Za-z-]*")


@dataclass(frozen=True, slots=True)
class Meant:
    """The calls that are meant, and what became of files on the way."""

    chosen: TrafficFilter
    imported: TrafficImport | None = None
    """None: no file was named."""


@dataclass(frozen=True, slots=True)
class Logs:
    """Where logged calls are, and how files of them are imported."""

    store: Path
    directory: Path
    """What paths are relative to."""
    importing: Importing
    redactor: Redactor
    """Takes keys out of what is imported."""
    progress: Callable[[int], None] | None = None
    """Told every few thousand records how many were read."""

    def meant(self, named: Sequence[str], chosen: TrafficFilter) -> Meant:
        """Find the calls. Files are imported into the store first; importing again adds nothing.

        Args:
            named: files, folders and patterns; or imports by their id, or `@last`; or nothing: all that is there.
            chosen: what must hold of the calls beside that.

        Raises:
            UsageError: there is no such file or import.
            StoreError: the store cannot be read or written.
        """
        imports = [name for name in named if _names_import(name, self.directory)]
        if not named:
            return Meant(chosen)
        if imports and len(imports) < len(named):
            hint = "Import the files first: llmctl traffic import FILE."
            raise UsageError("Name files or imports, not both.", hint=hint)
        if imports:
            ids = tuple(_import_id(self.store, name) for name in imports)
            return Meant(replace(chosen, imports=(*chosen.imports, *ids)))
        sources = sources_of(named, directory=self.directory)
        how = replace(self.importing, collect=True)
        done = import_traffic(self.store, sources, how, self.redactor, progress=self.progress)
        return Meant(replace(chosen, ids=frozenset(f"{number:0{ID_DIGITS}x}" for number in done.ids)), done)


def _names_import(name: str, directory: Path) -> bool:
    """Whether a word is an import and no file."""
    if name == LAST_IMPORT:
        return True
    if name == STDIN or (directory / name).exists():
        return False
    return len(name) >= _SHORTEST and _IMPORT_ID.fullmatch(name) is not None


def _import_id(store: Path, name: str) -> str:
    rows = StoreReader(store).rows("SELECT run_id FROM traffic_journals ORDER BY run_id", [])
    found = [str(row[0]).removeprefix(TRAFFIC) for row in rows]
    if name == LAST_IMPORT:
        if not found:
            raise UsageError("Nothing was imported yet.", hint="llmctl traffic import FILE, or llmctl replay FILE.")
        return found[-1]
    matching = [one for one in found if one.startswith(name)]
    if len(matching) == 1 or name in matching:
        return name if name in matching else matching[0]
    if matching:
        some = ", ".join(matching[:5])
        raise UsageError(f'"{name}" means more than one import: {some}.', hint="Give more of the id.")
    hint = 'The imports: llmctl sql "SELECT DISTINCT import_id FROM traffic"'
    raise UsageError(f'There is no file and no import "{name}".', hint=hint)
