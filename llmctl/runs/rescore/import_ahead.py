"""Brings a journal into the store while it still grows, beside the work of other processes."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from types import TracebackType
from typing import Self

from llmctl.errors import StoreError
from llmctl.runs.importer import ImportSummary, import_journals

__all__ = ["ImportAhead"]

_WORTH_LINES = 10_000
"""As many as one transaction takes in."""


class ImportAhead:
    """Imports in a thread, so that less is left at the end. An asynchronous context manager.

    What it cannot do (the disk is full, another process has the store) is left to the import at the end, which says it.
    """

    def __init__(self, store: Path, lines: int) -> None:
        """`lines`: how many the journal has to begin with."""
        self._store = store
        self._lines = lines
        self._task: asyncio.Task[ImportSummary] | None = None

    def grown(self, lines: int) -> None:
        """So many lines more are in the journal."""
        self._lines += lines
        if self._lines >= _WORTH_LINES and (self._task is None or self._task.done()):
            self._lines = 0
            self._task = asyncio.create_task(self._import())

    async def _import(self) -> ImportSummary:
        with contextlib.suppress(StoreError):  # the import at the end tries again, and says why it cannot
            return await asyncio.to_thread(import_journals, self._store, wait_s=0)
        return ImportSummary()

    async def __aenter__(self) -> Self:
        self.grown(0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            await self._task
