"""A config in place of one that has mistakes, so that `validate` can still check every other file."""

from __future__ import annotations

import dataclasses
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
    config = Config(root, path, root / "prompts", root / "testbanks", root / ".llmctl", models=_AnyModel())
    folders = {key: root / name for key, name in _named_folders(path).items()}
    return dataclasses.replace(config, **{key: folder for key, folder in folders.items() if _below(folder, root)})


def _named_folders(path: Path) -> dict[str, str]:
    try:
        project = tomllib.loads(path.read_text(encoding="utf-8")).get("project")
    except (OSError, ValueError):
        return {}
    if not isinstance(project, dict):
        return {}
    return {key: project[key] for key in ("prompts", "testbanks") if isinstance(project.get(key), str)}


def _below(folder: Path, root: Path) -> bool:
    return folder.resolve().is_relative_to(root)
