"""An event loop whose time goes by only where everything waits for it: minutes of waiting take milliseconds.

async def scene() -> None:
    await asyncio.sleep(60)
run_virtual(scene)      # returns at once; inside, `clock()` shows that 60 s have passed
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from llmctl.providers.clock import Clock

__all__ = ["run_virtual", "virtual_clock"]

_T = TypeVar("_T")


class _Selector(selectors.DefaultSelector):
    """Waits by setting the clock on."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("everything waits, and nothing will ever happen")
        if not ready and timeout:
            self.now += timeout
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


def run_virtual(scene: Callable[[], Awaitable[_T]]) -> _T:
    """Run the scene in virtual time."""

    async def main() -> _T:
        return await scene()

    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(main())


def virtual_clock() -> Clock:
    """The running loop's time as the gateway's; no chance."""
    loop = asyncio.get_running_loop()
    return Clock(now=loop.time, monotonic=loop.time, sleep=asyncio.sleep, jitter=lambda: 0.0)
