"""The small project and the command line of the front-door tests."""

from __future__ import annotations

from tests.cli.conftest import llmctl, project

__all__ = ["llmctl", "project"]
