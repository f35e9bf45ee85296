"""Arguments that a case fills in: `{from: vars.greeting}`, `{from: expected/total}`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from llmctl.evaluators.findings import ArgumentError, Finding
from llmctl.evaluators.wording import nearest, quote
from llmctl.project.models import Case, CaseReference, EvaluatorSpec

__all__ = ["has_references", "resolve"]

Path = tuple[str | int, ...]


def has_references(spec: EvaluatorSpec) -> bool:
    """Whether the case decides an argument of the evaluator or of one inside it."""
    return (
        any(True for _ in _references(spec.args))
        or any(True for _ in _references(spec.against))
        or any(has_references(child) for child in spec.children)
    )


def _references(value: object) -> Iterator[CaseReference]:
    match value:
        case CaseReference():
            yield value
        case Mapping():
            for inner in value.values():
                yield from _references(inner)
        case list() | tuple():
            for inner in value:
                yield from _references(inner)


def resolve(value: object, case: Case | None, path: Path = ()) -> object:
    """The value with every reference replaced by what the case holds there.

    Raises:
        ArgumentError: the case has nothing there, or there is no case.
    """
    match value:
        case CaseReference():
            return _taken(value, case, path)
        case Mapping():
            return {key: resolve(inner, case, (*path, key)) for key, inner in value.items()}
        case list() | tuple():
            return [resolve(inner, case, (*path, index)) for index, inner in enumerate(value)]
        case _:
            return value


def _taken(reference: CaseReference, case: Case | None, path: Path) -> object:
    name = ".".join(reference.path)
    if case is None:
        raise ArgumentError([Finding(f"{name} is taken from a case, and there is no case here", path)])
    root, *keys = reference.path
    if root == "expected" and not case.has_expected:
        raise ArgumentError(
            [Finding(f"case {quote(case.id)} has no expected answer, and {name} is taken from it", path)]
        )
    value: object = case.expected if root == "expected" else case.vars
    for depth, key in enumerate(keys, start=1):
        found, value = _step(value, key)
        if not found:
            missing = ".".join(reference.path[: depth + 1])
            hint = nearest(key, map(str, value)) if isinstance(value, Mapping) else None
            raise ArgumentError([Finding(f"case {quote(case.id)} has no {missing}", path, hint)])
    return value


def _step(value: object, key: str) -> tuple[bool, object]:
    """Whether there is something under the key, and it; else the value that lacks it."""
    if isinstance(value, Mapping) and key in value:
        return True, value[key]
    if isinstance(value, list | tuple) and key.isascii() and key.isdigit() and int(key) < len(value):
        return True, value[int(key)]
    return False, value
