"""Time and chance as the gateway sees them, so that tests need not wait for them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

__all__ = ["Clock", "sleep_unless"]


@dataclass(frozen=True, slots=True)
class Clock:
    """Wall clock, monotonic clock (both in seconds), sleep, and a random number from 0 to 1."""

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.perf_counter
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random


async def sleep_unless(clock: Clock, seconds: float, bell: asyncio.Future[None]) -> None:
    """Sleep, but no longer than until the bell rings. The bell itself is never cancelled."""
    sleeper = asyncio.ensure_future(_slept(clock, seconds))
    try:
        await asyncio.wait({sleeper, bell}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        sleeper.cancel()


async def _slept(clock: Clock, seconds: float) -> None:
    await clock.sleep(seconds)
