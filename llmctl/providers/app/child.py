"""The process that runs the function of a target: variables in, what it returns out, until stdin closes."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from llmctl.processes.child import Answering, Refusal, serve

__all__ = ["main"]


def main() -> None:
    """Answer until stdin closes."""
    serve(_prepare)


def _prepare(module: ModuleType, setting: Mapping[str, Any]) -> Answering:
    function = getattr(module, setting["function"])
    if not callable(function):
        raise Refusal(f"{setting['function']} is no function")
    return lambda message: function(message["vars"])


if __name__ == "__main__":
    main()
