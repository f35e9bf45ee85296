"""The process that runs the Python functions of evaluators: an answer's context in, their judgement out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from llmctl.evaluators.code.context import CodeContext
from llmctl.processes.child import Answering, Refusal, serve

__all__ = ["main"]

_FIELDS = ("score", "passed", "explanation", "reason", "label")
_WANTED = "a truth value, a number, a label, or an object with `score` or `passed`"


def main() -> None:
    """Answer until stdin closes."""
    serve(_prepare, _judgement)


def _prepare(module: ModuleType, _setting: Mapping[str, Any]) -> Answering:
    def judge(message: Mapping[str, Any]) -> Any:
        function = getattr(module, message["function"])
        if not callable(function):
            raise Refusal(f"it is no function, but {type(function).__name__}")
        return function(CodeContext(**message["context"]), **message["args"])

    return judge


def _judgement(value: Any) -> Any:
    """What the function returned as data: a mapping, or an object with a judgement's attributes, as a mapping."""
    value = _scalar(value)
    if value is None:
        raise Refusal(f"it returned nothing (None); it must return {_WANTED}")
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _scalar(item) for key, item in value.items()}
    found = {name: _scalar(getattr(value, name)) for name in _FIELDS if hasattr(value, name)}
    if not found.keys() & {"score", "passed", "label"}:
        raise Refusal(f"it returned {_article(type(value).__name__)}; it must return {_WANTED}")
    return found


def _scalar(value: Any) -> Any:
    """A number of numpy or torch as Python's own; NaN and infinity are refused."""
    item = getattr(value, "item", None)
    if callable(item) and not isinstance(value, Mapping | str) and getattr(value, "ndim", None) == 0:
        value = item()
    if isinstance(value, float) and not math.isfinite(value):
        raise Refusal(f"it returned {value}, which is no score")
    return value


def _article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


if __name__ == "__main__":
    main()
