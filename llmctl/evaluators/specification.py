"""An evaluator as a bank names it, to plain data and back: so a journal says all that is needed to judge again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmctl.evaluators.registry import arguments_of, evaluator_class
from llmctl.project.models import CaseReference, EvaluatorSpec

__all__ = ["specification", "specification_of"]

_REFERENCE = "from"


def specification(spec: EvaluatorSpec) -> dict[str, object]:
    """The data of a spec; a reference to the case is `{from: [vars, greeting]}`. Places and samples are left out."""
    data: dict[str, object] = {"name": spec.name, "metric": spec.metric_name, "weight": spec.weight}
    if spec.args is not None:
        data["args"] = _data(_named(spec))
    if spec.extract is not None:
        data["extract"] = spec.extract
    if spec.has_against:
        data["against"] = _data(spec.against)
    if spec.children:
        data["children"] = [specification(child) for child in spec.children]
    return data


def specification_of(data: Mapping[str, Any]) -> EvaluatorSpec:
    """The spec that `specification` made the data of."""
    return EvaluatorSpec(
        name=data["name"],
        args=_value(data.get("args")),
        weight=data["weight"],
        metric=data["metric"],
        extract=data.get("extract"),
        against=_value(data.get("against")),
        has_against="against" in data,
        children=tuple(specification_of(child) for child in data.get("children", ())),
    )


def _named(spec: EvaluatorSpec) -> object:
    """The arguments; a mapping that came from a file, and is one value, under the name of that value."""
    if not isinstance(spec.args, Mapping):
        return spec.args
    return arguments_of(evaluator_class(spec.name), spec, spec.args)


def _data(value: object) -> object:
    match value:
        case CaseReference():
            return {_REFERENCE: list(value.path)}
        case Mapping():
            return {str(key): _data(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_data(inner) for inner in value]
        case _:
            return value


def _value(data: Any) -> object:
    match data:
        case {"from": list(path)} if len(data) == 1:
            return CaseReference(tuple(map(str, path)))
        case Mapping():
            return {key: _value(inner) for key, inner in data.items()}
        case list() | tuple():
            return [_value(inner) for inner in data]
        case _:
            return data
