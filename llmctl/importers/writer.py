"""A draft as files: prompts, banks, their tables, and models in `llmctl.toml`. No file that exists is changed unasked.

All files are made and checked before the first is written; each appears whole or not at all. An `llmctl.toml` that is
there keeps all it has: models that it lacks are added at its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from llmctl.canonical import plain
from llmctl.errors import UnfinishedError, UsageError
from llmctl.importers.drafts import BankDraft, ProjectDraft
from llmctl.importers.toml_text import toml_table
from llmctl.importers.yaml_text import yaml_text
from llmctl.project.loader import CONFIG_NAME, find_config, load_config
from llmctl.project.models import Config
from llmctl.report.atomic import atomic_text

__all__ = ["Destination", "PlannedFile", "destination", "planned_files", "write_files"]

_SHOWN_FILES = 5


@dataclass(frozen=True, slots=True)
class Destination:
    """The project that an import goes to."""

    root: Path
    config: Config | None = None
    """None: there is no `llmctl.toml` yet."""

    @property
    def prompts(self) -> Path:
        """The folder of prompts."""
        return self.config.prompts if self.config else self.root / "prompts"

    @property
    def testbanks(self) -> Path:
        """The folder of banks."""
        return self.config.testbanks if self.config else self.root / "testbanks"


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file that an import writes."""

    path: Path
    text: str
    added_to: bool = False
    """Whether the file is there, and `text` is all of it with something added at its end."""


def destination(into: Path | None, start: Path, environ: Mapping[str, str]) -> Destination:
    """The project in `into`; without it the one that `start` belongs to, else a new one in `start`.

    Raises:
        ProjectError: its `llmctl.toml` holds mistakes.
    """
    if into is not None:
        path = into / CONFIG_NAME
        return Destination(into, load_config(path, environ) if path.exists() else None)
    try:
        path = find_config(start)
    except UsageError:
        return Destination(start)
    config = load_config(path, environ)
    return Destination(config.root, config)


def planned_files(draft: ProjectDraft, place: Destination) -> list[PlannedFile]:
    """The files of a draft, in the order in which they are written."""
    files = [PlannedFile(place.prompts / f"{one.name}.yaml", yaml_text(one.data)) for one in draft.prompts]
    for bank in draft.banks:
        files += _bank_files(bank, place.testbanks)
    config = _config_file(draft, place)
    return [*files, config] if config else files


def _bank_files(bank: BankDraft, folder: Path) -> Iterator[PlannedFile]:
    path = folder / f"{bank.name}.yaml"
    if not bank.in_table:
        yield PlannedFile(path, yaml_text({**bank.data, "cases": list(bank.cases)}))
        return
    table = path.with_suffix(".jsonl")
    yield PlannedFile(table, "".join(f"{orjson.dumps(plain(case)).decode()}\n" for case in bank.cases))
    yield PlannedFile(path, yaml_text({**bank.data, "include": [{"file": table.name}]}))


def _config_file(draft: ProjectDraft, place: Destination) -> PlannedFile | None:
    tables = [toml_table(("models", model.name), model.data) for model in draft.models]
    if place.config is None:
        tables += [toml_table((name,), data) for name, data in draft.settings.items() if data]
        return PlannedFile(place.root / CONFIG_NAME, "\n".join(tables) or "[project]\n")
    if not tables:
        return None
    try:
        old = place.config.path.read_text(encoding="utf-8-sig").rstrip("\n")
    except OSError as error:
        raise UnfinishedError(f"The file {place.config.path} cannot be read: {error.strerror}.") from error
    return PlannedFile(place.config.path, "\n\n".join([old, "\n".join(tables)]).lstrip("\n"), added_to=True)


def write_files(files: Sequence[PlannedFile], *, force: bool = False) -> None:
    """Write all files.

    Raises:
        UsageError: one of them exists, and `force` is not given; nothing was written.
        UnfinishedError: a file cannot be written; those before it are there.
    """
    there = [file.path for file in files if not file.added_to and file.path.exists()]
    if there and not force:
        more = f" and {len(there) - _SHOWN_FILES} more" if len(there) > _SHOWN_FILES else ""
        names = ", ".join(str(path) for path in there[:_SHOWN_FILES])
        verb = "exists" if len(there) == 1 else "exist"
        raise UsageError(f"{names}{more} {verb} already.", hint="--force replaces, --into DIR writes elsewhere.")
    for file in files:
        try:
            file.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UnfinishedError(f"The folder {file.path.parent} cannot be made: {error.strerror}.") from error
        with atomic_text(file.path) as out:
            out.write(file.text)
