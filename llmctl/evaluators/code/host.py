"""Where code of the project runs: in processes, tended by an event loop in a thread of its own.

A run never waits here: whatever that code does, its own event loop and its journal's thread go on.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from llmctl.evaluators.code.worker import Workers

__all__ = ["CodeHost", "release_code", "run_code"]

_T = TypeVar("_T")
_PROCESSES = max(1, min(4, os.cpu_count() or 1))
"""How many processes of the project's code are busy at once, all evaluators together."""


class CodeHost:
    """The thread, its event loop, and the processes that are kept for the next call."""

    def __init__(self) -> None:
        from llmctl.evaluators.code.worker import Workers

        self.workers: Workers = Workers()
        self._loop = asyncio.new_event_loop()
        self._slots = asyncio.Semaphore(_PROCESSES)
        self._thread = threading.Thread(target=self._loop.run_forever, name="llmctl-code", daemon=True)
        self._thread.start()

    async def run(self, work: Callable[[CodeHost], Coroutine[Any, Any, _T]]) -> _T:
        """Do a piece of work in the host's loop, when one of the places is free; cancelling this cancels it."""
        asyncio.get_running_loop()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._in_turn(work), self._loop))

    def release(self) -> None:
        """End the processes that wait for another call."""
        asyncio.run_coroutine_threadsafe(self.workers.release(), self._loop).result()

    def close(self) -> None:
        """End everything at once."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _in_turn(self, work: Callable[[CodeHost], Coroutine[Any, Any, _T]]) -> _T:
        async with self._slots:
            return await work(self)

    async def _end(self) -> None:
        busy = asyncio.all_tasks() - {asyncio.current_task()}
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)
        await self.workers.release()


class _Hosts:
    """The host of this process, made when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._host: CodeHost | None = None

    def host(self) -> CodeHost:
        with self._lock:
            if self._host is None:
                self._host = CodeHost()
                atexit.register(self.close)
            return self._host

    def release(self) -> None:
        with self._lock:
            if self._host is not None:
                self._host.release()

    def close(self) -> None:
        with self._lock:
            host, self._host = self._host, None
        atexit.unregister(self.close)
        if host is not None:
            host.close()


_hosts = _Hosts()


async def run_code(work: Callable[[CodeHost], Coroutine[Any, Any, _T]]) -> _T:
    """Run a piece of the project's code in the host of this process."""
    asyncio.get_running_loop()
    return await _hosts.host().run(work)


def release_code() -> None:
    """A run has ended: nothing of the project's code stays behind. Where none ran, nothing happens."""
    _hosts.release()
