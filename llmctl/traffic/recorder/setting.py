"""What the process that writes recorded calls down is told first."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from llmctl.traffic.journal import TrafficHead

__all__ = ["LENGTH_BYTES", "Setting"]

LENGTH_BYTES = 8
"""Before it stands its length, big-endian."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Where to write, and how to read what is recorded."""

    store: Path
    head: TrafficHead
    keys: tuple[str, ...] = field(default=(), repr=False)
    """Never to be written."""
    prompt_header: bytes = b"x-llmctl-prompt"
    """In lower case."""
    provider: str | None = None
    """litellm's name of who answers, where the upstream's address says so."""
