"""Which inputs are unlike the bank by their meaning: an embedding model looks again at what the pieces of text found.

Cosine between sentence embeddings; the threshold comes from the bank's own cases, as in `novelty`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmctl.errors import EvaluatorError, ModelError
from llmctl.traffic.mining.looking import Asked, BankView, Looked
from llmctl.traffic.mining.novelty import threshold_of
from llmctl.traffic.mining.pool import Candidate, ResultKey
from llmctl.traffic.mining.reasons import Finding, Reason
from llmctl.traffic.store import Key, TrafficStore

__all__ = ["look_again"]

_LOOKED_AGAIN = 300
_MOST_CASES = 2_000
_OF_FEW = 0.35
"""Of few cases: questions about different things are often 0.2 alike to an embedding model."""


def look_again(store: TrafficStore, looked: Looked, bank: BankView, model: str) -> None:
    """Measure the best 300 inputs that are unlike the bank by meaning; those that are not lose that reason.

    Raises:
        ModelError: the embedding model is missing, or broke.
        StoreError: the store cannot be read.
    """
    found = [one for one in looked.pool.best() if _is_unlike(one)]
    for candidate in found[_LOOKED_AGAIN:]:
        _replace(candidate, None)
    keys = [one.key for one in found[:_LOOKED_AGAIN] if isinstance(one.key, Key)]
    asked: dict[Key | ResultKey, Asked] = {one.key: Asked.of(one.call, bank.defaults) for one in store.read(keys)}
    for texts, recorded in ((bank.variables, True), (bank.messages, False)):
        some = [one for one in found[:_LOOKED_AGAIN] if one.key in asked and asked[one.key].recorded is recorded]
        if some:
            _measure(some, [asked[one.key].text for one in some], texts[:_MOST_CASES], store.layout.root, model)


def _measure(some: Sequence[Candidate], texts: Sequence[str], cases: Sequence[str], folder: Path, model: str) -> None:
    vectors = _embedded([*cases, *texts], folder, model)
    known, asked = vectors[: len(cases)], vectors[len(cases) :]
    threshold = threshold_of(known, _OF_FEW)
    for candidate, likeness in zip(some, (asked @ known.T).max(axis=1, initial=-1.0).tolist(), strict=True):
        said = f"{likeness:.2f} like the nearest case, by meaning"
        _replace(candidate, Finding(Reason.UNLIKE, said, min(1 - likeness, 1.0)) if likeness < threshold else None)


def _embedded(texts: Sequence[str], folder: Path, model: str) -> NDArray[np.float32]:
    """Unit vectors. shape (texts, dimensions)."""
    import asyncio

    from llmctl.providers.embeddings import Embedder

    async def embedded() -> list[list[float]]:
        async with Embedder(model, folder / "embeddings.sqlite") as embedder:
            embedder.check()
            return await embedder.embed(texts)

    try:
        vectors = np.asarray(asyncio.run(embedded()), dtype=np.float32)
    except EvaluatorError as error:
        raise ModelError(f"The embedding model gave no answer: {error}.") from None
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = vectors / np.maximum(length, np.float32(1e-9))
    return unit


def _is_unlike(candidate: Candidate) -> bool:
    return any(one.reason is Reason.UNLIKE for one in candidate.findings)


def _replace(candidate: Candidate, finding: Finding | None) -> None:
    others = tuple(one for one in candidate.findings if one.reason is not Reason.UNLIKE)
    candidate.findings = (*others, finding) if finding else others
