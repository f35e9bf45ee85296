"""What every command starts from: the directory, the environment, and the project found there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from llmctl.errors import UsageError

if TYPE_CHECKING:
    from llmctl.project.models import Config

__all__ = ["Session"]


class Session:
    """One command's surroundings; files are read when they are asked for."""

    def __init__(self, directory: Path, env_file: Path | None) -> None:
        self.directory = directory
        self.env_file = env_file

    @cached_property
    def environ(self) -> Mapping[str, str]:
        """The environment, over it the lines of `--env-file`; no `.env` is ever read unasked."""
        if self.env_file is None:
            return dict(os.environ)
        return {**os.environ, **_read_env_file(self.env_file)}

    @cached_property
    def config(self) -> Config:
        """The project's `llmctl.toml`, searched upward."""
        from llmctl.project import loader

        return loader.load_config(self.config_path, self.environ)

    @cached_property
    def config_path(self) -> Path:
        """Where it lies."""
        from llmctl.project import loader

        if not self.directory.is_dir():
            raise UsageError(f"There is no directory {self.directory}.")
        return loader.find_config(self.directory)


def _read_env_file(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The file {path} given by --env-file cannot be read: {error}.") from None
    values = {}
    for number, line in enumerate(text.split("\n"), 1):
        entry = line.strip().removeprefix("export ").strip()
        if not entry or entry.startswith("#"):
            continue
        name, equals, value = entry.partition("=")
        if not equals or not name.strip().isidentifier():
            raise UsageError(f"{path}:{number}: this line is not NAME=value.")
        values[name.strip()] = _unquoted(value.strip())
    return values


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value
