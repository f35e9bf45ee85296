"""How similar two JSON values are, from 0 to 1, as Braintrust's autoevals measures it (`JSONDiff`)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal

from llmctl.canonical import plain
from llmctl.errors import EvaluatorError
from llmctl.evaluators.structure.json_text import read_json

__all__ = ["MAX_CHARACTERS", "json_similarity"]

MAX_CHARACTERS = 20_000
"""Longer texts are not compared letter by letter."""


def json_similarity(got: object, wanted: object) -> float:
    """The mean similarity of the parts, at every level.

    Objects: the mean over the keys of both, a key that one lacks being null there. Lists: item by item, over the
    longer one's length. Texts: 1 - Levenshtein distance / longer length. Numbers: 1 - |a - b| / (|a| + |b|). Null is
    similar to null only. Values of different kinds: as JSON texts. A text that is a JSON object or list is read.

    Raises:
        EvaluatorError: texts are too long.
    """
    got, wanted = _read(got), _read(wanted)
    if isinstance(got, Mapping) and isinstance(wanted, Mapping):
        keys = dict.fromkeys([*wanted, *got])
        return _mean([json_similarity(got.get(key), wanted.get(key)) for key in keys], len(keys))
    if isinstance(got, list) and isinstance(wanted, list):
        inner = [json_similarity(one, other) for one, other in zip(got, wanted, strict=False)]
        return _mean(inner, max(len(got), len(wanted)))
    if isinstance(got, int | float) and isinstance(wanted, int | float):
        return _numbers(got, wanted)
    if got is None or wanted is None:
        return float(got is wanted)
    if isinstance(got, str) and isinstance(wanted, str):
        return _texts(got, wanted)
    return _texts(_written(got), _written(wanted))


def _read(value: object) -> object:
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        read = read_json(value)
        return value if read.problem else read.value
    return value


def _mean(scores: Sequence[float], count: int) -> float:
    return sum(scores) / count if count else 1.0


def _numbers(one: float, other: float) -> float:
    if one == other:
        return 1.0
    # as decimals: a whole number of 400 digits and a float have no sum
    first, second = Decimal(str(plain(one) + 0)), Decimal(str(plain(other) + 0))  # + 0: a truth value counts as 0 or 1
    return max(0.0, 1.0 - float(abs(first - second) / (abs(first) + abs(second))))


def _texts(one: str, other: str) -> float:
    from rapidfuzz.distance import Levenshtein

    if max(len(one), len(other)) > MAX_CHARACTERS:
        raise EvaluatorError(f"a text has more than {MAX_CHARACTERS:,} characters, and longer ones are not compared")
    return float(Levenshtein.normalized_similarity(one, other))


def _written(value: object) -> str:
    return json.dumps(plain(value), separators=(",", ":"), sort_keys=True)
