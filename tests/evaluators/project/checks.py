"""Functions that judge, well and badly: what the tests of `python` name."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import dataclass
from typing import Any

from words import WORD  # type: ignore[import-not-found]

__all__ = ["Number", "Verdict"]

NOT_A_FUNCTION = 5


@dataclass
class Verdict:
    """An object with a judgement's attributes, and one that nobody reads."""

    score: Any = None
    passed: Any = None
    reason: Any = None
    weather: str = "fine"


class Number:
    """What numpy's scalars look like."""

    ndim = 0

    def __init__(self, value: Any) -> None:
        """Hold a value."""
        self._value = value

    def item(self) -> Any:
        """Python's own number."""
        return self._value


def contains(context: Any, word: str = WORD) -> bool:
    """Whether a word is in the output."""
    return word in context.output


def returns(_context: Any, value: Any) -> Any:
    """Return what the bank says."""
    return value


def evaluates(context: Any, code: str) -> Any:
    """Return the value of an expression."""
    return eval(code)


async def later(context: Any) -> Any:
    """Answer after a turn of the loop."""
    await asyncio.sleep(0)
    return {"passed": context.output == context.expected, "explanation": "compared later"}


def raises(context: Any) -> bool:
    """Break."""
    return bool(context.output[10_000])


def leaves(_context: Any) -> None:
    """End the process as if it had crashed."""
    os._exit(3)


def exits(_context: Any) -> None:
    """Ask to end the process."""
    sys.exit("enough")


def hangs(_context: Any) -> None:
    """Never return."""
    while True:
        time.sleep(0.01)


async def waits(_context: Any) -> None:
    """Never return, politely."""
    await asyncio.Event().wait()


def prints(_context: Any) -> bool:
    """Print to where answers go, and read from where questions come."""
    print("hello" * 1000)
    os.write(1, b"\0\0\0\0\0\0\0\2{}")
    sys.stdout.flush()
    return sys.stdin.read() == ""


def pid(_context: Any) -> dict[str, Any]:
    """Which process this is."""
    return {"passed": True, "explanation": str(os.getpid())}
