"""One side of a comparison: results that lie in a database of the store's schema, under one run id.

A run is there already. Files are planned, their call keys computed, and what is stored of those calls is scored into a
run of a temporary database: from there on, every side is read alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

__all__ = ["Side", "SideKind"]


class SideKind(StrEnum):
    """What a side was given as."""

    RUN = "run"
    FILES = "files"
    """The files at a revision, or as they lie here."""
    PROMPT = "prompt"


@dataclass(frozen=True, slots=True)
class Side:
    """Where the results of a side lie, and what it is called."""

    reference: str
    """As the user gave it; empty for the files as they lie here."""
    title: str
    """For people: `run 20261123-1 (nightly)`, `main (4f2a91c)`, `the files here`."""
    kind: SideKind
    database: Path
    run_id: str
    commit: str | None = None
    dirty: bool | None = None
    labels: tuple[str, ...] | None = None
    """The prompt labels of the run that count; None: all."""
    planned: int = 0
    """Results that the side would have."""
    missing: int = 0
    """Results among them of whose calls no answer is stored."""
    unjudged: int = 0
    """Results whose answer is stored but whose evaluators would have to ask a judge first."""
    prompt: str | None = None
    """The name of the prompt that was asked for; None: not a single one."""
    rev: str | None = None
    """The git revision that the prompts come from; None: a run, or the files as they lie here."""
    stale: int = 0
    """Results of files whose answer is older than `cache_max_age` though their model's name may mean another today."""
    oldest: datetime | None = None
    """When the oldest answer of files was made, in UTC; None: a run, or no answer."""
    notes: tuple[str, ...] = ()
    """What a reader should know of the side, each one sentence."""
