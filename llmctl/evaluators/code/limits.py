"""What the arguments of evaluators that run code have in common."""

from __future__ import annotations

import math

__all__ = ["check_rules"]

_LONGEST_S = 3600.0


def check_rules(threshold: float | None, timeout_s: float) -> None:
    """Raise ValueError, as the end of a sentence about the evaluator, for a threshold or a time that makes no sense."""
    if threshold is not None and not math.isfinite(threshold):
        raise ValueError("needs a `threshold` that is a number")
    if not 0 < timeout_s <= _LONGEST_S:
        raise ValueError(f"needs a `timeout_s` above 0 and at most {_LONGEST_S:g} seconds")
