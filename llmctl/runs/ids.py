"""Run ids: short, sortable by time, and safe to read aloud."""

from __future__ import annotations

import random as randoms

__all__ = ["ID_LENGTH", "new_run_id", "run_time"]

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case: no i, l, o, u
_TIME_DIGITS = 9
_RANDOM_DIGITS = 4
ID_LENGTH = _TIME_DIGITS + _RANDOM_DIGITS


def new_run_id(now: float, random: randoms.Random | None = None) -> str:
    """13 characters: 9 of milliseconds since 1970, then 4 random ones. Ids sort as their times do.

    `now` is UTC epoch seconds; `random` is the system's generator where none is given.
    """
    source = random or randoms.SystemRandom()
    return _digits(int(now * 1000), _TIME_DIGITS) + _digits(source.getrandbits(5 * _RANDOM_DIGITS), _RANDOM_DIGITS)


def run_time(run_id: str) -> float | None:
    """The UTC epoch seconds that an id was made at; None where the text is no run id."""
    if len(run_id) != ID_LENGTH or not set(run_id) <= set(_ALPHABET):
        return None
    milliseconds = 0
    for digit in run_id[:_TIME_DIGITS]:
        milliseconds = milliseconds * 32 + _ALPHABET.index(digit)
    return milliseconds / 1000


def _digits(number: int, count: int) -> str:
    if not 0 <= number < 32**count:
        raise ValueError(f"{number} does not fit into {count} digits of base 32")
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(count)))
