"""MinHash signatures: how much of their words two texts share, told from 256 bytes of each.

A text is the set of its shingles, the runs of three words. For a random hash function the smallest hash of a set is the
same in two sets with a probability of their Jaccard index (Broder 1997), so the share of equal places in two signatures
of 128 such functions estimates it, with a standard error of at most 0.044 (0.027 at 0.9). Only 16 bits of each smallest
hash are kept (Li and König 2010), which makes places equal by chance once in 65,536.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from llmctl.canonical import written
from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.replay.variables.logged import said

__all__ = ["PLACES", "Places", "shingled_text", "signature"]

PLACES = 128
"""Hash functions."""
_WORDS = 3
_CHUNK = 4_096
"""Shingles that are hashed at once."""
# Writing without spaces between words (Thai and Lao; kana; Han) counts by the character.
_WORD = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]|[^\W\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]+")
_RANDOM = np.random.Generator(np.random.PCG64(20261123))
_FACTORS = _RANDOM.integers(0, 2**64, (PLACES, 1), dtype=np.uint64) | np.uint64(1)
_SUMMANDS = _RANDOM.integers(0, 2**64, (PLACES, 1), dtype=np.uint64)
_MIX = _RANDOM.integers(0, 2**64, _WORDS, dtype=np.uint64) | np.uint64(1)
_NOTHING = np.full(PLACES, np.uint64(2**32 - 1))
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFF)

Places = NDArray[np.uint16]


def signature(text: str) -> Places:
    """The signature of a text: `PLACES` numbers, the same on every machine."""
    hashes = _shingles(text)
    smallest = _NOTHING
    for start in range(0, len(hashes), _CHUNK):
        hashed = (_FACTORS * hashes[start : start + _CHUNK] + _SUMMANDS) >> _HALF
        smallest = np.minimum(smallest, hashed.min(axis=1))
    return (smallest & _LOW).astype(np.uint16)


def _shingles(text: str) -> NDArray[np.uint64]:
    """A hash of each run of three words; of all words together where there are fewer."""
    words = [zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in _WORD.findall(text.casefold())]
    if not words:
        return np.zeros(0, dtype=np.uint64)
    words += [0] * (_WORDS - len(words))
    hashes = np.array(words, dtype=np.uint64)
    runs = len(hashes) - _WORDS + 1
    mixed = np.zeros(runs, dtype=np.uint64)
    for place in range(_WORDS):
        mixed += hashes[place : place + runs] * _MIX[place]
        mixed ^= mixed >> np.uint64(29)
    return mixed


def shingled_text(call: LoggedCall, variables: Mapping[str, object] | None) -> str:
    """The text in which near duplicates may differ: all messages but the system's, and the variables."""
    messages = call.messages or ()
    texts = [said(message) for message in messages if message.get("role") not in ("system", "developer")]
    if variables is not None:
        texts += [written(value) for value in variables.values()]
    return "\n".join(texts)
