"""A file of evaluators alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmctl.errors import ProjectError
from llmctl.project.evaluators_file import read_evaluators

NAMES = frozenset({"exact", "contains", "json_schema"})


def written(folder: Path, text: str) -> Path:
    path = folder / "evaluators.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_it_holds_what_a_bank_says_beside_its_cases(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text("{}", encoding="utf-8")
    text = "evaluators:\n  - exact\n  - json_schema: {file: s.json}\npass_score: 0.5\ngate: {min_pass_rate: 0.9}\n"

    found = read_evaluators(written(tmp_path, text), NAMES)

    assert [spec.name for spec in found.evaluators] == ["exact", "json_schema"]
    assert found.pass_score == 0.5
    assert found.gate is not None
    assert found.gate.min_pass_rate is not None


def test_its_digest_changes_with_what_it_names(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text("{}", encoding="utf-8")
    path = written(tmp_path, "evaluators:\n  - json_schema: {file: s.json}\n")
    before = read_evaluators(path, NAMES).digest
    (tmp_path / "s.json").write_text('{"type": "object"}', encoding="utf-8")

    assert read_evaluators(path, NAMES).digest != before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("evaluators: []\n", "no evaluator"),
        ("evaluators: [exct]\n", "There is no evaluator `exct`"),
        ("evaluator: [exact]\n", "evaluator"),
        ("evaluators: [exact]\ncases: []\n", "cases"),
        ("evaluators: [exact\n", ""),
    ],
)
def test_a_mistake_has_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ProjectError) as raised:
        read_evaluators(written(tmp_path, text), NAMES)
    assert any(said in problem.message for problem in raised.value.problems)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as raised:
        read_evaluators(tmp_path / "none.yaml", NAMES)
    assert "There is no file none.yaml" in raised.value.problems[0].message
