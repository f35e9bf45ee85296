"""How often each crash is tried: `make crash` sets `LLMCTL_ROUNDS` to 200; the suite does with 20."""

from __future__ import annotations

import os

__all__ = ["ROUNDS", "every", "rounds"]

ROUNDS = int(os.environ.get("LLMCTL_ROUNDS", "20"))


def rounds(in_twenty: int) -> int:
    """A count that is `in_twenty` in the suite, and grows with the rounds."""
    return max(1, in_twenty * ROUNDS // 20)


def every(number: int) -> int:
    """Every so many in the suite; in `make crash` each one."""
    return number if ROUNDS <= 20 else 1
