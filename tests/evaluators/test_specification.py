"""An evaluator that went through a journal scores, and is keyed, as the one that a bank named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmctl.canonical import WrittenFloat, WrittenInt, from_json, to_json
from llmctl.errors import Place, ProjectError
from llmctl.evaluators.registry import build
from llmctl.evaluators.specification import specification, specification_of
from llmctl.project.models import EvaluatorSettings, EvaluatorSpec

from .entries import PLACE, case_of, spec_of
from .test_cases import _cases


def there_and_back(spec: EvaluatorSpec) -> EvaluatorSpec:
    return specification_of(from_json(to_json(specification(spec))))


@pytest.mark.parametrize("case", list(_cases()))
def test_every_example_is_built_the_same_again(case: dict[str, Any]) -> None:
    spec, example = spec_of(case["with"]), case_of(case)
    try:
        built = build(spec, example, EvaluatorSettings())
        data = to_json(specification(spec))
    except ProjectError:  # an example of a mistake: it never reaches a journal
        return
    except TypeError:  # half a surrogate pair, or a number beyond 64 bits: a journal keeps its text
        return
    again = build(specification_of(from_json(data)), example, EvaluatorSettings())
    assert (again.key, again.metric, again.weight, again.against) == (
        built.key,
        built.metric,
        built.weight,
        built.against,
    )


@pytest.mark.parametrize("value", [WrittenFloat(1.1, "1.10"), WrittenInt(10, "010"), "no", None, [1, "a"]])
def test_a_scalar_stays_as_it_was_written(value: object) -> None:
    spec = EvaluatorSpec("exact", against=value, has_against=True)
    again = there_and_back(spec)
    assert to_json(again.against) == to_json(value)


def test_a_mapping_from_a_file_stays_one_value() -> None:
    schema = {"type": "object", "required": ["queue"]}
    spec = EvaluatorSpec("json_schema", schema, place=PLACE, arg_places={("file",): Place(Path("s.json"), 1, 1)})
    built = build(spec, None, EvaluatorSettings())
    again = build(there_and_back(spec), None, EvaluatorSettings())
    assert again.key == built.key
    with pytest.raises(ProjectError):  # without its file, `type` and `required` would be arguments
        build(EvaluatorSpec("json_schema", schema, place=PLACE), None, EvaluatorSettings())


def test_a_reference_says_its_path() -> None:
    data = specification(spec_of({"exact": {}, "against": {"from": "vars.x"}, "extract": "/a", "weight": 0}))
    assert data == {
        "name": "exact",
        "metric": "exact",
        "weight": 0,
        "args": {},
        "extract": "/a",
        "against": {"from": ["vars", "x"]},
    }
