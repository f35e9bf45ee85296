"""A loopback server in a thread with its own loop: what every server of these tests has in common."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

__all__ = ["LoopbackServer"]


class LoopbackServer(ABC):
    """A context manager. `url` is what goes into `api_base`; `loop` is the server's own."""

    def __init__(self) -> None:
        self.url = ""
        self.loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stopping: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    @abstractmethod
    async def listen(self) -> int:
        """Begin to listen; the port."""

    @abstractmethod
    async def stop(self) -> None:
        """Let go of the port."""

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(timeout=10):
            raise TimeoutError("the loopback server did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stopping is not None:
            self.loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(timeout=10)
        self.loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._stopping = asyncio.Event()
        self.url = f"http://127.0.0.1:{await self.listen()}/v1"
        self._ready.set()
        await self._stopping.wait()
        await self.stop()
