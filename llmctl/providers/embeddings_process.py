"""Talks to the embedding process: starts it, sends one batch at a time, replaces it once when it dies or hangs."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llmctl.errors import EvaluatorError, ModelError
from llmctl.processes.groups import python_module
from llmctl.processes.scratch import ScratchFolder
from llmctl.providers.embeddings_weights import EmbeddingWeights
from llmctl.providers.local.process import ChildProcess

__all__ = ["EmbeddingProcess", "Timeouts"]

_MODULE = "llmctl.providers.embeddings_child"
_STARTS = 2
_HINT = "Run: pip install 'llmctl-toolkit[semantic]' (in a clone: pip install -e '.[semantic]')."


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long the process may be silent before it counts as hanging. Importing torch alone takes 9 s."""

    start_s: float = 180.0
    download_s: float = 1800.0
    batch_s: float = 120.0


class _Broken(Exception):
    """The process died, hung or said nonsense: another one may do better."""


class EmbeddingProcess:
    """One child process with one model. Not for concurrent use: one batch at a time."""

    def __init__(
        self, weights: EmbeddingWeights, *, command: Sequence[str] | None = None, timeouts: Timeouts | None = None
    ) -> None:
        """Nothing is started yet; `command` runs the child (for tests)."""
        self._weights = weights
        self._command = list(command) if command is not None else python_module(_MODULE)
        self._timeouts = timeouts or Timeouts()
        self._child: ChildProcess | None = None
        self._folder: ScratchFolder | None = None
        self._ready = False
        self._refusal: str | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id, None where none runs."""
        return self._child.pid if self._child is not None else None

    @staticmethod
    def check() -> None:
        """See whether the packages are installed, without importing them.

        Raises:
            ModelError: they are not.
        """
        if importlib.util.find_spec("sentence_transformers") is None:
            raise ModelError("Semantic evaluators need the package sentence-transformers.", hint=_HINT)

    def spawn(self) -> None:
        """Start the child without waiting for it; does nothing where one runs.

        Raises:
            ModelError: the packages are missing, or no process can be started.
        """
        if self._child is not None:
            return
        self.check()
        try:
            self._folder = ScratchFolder()
            environment = {"OMP_WAIT_POLICY": "PASSIVE"}
            self._child = ChildProcess(self._command, folder=self._folder.path, log=self._folder.log, env=environment)
            self._child.write_now(_line(self._settings()))
        except OSError as error:
            self.kill()
            raise ModelError(f"The embedding process cannot be started: {error}.") from None

    async def encode(self, texts: Sequence[str]) -> list[bytes]:
        """A unit-length vector for each text, as little-endian float32.

        Raises:
            EvaluatorError: two processes in a row died or hung on these texts, the model refused them, or no process
                starts; that one is not tried again.
        """
        try:
            return await self._attempt(texts)
        except _Broken:
            self.kill()
        try:
            return await self._attempt(texts)
        except _Broken as error:
            self.kill()
            raise EvaluatorError(f"The embedding process failed twice: {error}.") from None

    async def ready(self) -> None:
        """Start the child and wait until the model is loaded, downloading it where it is not here.

        Raises:
            EvaluatorError: it cannot be started; it is not tried again.
        """
        if self._refusal is not None:
            raise EvaluatorError(self._refusal)
        try:
            await self._started()
        except ModelError as error:
            self._refusal = " ".join(filter(None, (error.message, error.hint)))
            raise EvaluatorError(self._refusal) from None

    def close(self) -> None:
        """Let the child end for up to a second, then kill it; one that is still loading is killed at once; blocking."""
        if self._child is not None and self._ready:
            self._child.close()
            self._forget()
        self.kill()

    def kill(self) -> None:
        """End the child at once."""
        if self._child is not None:
            self._child.kill()
        self._forget()

    def _forget(self) -> None:
        self._child, self._ready = None, False
        if self._folder is not None:
            self._folder.remove()
            self._folder = None

    async def _started(self) -> None:
        """Have a child that is ready; a start that fails is tried once more, and then given up for good."""
        for start in range(_STARTS):
            self.spawn()
            if self._ready:
                return
            local = self._weights.folder is not None
            try:
                await self._header(self._timeouts.start_s if local else self._timeouts.download_s)
                self._ready = True
                return
            except (EvaluatorError, _Broken) as error:
                self.kill()
                if start + 1 == _STARTS:
                    raise ModelError(
                        f"The embedding model {self._weights.model} could not be started: {error}"
                    ) from None

    async def _attempt(self, texts: Sequence[str]) -> list[bytes]:
        try:
            await self.ready()
            return await self._batch(texts)
        except asyncio.CancelledError:  # in the middle of an answer: what follows could not be told apart
            self.kill()
            raise

    async def _batch(self, texts: Sequence[str]) -> list[bytes]:
        child = self._require()
        try:
            await child.write(_line({"texts": list(texts)}), self._timeouts.batch_s)
        except TimeoutError:
            raise _Broken("it took no texts") from None
        except OSError:
            raise _Broken(child.last_words() or "its process ended") from None
        header = await self._header(self._timeouts.batch_s)
        try:
            count, width = int(header["count"]), 4 * int(header["dimension"])
        except (KeyError, TypeError, ValueError):
            raise _Broken("it answered in an unknown form") from None
        if count != len(texts) or width <= 0:
            raise _Broken(f"it answered {count} vectors for {len(texts)} texts")
        body = await self._read(count * width)
        return [body[start : start + width] for start in range(0, len(body), width)]

    async def _header(self, timeout_s: float) -> dict[str, Any]:
        child = self._require()
        try:
            line = await child.read_line(timeout_s)
        except TimeoutError:
            raise _Broken(f"it said nothing for {timeout_s:.0f} seconds") from None
        try:
            header = json.loads(line)
        except ValueError:
            raise _Broken(child.last_words() or "its process ended") from None
        if not isinstance(header, dict):
            raise _Broken("it answered in an unknown form")
        if "error" in header:
            raise EvaluatorError(f"The embedding model refused: {header['error']}")
        return header

    async def _read(self, size: int) -> bytes:
        child = self._require()
        try:
            body = await child.read(size, self._timeouts.batch_s)
        except TimeoutError:
            raise _Broken("it stopped in the middle of an answer") from None
        if len(body) != size:
            raise _Broken("it ended in the middle of an answer")
        return body

    def _require(self) -> ChildProcess:
        if self._child is None:
            raise _Broken("it was ended")
        return self._child

    def _settings(self) -> dict[str, object]:
        return {
            "source": self._weights.source,
            "local": self._weights.folder is not None,
            "threads": min(2, os.cpu_count() or 1),
        }


def _line(message: dict[str, object]) -> bytes:
    return json.dumps(message).encode() + b"\n"
