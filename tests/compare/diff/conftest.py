"""An empty store."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compare.diff.samples import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store without runs."""
    return Store(tmp_path)
