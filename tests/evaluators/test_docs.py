"""docs/evaluators: a page for every evaluator, every argument on it, every example true."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmctl.evaluators.arguments import arguments_of
from llmctl.evaluators.base import Models, Vector
from llmctl.evaluators.registry import COMBINATORS, build, evaluator_class, names
from llmctl.evaluators.verdict import Subject, judge
from llmctl.project.models import EvaluatorSettings

from .entries import case_of, spec_of, wrong_samples

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {page.stem: page.read_text(encoding="utf-8") for page in sorted((DOCS / "evaluators").glob("*.md"))}
INDEX = (DOCS / "evaluators.md").read_text(encoding="utf-8")
EXTENDING = (DOCS / "extending.md").read_text(encoding="utf-8")


def _examples(page: str) -> list[Any]:
    return [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```$", page, re.M | re.S)]


CODE = re.compile(r"^```(?:python|sh)\n# ([\w/]+\.\w+)\n(.*?)^```$", re.M | re.S)
"""A file of the project that a page shows; its first line says where it lies."""


EXAMPLES = [
    pytest.param(example, id=f"{name}-{number}")
    for name, page in {"index": INDEX, "extending": EXTENDING, **PAGES}.items()
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


@pytest.fixture
def settings(tmp_path: Path) -> EvaluatorSettings:
    """A project with the code that the pages show."""
    for page in PAGES.values():
        for name, code in CODE.findall(page):
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(code, encoding="utf-8")
    return EvaluatorSettings(allow_code=True, root=tmp_path)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_can_be_built_and_its_samples_are_right(
    example: dict[str, Any], settings: EvaluatorSettings
) -> None:
    case = case_of(example)
    for entry in example["evaluators"]:
        spec = spec_of(entry)
        assert build(spec, case, settings).warnings == ()
        assert wrong_samples(spec, case, settings) == []


@pytest.mark.parametrize("name", ["python", "command"])
async def test_the_samples_of_code_are_right_too(name: str, settings: EvaluatorSettings) -> None:
    [example] = _examples(PAGES[name])
    for spec in map(spec_of, example["evaluators"]):
        built = build(spec, None, settings)
        for kind in ("good", "bad"):
            assert getattr(spec, kind)
            for sample in getattr(spec, kind):
                verdict = await judge([built], Subject(sample))
                assert verdict.passed is (kind == "good"), (sample, verdict.reason)


def test_the_code_of_a_function_is_the_same_on_both_pages() -> None:
    for name, code in CODE.findall(EXTENDING):
        shown = dict(CODE.findall(PAGES["python"])).get(name)
        assert shown is None or shown.startswith(code)


@pytest.mark.parametrize("kind", ["good", "bad"])
async def test_the_samples_of_semantic_are_right_too(kind: str) -> None:
    [example] = _examples(PAGES["semantic"])
    spec = spec_of(example["evaluators"][0])
    case = case_of(example)
    built = build(spec, case, EvaluatorSettings())
    for sample in getattr(spec, kind):
        verdict = await judge(
            [built], Subject(sample, expected=case.expected, has_expected=True), Models(embed_recorded)
        )
        assert verdict.passed is (kind == "good"), verdict.reason


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("latency", "latency_ms"),
        ("cost", "cost_usd"),
        ("time_to_first_token", "ttft_ms"),
        ("tokens", "output_tokens"),
    ],
)
async def test_the_comments_on_limits_are_right(name: str, field: str) -> None:
    said = re.search(rf"{name}: \S+ +# (\S+) \w+ pass, (\S+) \w+ fail", PAGES[name])
    assert said
    [example] = _examples(PAGES[name])
    built = build(spec_of(example["evaluators"][0]), None, EvaluatorSettings())
    for value, passed in ((said[1], True), (said[2], False)):
        subject = Subject("x", **{field: float(value)})  # type: ignore[arg-type]
        assert (await judge([built], subject)).passed is passed


def test_the_page_warns_of_what_embeddings_cannot_see() -> None:
    assert "blind to negation and numbers" in PAGES["semantic"]


def test_there_is_no_page_of_an_evaluator_that_does_not_exist() -> None:
    assert set(PAGES) <= names()
