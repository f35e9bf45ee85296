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
    from llmctl.providers.redaction import Redactor

__all__ = ["Session"]

_LARGEST_ENV_FILE_BYTES = 2**20


class Session:
    """One command's surroundings; files are read when they are asked for."""

    def __init__(self, directory: Path = Path(), env_file: Path | None = None) -> None:
        self.directory = directory
        self.env_file = env_file

    @cached_property
    def environ(self) -> Mapping[str, str]:
        """The environment, over it the lines of `--env-file`; no `.env` is ever read unasked."""
        if self.env_file is None:
            return dict(os.environ)
        return {**os.environ, **_read_env_file(self.env_file)}

    @cached_property
    def redactor(self) -> Redactor:
        """Knows the keys of this environment, and takes them out of what is printed and kept."""
        from llmctl.providers.redaction import Redactor

        try:
            return Redactor(self.environ)
        except UsageError:  # the env file cannot be read: about to be said
            return Redactor(os.environ)

    @cached_property
    def config(self) -> Config:
        """The project's `llmctl.toml`, searched upward."""
        from llmctl.project import loader

        config = loader.load_config(self.config_path, self.environ)
        self.redactor.learn(self.environ.get(name, "") for name in config.key_variables)
        return config

    @cached_property
    def config_path(self) -> Path:
        """Where it lies."""
        from llmctl.project import loader

        if not self.directory.is_dir():
            raise UsageError(f"There is no directory {self.directory}.")
        return loader.find_config(self.directory)


def _read_env_file(path: Path) -> dict[str, str]:
    """The variables of a file of NAME=value lines; what is wrong with a line is said without showing it."""
    values = {}
    for number, line in enumerate(_text_of(path).split("\n"), 1):
        entry = line.strip().removeprefix("export ").strip()
        if not entry or entry.startswith("#"):
            continue
        name, equals, value = entry.partition("=")
        if not equals or not name.strip().isidentifier():
            raise UsageError(f"{path}:{number}: this line is not NAME=value.")
        if "\0" in value:
            raise UsageError(f"{path}:{number}: this line holds a NUL character.")
        values[name.strip()] = _unquoted(value.strip())
    return values


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_ENV_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"The file {path} given by --env-file cannot be read: {error.strerror}.") from None
    if len(data) > _LARGEST_ENV_FILE_BYTES:
        raise UsageError(f"The file {path} given by --env-file is larger than 1 MB.", hint="Is it the right file?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Not the error itself: it would carry the file's content into a traceback.
        raise UsageError(f"The file {path} given by --env-file is not UTF-8 text.") from None


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value
