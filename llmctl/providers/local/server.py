"""The local model's server, as its user sees it: started once, ended in any way, never an orphan."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llmctl.errors import ModelError
from llmctl.processes.groups import python_module
from llmctl.processes.scratch import ScratchFolder
from llmctl.providers.local.process import ChildProcess

__all__ = ["LocalEndpoint", "LocalServer", "require_package"]

_MODULE = "llmctl.providers.local.child"
_STARTS = 2
_BYTES_PER_SECOND = 50_000_000

# libgomp's threads spin at every barrier by default; on a machine with other work that turned an answer of 0.3 s into
# one of 7 to 15 s (measured on 2 cores under a load of 4). Passive waiting costs nothing on a quiet machine.
_ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE"}


@dataclass(frozen=True, slots=True)
class LocalEndpoint:
    """Where the server answers."""

    socket_path: Path | None
    """The Unix socket; None where it listens on loopback."""
    base_url: str
    """Ends with `/v1`."""
    api_key: str | None
    """The key it asks for on loopback, where any user of the machine could reach it."""


@dataclass(frozen=True, slots=True)
class _Running:
    folder: ScratchFolder
    process: ChildProcess
    endpoint: LocalEndpoint | None = None


def require_package() -> None:
    """See whether the package that runs local models is installed, without importing it.

    Raises:
        ModelError: it is not.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise ModelError(
            "The local model needs the package xllamacpp, which is not installed.",
            hint="Run: pip install 'llmctl-toolkit[local]' (in a clone: pip install -e '.[local]').",
        )


class LocalServer:
    """llama.cpp with one model in a child process; starts when first needed, and again should it have died."""

    def __init__(
        self,
        weights: Path,
        alias: str = "local",
        *,
        command: Sequence[str] | None = None,
        start_timeout_s: float | None = None,
    ) -> None:
        """Nothing is started yet.

        Args:
            weights: the GGUF file.
            alias: the model's name in requests and answers.
            command: runs the child; for tests.
            start_timeout_s: how long one start may take; by default 30 s and what reading the weights takes.
        """
        self._weights = weights
        self._alias = alias
        self._command = list(command) if command is not None else python_module(_MODULE)
        self._start_timeout_s = start_timeout_s
        self._running: _Running | None = None
        self._starting = asyncio.Lock()

    @property
    def alive(self) -> bool:
        """Whether the child runs and has said that it is ready."""
        running = self._running
        return running is not None and running.endpoint is not None and running.process.alive

    @property
    def pid(self) -> int | None:
        """The child's process id, None where none runs."""
        return self._running.process.pid if self._running is not None else None

    async def start(self) -> LocalEndpoint:
        """Start the server unless it runs; calls at the same time share one start.

        A start that hangs or fails is ended and tried once more.

        Raises:
            ModelError: the runtime or the weights are missing, or the child ends or hangs; with its last words.
        """
        async with self._starting:
            running = self._running
            if running is not None and running.endpoint is not None and running.process.alive:
                return running.endpoint
            self.kill()
            self._check()
            return await self._start_within_attempts()

    async def stop(self) -> None:
        """Let the child end for up to a second, then kill it; the socket and its folder are gone afterwards."""
        running, self._running = self._running, None
        if running is not None:
            await asyncio.to_thread(_end, running)

    def kill(self) -> None:
        """End the child at once, without an event loop: for signal handlers and the way out of an exception."""
        running, self._running = self._running, None
        if running is not None:
            running.process.kill()
            running.folder.remove()

    def _check(self) -> None:
        require_package()
        if not self._weights.is_file():
            raise ModelError(f"There is no file {self._weights}.", hint="Run: llmctl models pull")

    async def _start_within_attempts(self) -> LocalEndpoint:
        reason = ""
        for _ in range(_STARTS):
            running = self._running = self._spawn()
            try:
                endpoint, reason = await self._ready(running)
            except BaseException:  # cancelled: nothing may stay behind
                self.kill()
                raise
            if self._running is not running:
                raise ModelError("The local model was ended while it started.")
            if endpoint is not None:
                self._running = _Running(running.folder, running.process, endpoint)
                return endpoint
            self.kill()
        raise ModelError(
            f"The local model could not be started: {reason}.",
            hint="If the weights are damaged: llmctl models pull",
        )

    def _spawn(self) -> _Running:
        try:
            folder = ScratchFolder()
        except OSError as error:
            raise ModelError(f"No folder for the local model's socket can be made: {error}.") from None
        try:
            process = ChildProcess(self._command, folder=folder.path, log=folder.log, env=_ENVIRONMENT)
        except OSError as error:
            folder.remove()
            raise ModelError(f"The local model's process cannot be started: {error}.") from None
        return _Running(folder, process)

    async def _ready(self, running: _Running) -> tuple[LocalEndpoint | None, str]:
        """The endpoint, or None and the reason."""
        timeout_s = self._timeout_s()
        loopback = sys.platform == "win32"
        socket = None if loopback else running.folder.path / "s.sock"  # llama.cpp knows a socket by this ending
        api_key = secrets.token_urlsafe(24) if loopback else None
        settings = {
            "weights": str(self._weights.resolve()),
            "alias": self._alias,
            "host": str(socket) if socket else "127.0.0.1",
            "api_key": api_key,
            "deadline_s": timeout_s + 5.0,
        }
        try:
            running.process.write_now(json.dumps(settings).encode() + b"\n")
            line = await running.process.read_line(timeout_s)
        except TimeoutError:
            return None, f"it was not ready after {timeout_s:.0f} seconds"
        except OSError:
            line = b""
        message = _parse(line)
        if "ready" in message:
            return LocalEndpoint(socket, "http://localhost/v1" if socket else f"{message['ready']}/v1", api_key), ""
        return None, message.get("error") or running.process.last_words() or "its process ended without a word"

    def _timeout_s(self) -> float:
        if self._start_timeout_s is not None:
            return self._start_timeout_s
        return 30.0 + self._weights.stat().st_size / _BYTES_PER_SECOND


def _parse(line: bytes) -> dict[str, str]:
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return {key: str(value) for key, value in message.items()} if isinstance(message, dict) else {}


def _end(running: _Running) -> None:
    running.process.close()
    running.folder.remove()
