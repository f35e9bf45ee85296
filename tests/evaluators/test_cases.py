"""Every evaluator on its table of cases: `cases/<name>.yaml`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmctl.errors import ProjectError
from llmctl.evaluators.base import Embed, Models, Vector
from llmctl.evaluators.registry import build, names
from llmctl.evaluators.verdict import Subject, judge
from llmctl.outcome import Outcome

from .entries import SETTINGS, answering, case_of, embed_words, spec_of

CASES = Path(__file__).parent / "cases"
FIELDS = {"with", "expected", "vars", "output", "result", "says", "call", "embed", "ask"}


def _cases() -> Iterator[Any]:
    for file in sorted(CASES.glob("*.yaml")):
        for number, case in enumerate(yaml.safe_load(file.read_text(encoding="utf-8")), start=1):
            yield pytest.param(case, id=f"{file.stem}-{number}")


def _output(output: Any) -> str:
    if not isinstance(output, dict):
        return str(output)
    text = str(output["repeat"]) * int(output["times"])
    return text + str(output.get("then", "")) * int(output.get("then_times", 1)) + str(output.get("last", ""))


def _embed(case: dict[str, Any]) -> Embed | None:
    async def nan(texts: Any) -> list[Vector]:
        return [[float("nan")] for _ in texts]

    async def long(texts: Any) -> list[Vector]:
        return [[2.0] for _ in texts]

    async def short(texts: Any) -> list[Vector]:
        return [[1.0]]

    async def broken(texts: Any) -> list[Vector]:
        raise OSError("the child died")

    kinds: dict[Any, Embed | None] = {None: None, "nan": nan, "long": long, "short": short, "broken": broken}
    return kinds[case["embed"]] if "embed" in case else embed_words


async def _outcome(data: dict[str, Any]) -> tuple[str, str]:
    """`pass`, `fail`, `error` or `refused`, and what was said about it."""
    spec = spec_of(data["with"])
    case = case_of(data, (spec,))
    try:
        built = build(spec, case, SETTINGS)
    except ProjectError as error:
        assert all(problem.place is not None for problem in error.problems)
        return "refused", "\n".join(f"{problem.message} {problem.hint or ''}" for problem in error.problems)
    call = {**data.get("call", {})}
    call["outcome"] = Outcome(call.get("outcome", "answered"))
    subject = Subject(
        _output(data["output"]), expected=case.expected, has_expected=case.has_expected, vars=case.vars, **call
    )
    verdict = await judge([built], subject, Models(_embed(data), ask=answering(data.get("ask"))))
    [score] = verdict.scores
    assert score.passed is verdict.passed
    assert score.error is (verdict.passed is None)
    assert len(score.explanation) < 3000
    return {True: "pass", False: "fail", None: "error"}[verdict.passed], score.explanation


@pytest.mark.parametrize("case", list(_cases()))
async def test_case(case: dict[str, Any]) -> None:
    assert set(case) <= FIELDS
    result, said = await _outcome(case)
    assert result == case["result"], said
    assert str(case.get("says", "")) in said


def test_every_evaluator_has_a_table() -> None:
    assert {file.stem for file in CASES.glob("*.yaml")} == set(names()) | {"extract"}


@pytest.mark.parametrize("name", sorted(names()))
def test_every_table_shows_passes_failures_and_refusals(name: str) -> None:
    cases = yaml.safe_load((CASES / f"{name}.yaml").read_text(encoding="utf-8"))
    assert len(cases) >= 10
    assert {"pass", "fail", "refused"} <= {case["result"] for case in cases}
