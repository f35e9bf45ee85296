"""A transport, ready or not, with places of its own where it carries fewer calls at once than are asked for."""

from __future__ import annotations

import asyncio

from llmctl.errors import ModelError
from llmctl.providers.wire import Transport

__all__ = ["Line"]


class Line:
    """One transport of a gateway."""

    def __init__(self, transport: Transport, concurrency: int, *, lasting: bool = False) -> None:
        """`lasting`: what has been ready once stays so."""
        self.transport = transport
        self._starting = asyncio.Lock()
        self._broken: str | None = None
        self.started = False
        """Whether it has been ready once; that of the local model may have to be started again."""
        self.ready = False
        """Whether it is known to be ready, and need not be asked."""
        self._lasting = lasting
        self.places = asyncio.Semaphore(transport.slots) if transport.slots < concurrency else None
        """Places of its own; None: as many as the limits of the models allow."""

    async def start(self) -> None:
        """Make the transport ready; does nothing where it is.

        Raises:
            ModelError: a model of this machine cannot be started.
        """
        async with self._starting:
            await self.transport.start()
            self.started = True
            self.ready = self._lasting

    async def problem(self) -> str | None:
        """Start the transport if need be; why it cannot be started: said for each call, tried once."""
        if self._broken is None:
            try:
                await self.start()
            except ModelError as error:
                self._broken = f"{error.message} {error.hint}" if error.hint else error.message
        return self._broken
