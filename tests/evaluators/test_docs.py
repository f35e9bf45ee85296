"""docs/evaluators: a page for every evaluator, every argument on it, every example true."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmctl.evaluators.arguments import arguments_of
from llmctl.evaluators.base import Vector
from llmctl.evaluators.registry import COMBINATORS, build, evaluator_class, names
from llmctl.evaluators.samples import check_samples
from llmctl.evaluators.verdict import Subject, judge
from llmctl.project.models import SemanticSettings

from .entries import case_of, spec_of

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {page.stem: page.read_text(encoding="utf-8") for page in sorted((DOCS / "evaluators").glob("*.md"))}
INDEX = (DOCS / "evaluators.md").read_text(encoding="utf-8")


def _examples(page: str) -> list[Any]:
    return [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```$", page, re.M | re.S)]


EXAMPLES = [
    pytest.param(example, id=f"{name}-{number}")
    for name, page in {"index": INDEX, **PAGES}.items()
    for number, example in enumerate(_examples(page), start=1)
]

# measured with all-MiniLM-L6-v2, against the reference in the example
SIMILARITIES = {
    "Delivery takes two days.": 1.0,
    "It is delivered within two days.": 0.846,
    "Please reset your password first.": 0.123,
}


async def embed_recorded(texts: Any) -> list[Vector]:
    return [(SIMILARITIES[text], math.sqrt(1 - SIMILARITIES[text] ** 2)) for text in texts]


@pytest.mark.parametrize("name", sorted(names()))
def test_every_evaluator_has_a_page_with_its_arguments_and_an_example(name: str) -> None:
    page = PAGES[name]
    assert page.startswith(f"# `{name}`\n")
    assert f"[`{name}`](evaluators/{name}.md)" in INDEX
    used = {spec_of(entry).name for example in _examples(page) for entry in example["evaluators"]}
    assert name in used
    if name not in COMBINATORS:
        rows = re.findall(r"^\| `(\w+)` \|", page, re.M)
        assert rows == list(arguments_of(evaluator_class(name)))


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_can_be_built_and_its_samples_are_right(example: dict[str, Any]) -> None:
    case = case_of(example)
    for entry in example["evaluators"]:
        spec = spec_of(entry)
        assert build(spec, case, SemanticSettings()).warnings == ()
        assert check_samples(spec, case) == []


@pytest.mark.parametrize("kind", ["good", "bad"])
async def test_the_samples_of_semantic_are_right_too(kind: str) -> None:
    [example] = _examples(PAGES["semantic"])
    spec = spec_of(example["evaluators"][0])
    case = case_of(example)
    built = build(spec, case, SemanticSettings())
    for sample in getattr(spec, kind):
        verdict = await judge([built], Subject(sample, expected=case.expected, has_expected=True), embed_recorded)
        assert verdict.passed is (kind == "good"), verdict.reason


@pytest.mark.parametrize(("name", "field"), [("latency", "latency_ms"), ("cost", "cost_usd")])
async def test_the_comments_on_limits_are_right(name: str, field: str) -> None:
    said = re.search(rf"{name}: \S+ +# (\S+) \w+ pass, (\S+) \w+ fail", PAGES[name])
    assert said
    [example] = _examples(PAGES[name])
    built = build(spec_of(example["evaluators"][0]), None, SemanticSettings())
    for value, passed in ((said[1], True), (said[2], False)):
        subject = Subject("x", **{field: float(value)})  # type: ignore[arg-type]
        assert (await judge([built], subject)).passed is passed


def test_the_page_warns_of_what_embeddings_cannot_see() -> None:
    assert "blind to negation and numbers" in PAGES["semantic"]


def test_there_is_no_page_of_an_evaluator_that_does_not_exist() -> None:
    assert set(PAGES) <= names()
