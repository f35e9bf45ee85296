"""The latency that a client records beyond what the server took: loopback, and the client's own delays."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["Lag", "lag_of"]

Lag = dict[str, float]
"""Milliseconds: p50, p95, p99."""


def lag_of(values: Sequence[float]) -> Lag | None:
    """Percentiles by nearest rank; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return {f"p{share}": ordered[math.ceil(share / 100 * len(ordered)) - 1] for share in (50, 95, 99)}
