"""Ends what takes too long, with one timer for everything that is under way.

`asyncio.timeout` sets a timer for each call: 10 of the 200 microseconds that a call takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar

__all__ = ["Deadlines"]

_T = TypeVar("_T")


@dataclass(slots=True, eq=False)
class _Entry:
    task: asyncio.Task[Any]
    ends_at: float
    cancelling: int
    """How often others had asked the task to end before."""
    expired: bool = False


class Deadlines:
    """Of all that one event loop does for a gateway. Deadlines are alike, so the timer is rarely set anew."""

    def __init__(self) -> None:
        self._entries: set[_Entry] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def within(self, seconds: float, work: Awaitable[_T]) -> _T:
        """What `work` returns; it is cancelled when the time is over.

        Raises:
            TimeoutError: the time was over.
        """
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline holds for a task")
        loop = task.get_loop()
        entry = _Entry(task, loop.time() + seconds, task.cancelling())
        self._entries.add(entry)
        if self._timer is None or entry.ends_at < self._timer.when():
            self._set(loop, entry.ends_at)
        try:
            return await work
        except asyncio.CancelledError:
            # Somebody else may have cancelled the task as well: then it ends.
            if entry.expired and task.cancelling() - 1 <= entry.cancelling:
                raise TimeoutError from None
            raise
        finally:
            self._entries.discard(entry)
            if entry.expired:
                task.uncancel()

    def close(self) -> None:
        """Set no timer any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, loop: asyncio.AbstractEventLoop, when: float) -> None:
        self.close()
        self._timer = loop.call_at(when, self._ring, loop)

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer, now = None, loop.time()
        for entry in self._entries:
            if entry.ends_at <= now and not entry.expired:
                entry.expired = True
                entry.task.cancel()
        left = [entry.ends_at for entry in self._entries if not entry.expired]
        if left:
            self._set(loop, min(left))
