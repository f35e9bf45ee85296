"""How unlike anything in a bank an input is.

A text is a vector of the pieces of four characters that stand in it (hashed into 2,048 places), rare ones weighing more
(inverse document frequency, Sparck Jones 1972); two texts are as alike as the cosine between them. An input counts as
unlike the bank where it is less like its nearest case than 95 % of the bank's own cases are like theirs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from llmctl.traffic.to_bank.shingles import pieces

__all__ = ["Known", "threshold_of"]

_PLACES = 2_048
_MOST_TEXTS = 2_000
"""Of a larger bank so many cases are compared with, taken evenly."""
_FEW = 8
"""With fewer cases the bank cannot say how alike its cases are."""
_OF_FEW = 0.2
_QUANTILE = 0.05

_Matrix = NDArray[np.float32]


class Known:
    """The inputs of a bank: 8 KB a case, at most 16 MB."""

    def __init__(self, texts: Sequence[str]) -> None:
        step = max(1, -(-len(texts) // _MOST_TEXTS))
        counted = _present(texts[::step])
        # A piece that is new weighs as one that a single case has: else every new text would be less like the bank.
        frequency = np.maximum(counted.sum(axis=0), 1)
        self._weights = (np.log((1 + counted.shape[0]) / (1 + frequency)) + 1).astype(np.float32)
        self._vectors = self._unit(counted)
        self.threshold = threshold_of(self._vectors)

    def likeness(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """How like its nearest case each text is, 0 to 1. shape (texts,)."""
        if not self._vectors.shape[0]:
            return np.zeros(len(texts), dtype=np.float32)
        nearest: NDArray[np.float32] = (self._unit(_present(texts)) @ self._vectors.T).max(axis=1)
        return nearest

    def _unit(self, present: _Matrix) -> _Matrix:
        weighted = present * self._weights
        length = np.linalg.norm(weighted, axis=1, keepdims=True)
        unit: _Matrix = weighted / np.maximum(length, np.float32(1e-9))
        return unit


def threshold_of(vectors: NDArray[np.float32], of_few: float = _OF_FEW) -> float:
    """Below which likeness a text is unlike the texts of these unit vectors, which stand in rows.

    `of_few`: the threshold where there are fewer than 8 of them.
    """
    count = vectors.shape[0]
    if count < _FEW:
        return of_few if count else 0.0
    alike = vectors @ vectors.T
    np.fill_diagonal(alike, -1)
    return float(np.quantile(alike.max(axis=1), _QUANTILE))


def _present(texts: Sequence[str]) -> _Matrix:
    """1 where a piece stands in a text. shape (texts, places)."""
    found = np.zeros((len(texts), _PLACES), dtype=np.float32)
    for row, text in enumerate(texts):
        found[row, pieces(text) % _PLACES] = 1
    return found
