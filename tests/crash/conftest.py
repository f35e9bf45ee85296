"""The small project and the command line of `tests/cli`, for the tests of crashes too."""

from __future__ import annotations

from tests.cli.conftest import llmctl, project

__all__ = ["llmctl", "project"]
