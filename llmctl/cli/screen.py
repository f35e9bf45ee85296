"""The two consoles: the report goes to stdout, progress and warnings to stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["print_json", "stderr", "stdout"]


def stdout() -> Console:
    """For the report. Nothing in a text is taken for markup: it may come from a model."""
    from rich.console import Console

    return Console(file=sys.stdout, markup=False, emoji=False, highlight=False, soft_wrap=False)


def stderr() -> Console:
    """For progress, warnings and errors."""
    from rich.console import Console

    return Console(file=sys.stderr, markup=False, emoji=False, highlight=False, soft_wrap=False)


def print_json(document: object) -> None:
    """One JSON document on stdout."""
    from llmctl.report.documents import json_text

    sys.stdout.write(json_text(document) + "\n")
