"""Embeddings for semantic evaluators: cached, deduplicated, and computed in batches by a child process."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from array import array
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from llmctl.errors import EvaluatorError, ModelError
from llmctl.providers.embeddings_cache import VectorCache
from llmctl.providers.embeddings_process import EmbeddingProcess, Timeouts
from llmctl.providers.embeddings_weights import EmbeddingWeights, locate

__all__ = ["Embedder", "Timeouts"]

_CLOSED = "The embedding model was closed."
_BATCH_TEXTS = 64
_BATCH_CHARACTERS = 2_000_000


class Embedder:
    """One embedding model for one run. The child process starts when the first text is not in the cache."""

    def __init__(
        self,
        model: str,
        cache_file: Path,
        *,
        offline: bool = False,
        command: Sequence[str] | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        """Nothing is opened or started yet.

        Args:
            model: a name (`all-MiniLM-L6-v2`, `org/name`) or the path of a model's folder.
            cache_file: the SQLite file that keeps vectors; made where there is none.
            offline: never ask the hub for weights.
            command: runs the child; for tests.
            timeouts: when the child counts as hanging.
        """
        self._model = model
        self._offline = offline
        self._cache_file = cache_file
        self._command = command
        self._timeouts = timeouts
        self._weights: EmbeddingWeights | None = None
        self._process: EmbeddingProcess | None = None
        self._cache: VectorCache | None = None
        self._salt = b""
        self._opening: asyncio.Task[VectorCache] | None = None
        self._queue: dict[bytes, str] = {}
        self._wanted: dict[bytes, asyncio.Future[bytes]] = {}
        self._worker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Embedder:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def warning(self) -> str | None:
        """What is wrong with the cache file, as one sentence; None where nothing is."""
        return self._cache.problem if self._cache is not None else None

    @property
    def pid(self) -> int | None:
        """The child's process id, None where none runs."""
        return self._process.pid if self._process is not None else None

    def check(self) -> None:
        """See, without starting anything, whether texts can be embedded.

        Raises:
            ModelError: the packages or the weights are missing.
        """
        EmbeddingProcess.check()
        self._locate()

    def identity(self) -> str:
        """The model's name and the hash of its weights: two equal identities give equal vectors.

        Weights that the hub has yet to send are named without a hash.

        Raises:
            ModelError: the weights are missing.
        """
        return self._locate().identity()

    def start(self) -> None:
        """Begin to start the child without waiting for it: importing torch takes about 9 s.

        Raises:
            ModelError: the packages or the weights are missing.
        """
        self._child().spawn()

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """A vector of length 1 for each text, in order.

        Raises:
            EvaluatorError: they cannot be computed; the sentence says why and what to do.
        """
        if not texts:
            return []
        cache = await self._opened()
        keys = [self._key(text) for text in texts]
        found: dict[bytes, bytes] = {}
        for key, text in zip(keys, texts, strict=True):
            if key not in found and key not in self._wanted:
                vector = cache.get(key)
                if vector is not None:
                    found[key] = vector
                else:
                    self._ask_for(key, text)
        asked = {key: self._wanted[key] for key in keys if key not in found}
        if asked:
            await asyncio.wait(asked.values())  # unlike gather, leaves them to others when this caller is cancelled
        return [_floats(found[key] if key in found else asked[key].result()) for key in keys]

    async def close(self) -> None:
        """End the child and close the cache; who still waits gets an EvaluatorError."""
        tasks: list[asyncio.Task[Any]] = [task for task in (self._opening, self._worker) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._fail(list(self._wanted), EvaluatorError(_CLOSED))
        if self._process is not None:
            await asyncio.to_thread(self._process.close)
        if self._cache is not None:
            self._cache.close()
            self._cache = None

    def kill(self) -> None:
        """End the child at once, without an event loop."""
        if self._process is not None:
            self._process.kill()

    def _locate(self) -> EmbeddingWeights:
        if self._weights is None:
            self._weights = locate(self._model, offline=self._offline)
        return self._weights

    def _child(self) -> EmbeddingProcess:
        if self._process is None:
            self._process = EmbeddingProcess(self._locate(), command=self._command, timeouts=self._timeouts)
        return self._process

    async def _opened(self) -> VectorCache:
        """The cache; all who ask before it is open are let in at the same moment, so that they share a batch."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
        if not self._opening.done():
            await asyncio.wait([self._opening])
        if self._opening.cancelled():
            raise EvaluatorError(_CLOSED)
        return self._opening.result()

    async def _open(self) -> VectorCache:
        try:
            if self._locate().folder is None:
                await self._child().ready()
                self._weights = None  # the hub has sent them: now they have a hash
            self._salt = (await asyncio.to_thread(self.identity)).encode()
        except ModelError as error:
            raise EvaluatorError(_sentences(error)) from None
        self._cache = await asyncio.to_thread(VectorCache, self._cache_file)
        return self._cache

    def _key(self, text: str) -> bytes:
        return hashlib.sha256(self._salt + b"\0" + _clean(text).encode()).digest()

    def _ask_for(self, key: bytes, text: str) -> None:
        self._wanted[key] = asyncio.get_running_loop().create_future()
        self._queue[key] = _clean(text)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())

    async def _work(self) -> None:
        while self._queue:
            batch = self._next_batch()
            try:
                await self._embed_batch(batch)
            except EvaluatorError as error:
                self._fail(list(batch), error)
            except BaseException as error:  # nobody may wait for ever, whatever happened
                closed = isinstance(error, asyncio.CancelledError)
                self._queue.clear()
                self._fail(list(self._wanted), EvaluatorError(_CLOSED if closed else f"Embedding failed: {error}"))
                raise

    def _next_batch(self) -> dict[bytes, str]:
        batch: dict[bytes, str] = {}
        room = _BATCH_CHARACTERS
        for key, text in self._queue.items():
            room -= len(text)
            if len(batch) == _BATCH_TEXTS or (batch and room < 0):
                break
            batch[key] = text
        for key in batch:
            del self._queue[key]
        return batch

    async def _embed_batch(self, batch: dict[bytes, str]) -> None:
        try:
            child = self._child()
        except ModelError as error:
            raise EvaluatorError(_sentences(error)) from None
        vectors = dict(zip(batch, await child.encode(list(batch.values())), strict=True))
        if self._cache is not None:
            await asyncio.to_thread(self._cache.put, vectors)
        for key, vector in vectors.items():
            self._wanted.pop(key).set_result(vector)

    def _fail(self, keys: Sequence[bytes], error: EvaluatorError) -> None:
        for key in keys:
            future = self._wanted.pop(key, None)
            if future is not None and not future.done():
                future.set_exception(error)
                future.exception()  # seen: a caller that was cancelled will not fetch it


def _sentences(error: ModelError) -> str:
    return " ".join(filter(None, (error.message, error.hint)))


def _clean(text: str) -> str:
    """Lone surrogates, which a model may answer with and no tokenizer takes, become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _floats(vector: bytes) -> list[float]:
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()
