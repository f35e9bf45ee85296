"""A config in place of one that has mistakes, so that `validate` can still check every other file."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from llmctl.project.models import Config, ModelConfig

__all__ = ["stand_in_config"]


class _AnyModel(Mapping[str, ModelConfig]):
    """Has every model: what the broken file says of them cannot be known, and its own mistakes are said already."""

    def __getitem__(self, name: str) -> ModelConfig:
        return ModelConfig(name, "fake/echo")

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def stand_in_config(path: Path) -> Config:
    """The defaults, with the folders that the file names where they can be read and lie inside the project."""
    root = path.resolve().parent
    named = _project_table(path)

    def folder(key: str) -> Path:
        given = named.get(key)
        inside = isinstance(given, str) and (root / given).resolve().is_relative_to(root)
        return root / str(given) if inside else root / key

    return Config(root, path, folder("prompts"), folder("testbanks"), root / ".llmctl", models=_AnyModel())


def _project_table(path: Path) -> Mapping[str, object]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("project")
    except (OSError, ValueError):
        return {}
    return table if isinstance(table, dict) else {}
