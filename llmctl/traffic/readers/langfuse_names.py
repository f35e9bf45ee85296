"""Langfuse's names in one spelling: its blobs write `trace_id`, its API `traceId`, its pages `Trace ID`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

__all__ = ["snake_keys"]

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def snake_keys(value: Mapping[str, Any]) -> dict[str, Any]:
    """The object with its own names in snake case; what is inside stays as it is."""
    return {_snake(name): item for name, item in value.items()}


@lru_cache(maxsize=2_000)
def _snake(name: str) -> str:
    return _HUMP.sub("_", name.strip()).replace(" ", "_").lower().replace("__", "_")
