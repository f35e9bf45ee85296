"""The context of an evaluator as the JSON that code of the project gets."""

from __future__ import annotations

import json
import math
from typing import Any

from llmctl.canonical import plain
from llmctl.evaluators.base import Context
from llmctl.evaluators.code.context import CONTEXT_FIELDS

__all__ = ["context_data", "to_bytes"]


def context_data(context: Context) -> dict[str, Any]:
    """What `CodeContext` holds, as plain data."""
    data: dict[str, Any] = plain({name: getattr(context, name) for name in CONTEXT_FIELDS})
    return data


def to_bytes(message: object) -> bytes:
    """JSON in ASCII, so that half of a surrogate pair arrives as well; a number without end is null."""
    try:
        text = json.dumps(message, default=str, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(message), default=str, allow_nan=False)
    return text.encode()


def _finite(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return None
        case dict():
            return {key: _finite(item) for key, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
        case _:
            return value
