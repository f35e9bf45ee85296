"""What prompts and banks are called: the path below their folder, without the ending."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from llmctl.errors import ProjectError, UsageError
from llmctl.project.models import Config
from llmctl.project.shape_errors import nearest, quoted_list
from llmctl.project.sources import Source, WorkingTree
from llmctl.project.syntax.yaml_reader import read_yaml

__all__ = [
    "bank_files",
    "bank_names",
    "file_of",
    "folder_of",
    "hidden_twins",
    "prompt_files",
    "prompt_names",
    "resolve_bank_name",
    "resolve_bank_names",
    "resolve_prompt_name",
]

SUFFIXES = (".yaml", ".yml")
# Only a bank that may include a YAML table is parsed to find out which.
_INCLUDES_YAML = re.compile(rb"""^["']?include["']?\s*:.*\.ya?ml""", re.MULTILINE | re.DOTALL | re.IGNORECASE)


def prompt_names(config: Config, source: Source) -> list[str]:
    """Every prompt of the project, sorted."""
    return list(prompt_files(config, source))


def bank_names(config: Config, source: Source) -> list[str]:
    """Every bank of the project, sorted; a YAML table that a bank includes is none."""
    return list(bank_files(config, source))


def prompt_files(config: Config, source: Source) -> dict[str, PurePosixPath]:
    """Every prompt's name and file."""
    return _files(source, folder_of(config, config.prompts))


def bank_files(config: Config, source: Source) -> dict[str, PurePosixPath]:
    """Every bank's name and file."""
    files = _files(source, folder_of(config, config.testbanks))
    tables = {table for path in files.values() for table in _yaml_tables(source, path)}
    return {name: path for name, path in files.items() if path not in tables}


def hidden_twins(source: Source, folder: PurePosixPath) -> list[PurePosixPath]:
    """Files that nothing reads, because another one has the same name with the other ending."""
    first, second = SUFFIXES
    read = set(source.list(folder, first))
    return [path for path in source.list(folder, second) if path.with_suffix(first) in read]


def folder_of(config: Config, folder: Path) -> PurePosixPath:
    """A folder of the config relative to the project's root, as a source wants it."""
    return PurePosixPath(folder.relative_to(config.root).as_posix())


def file_of(source: Source, folder: PurePosixPath, name: str) -> PurePosixPath:
    """The file of one prompt or bank; where there is none, the one that should be there."""
    return _files(source, folder).get(name, folder / f"{name}.yaml")


def resolve_prompt_name(config: Config, text: str, source: Source | None = None) -> str:
    """The name of a prompt that is given as a name or as a path.

    Raises:
        UsageError: there is no such prompt; names the nearest one.
    """
    names = prompt_names(config, source or WorkingTree(config.root))
    return _resolve(text, "prompt", config.prompts, config.root, names)


def resolve_bank_name(config: Config, text: str, source: Source | None = None) -> str:
    """The name of a bank that is given as a name or as a path.

    Raises:
        UsageError: there is no such bank; names the nearest one.
    """
    return resolve_bank_names(config, [text], source)[0]


def resolve_bank_names(config: Config, texts: Iterable[str], source: Source | None = None) -> list[str]:
    """The same of several: each bank once, in the order in which they are given.

    Raises:
        UsageError: one of them is no bank; names the nearest one.
    """
    names = bank_names(config, source or WorkingTree(config.root))
    return list(dict.fromkeys(_resolve(text, "bank", config.testbanks, config.root, names) for text in texts))


def _files(source: Source, folder: PurePosixPath) -> dict[str, PurePosixPath]:
    """Names and files, sorted by name; of two files with one name, the `.yaml` one."""
    found = {}
    for suffix in reversed(SUFFIXES):
        for path in source.list(folder, suffix):
            found[path.relative_to(folder).as_posix().removesuffix(suffix)] = path
    return dict(sorted(found.items()))


def _yaml_tables(source: Source, bank: PurePosixPath) -> Iterator[PurePosixPath]:
    """The YAML files that a bank includes."""
    try:
        raw = source.read(bank)
    except (ProjectError, RuntimeError):  # said where the bank is read
        return
    if not _INCLUDES_YAML.search(raw):
        return
    data = read_yaml(raw, Path(bank)).data
    includes = data.get("include") if isinstance(data, dict) else None
    for include in includes if isinstance(includes, list) else ():
        file = include.get("file") if isinstance(include, dict) else None
        if isinstance(file, str):
            yield PurePosixPath(posixpath.normpath(bank.parent / file))


def _resolve(text: str, what: str, folder: Path, root: Path, names: Sequence[str]) -> str:
    for candidate in _candidates(text, folder, root):
        if candidate in names:
            return candidate
    hint = nearest(text, names) or (f"Known: {quoted_list(names)}." if names else f"There are no {what}s yet.")
    raise UsageError(f"There is no {what} `{text}`.", hint=hint)


def _candidates(text: str, folder: Path, root: Path) -> Iterator[str]:
    """What a text may mean: a name, a path below the folder, a path from here or from the root."""
    yield text
    for base in (folder, Path.cwd(), root):
        path = Path(os.path.normpath(base / text))
        if path.suffix in SUFFIXES and path.is_relative_to(folder):
            yield path.relative_to(folder).with_suffix("").as_posix()
