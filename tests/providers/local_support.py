"""What the tests of local models share: the real weights where they are, and a short private temporary folder."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmctl.errors import ModelError
from llmctl.providers.local import weights

__all__ = ["real_weights", "short_tmp"]


@pytest.fixture
def real_weights() -> Path:
    """The pulled model; `make test` pulls it first."""
    if importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("xllamacpp is not installed")
    try:
        return weights.find("smollm2-135m").path
    except ModelError as error:
        pytest.skip(f"{error} {error.hint}")


@pytest.fixture
def short_tmp(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder with a path short enough for a socket, so that a test sees every folder left behind."""
    with tempfile.TemporaryDirectory(prefix="t", ignore_cleanup_errors=True) as name:
        monkeypatch.setenv("TMPDIR", name)
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield Path(name)
    monkeypatch.setattr(tempfile, "tempdir", None)
