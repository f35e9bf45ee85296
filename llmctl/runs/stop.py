"""How a run is asked to end before its plan is done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from llmctl.errors import ExitCode

__all__ = ["Stop"]


class Stop:
    """Asks a run to end: first after what is in flight, then at once."""

    def __init__(self) -> None:
        self.requested = False
        self.reason: str | None = None
        """Why a run stops by itself; None where a person asked for it."""
        self.code = ExitCode.STOPPED
        """What a run that stops by itself ends with."""
        self._tasks: list[asyncio.Task[None]] = []
        self._dropped: Callable[[], None] = lambda: None

    def request(self, reason: str | None = None, code: ExitCode = ExitCode.STOPPED) -> None:
        """Nothing new is sent."""
        if not self.requested:
            self.requested, self.reason, self.code = True, reason, code

    def press(self) -> None:
        """A person asks: the first time nothing new is sent, the second time what is in flight is dropped."""
        if self.requested:
            self.drop()
        self.request()

    def drop(self) -> None:
        """Send nothing, and drop what is in flight."""
        self.requested = True
        for task in self._tasks:
            task.cancel()
        self._dropped()

    def watch(self, tasks: Sequence[asyncio.Task[None]], dropped: Callable[[], None]) -> None:
        """Name the tasks that are dropped, and what else is told."""
        self._tasks = list(tasks)
        self._dropped = dropped
