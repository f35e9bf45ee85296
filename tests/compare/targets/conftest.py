"""An empty store."""

from __future__ import annotations

from tests.compare.diff.conftest import store

__all__ = ["store"]
