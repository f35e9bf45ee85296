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
    """The defaults, with the folders and the names of the models where they can be read."""
    root = path.resolve().parent
    document = _readable(path)
    project = document.get("project")
    named = project if isinstance(project, dict) else {}

    def folder(key: str) -> Path:
        given = named.get(key)
        inside = isinstance(given, str) and (root / given).resolve().is_relative_to(root)
        return root / str(given) if inside else root / key

    return Config(
        root,
        path,
        folder("prompts"),
        folder("testbanks"),
        root / ".llmctl",
        models=_models(document),
        allow_code=True,  # nothing runs with this config, and what the broken one allows cannot be known
    )


def _models(document: Mapping[str, object]) -> Mapping[str, ModelConfig]:
    models = document.get("models")
    if not isinstance(models, dict):
        return _AnyModel()
    return {name: ModelConfig(name, "fake/echo") for name in models}


def _readable(path: Path) -> Mapping[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
