"""Ctrl-C and SIGTERM ask a run to stop instead of ending the process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from llmctl.errors import ExitCode
from llmctl.runs.stop import Stop

__all__ = ["stop_signals"]


@contextmanager
def stop_signals(stop: Stop, told: Callable[[ExitCode], None]) -> Iterator[None]:
    """While it lasts, in the running event loop. `told` gets what the command is to end with."""
    loop = asyncio.get_running_loop()

    def received(code: ExitCode) -> None:
        told(code)
        stop.press()

    wanted = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}
    installed = []
    for number, code in wanted.items():
        with contextlib.suppress(NotImplementedError):  # Windows: KeyboardInterrupt ends the loop instead
            loop.add_signal_handler(number, received, code)
            installed.append(number)
    try:
        yield
    finally:
        for number in installed:
            loop.remove_signal_handler(number)
