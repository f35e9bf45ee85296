"""Evaluators see the tools that the prompt offers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from llmctl.evaluators.base import Context
from llmctl.project.models import EvaluatorSpec
from llmctl.project.prompt_data import prompt_data, prompt_from_data
from llmctl.runs.target import Target

from .test_execute import run, target, unit

CALLS = EvaluatorSpec("tool_calls", {"schema": True, "compare": False})
CALL = '{"name": "f", "arguments": {"n": 1}}'


def tool(kind: str) -> dict[str, object]:
    parameters = {"type": "object", "properties": {"n": {"type": kind}}}
    return {"type": "function", "function": {"name": "f", "parameters": parameters}}


def offering(*tools: dict[str, object]) -> Target:
    plain = target()
    return replace(plain, prompt=replace(plain.prompt, tools=tools))


@pytest.mark.parametrize(("kind", "passed"), [("integer", True), ("string", False)])
async def test_calls_are_checked_against_the_schemas_of_the_prompt(tmp_path: Path, kind: str, passed: bool) -> None:
    [result] = await run(tmp_path / "j.jsonl", [unit(offering(tool(kind)), CALL, spec=CALLS)])
    assert result.passed is passed, result.reason


async def test_without_tools_no_call_is_right(tmp_path: Path) -> None:
    [result] = await run(tmp_path / "j.jsonl", [unit(offering(), CALL, spec=CALLS)])
    assert result.passed is False
    assert "the prompt offers none" in result.reason


def test_tools_are_kept_for_a_run_that_is_taken_up_again() -> None:
    prompt = offering(tool("integer")).prompt
    assert replace(offering(), prompt=prompt_from_data(prompt_data(prompt))).tools({}) == (tool("integer"),)
    assert Context(output="").tools == ()
