"""What is kept of each call while some are chosen: a few numbers, not the call."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmctl.traffic.replay.requested import DIGEST_BYTES
from llmctl.traffic.replay.shingles import PLACES, Places
from llmctl.traffic.store import Key, StoredCall

__all__ = ["Candidates", "Gathering"]

_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Candidates:
    """The calls that can be asked again, one row each, in the order in which they were imported."""

    import_ids: tuple[str, ...]
    imports: NDArray[np.int32]
    """Shape (n,): an index into `import_ids`."""
    positions: NDArray[np.int64]
    """Shape (n,)."""
    ids: NDArray[np.uint64]
    """Shape (n,): the calls' ids as numbers."""
    order: NDArray[np.int64]
    """Shape (n,): the place of each by time and id, whichever was imported first."""
    strata: NDArray[np.int32]
    """Shape (n,): a number for each stratum."""
    digests: NDArray[np.uint64]
    """Shape (n, 2): of the request; empty where none were added."""
    signatures: Places
    """Shape (n, PLACES); empty where none were added."""
    contexts: NDArray[np.uint64]
    """Shape (n, 2): of the request without the texts in which near duplicates may differ."""

    def __len__(self) -> int:
        return len(self.positions)

    def key(self, at: int) -> Key:
        """Where a call's line stands."""
        return Key(self.import_ids[self.imports[at]], int(self.positions[at]))


class Gathering:
    """Takes calls one after the other."""

    def __init__(self) -> None:
        self._import_ids: dict[str, int] = {}
        self._imports, self._positions, self._ids = array("i"), array("q"), array("Q")
        self._times = array("d")
        self._stratum_numbers: dict[str, int] = {}
        self._strata = array("i")
        self._digests, self._signatures, self._contexts = bytearray(), bytearray(), bytearray()

    def add(self, stored: StoredCall, stratum: str) -> None:
        """Keep where a call stands."""
        self._imports.append(self._import_ids.setdefault(stored.import_id, len(self._import_ids)))
        self._positions.append(stored.key.position)
        self._ids.append(int(stored.id, 16))
        self._times.append(_NEVER if stored.call.started_at is None else stored.call.started_at)
        self._strata.append(self._stratum_numbers.setdefault(stratum, len(self._stratum_numbers)))

    def add_digest(self, digest: bytes) -> None:
        """Of the call that was added last."""
        self._digests += digest

    def add_signature(self, signature: Places, context: bytes) -> None:
        """Of the call that was added last."""
        self._signatures += signature.tobytes()
        self._contexts += context

    def closed(self) -> Candidates:
        """All of them."""
        ids = np.frombuffer(self._ids, dtype=np.uint64)
        sorted_ = np.lexsort((ids, np.frombuffer(self._times, dtype=np.float64)))
        order = np.empty(len(ids), dtype=np.int64)
        order[sorted_] = np.arange(len(ids))
        words = DIGEST_BYTES // 8
        return Candidates(
            import_ids=tuple(self._import_ids),
            imports=np.frombuffer(self._imports, dtype=np.int32),
            positions=np.frombuffer(self._positions, dtype=np.int64),
            ids=ids,
            order=order,
            strata=np.frombuffer(self._strata, dtype=np.int32),
            digests=np.frombuffer(self._digests, dtype=np.uint64).reshape(-1, words),
            signatures=np.frombuffer(self._signatures, dtype=np.uint16).reshape(-1, PLACES),
            contexts=np.frombuffer(self._contexts, dtype=np.uint64).reshape(-1, words),
        )
