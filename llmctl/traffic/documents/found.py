"""What is found in a file: documents, and what could not be read of it."""

from __future__ import annotations

from dataclasses import dataclass

from llmctl.traffic.readers.base import Document, SetAside

__all__ = ["MAX_DOCUMENT_BYTES", "TOO_LONG", "Found", "Unreadable"]

MAX_DOCUMENT_BYTES = 32 * 2**20
"""A longer line, or value, is not read: reading one takes ten times its size."""
TOO_LONG = f"longer than {MAX_DOCUMENT_BYTES >> 20} MB"


@dataclass(slots=True)
class Unreadable(SetAside):
    """Damage: what a reader never got to see. Other things that are set aside were read, and are no calls."""


Found = Document | Unreadable
