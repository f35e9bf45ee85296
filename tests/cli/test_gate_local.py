"""`llmctl gate` with the local model on the project's own prompt: what breaks it, and what nobody could see."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Invoke, Result, write
from tests.cli.git import commit_all
from tests.cli.test_four_transports import has_weights

OWN = Path(__file__).parents[2]
CONFIG = """
[models.small]
model = "local/smollm2-135m"

[eval]
timeout_s = 120

[gate]
baseline = "main"
margin = 0.05
"""
CASES = 10

pytestmark = pytest.mark.skipif(not has_weights(), reason="the local model is not here: run `llmctl models pull`")


@pytest.fixture
def own_prompt(tmp_path: Path) -> str:
    """A repository with the project's own prompt, and the first cases of its bank; the prompt's text."""
    text = (OWN / "prompts/extract.yaml").read_text(encoding="utf-8")
    bank = (OWN / "testbanks/extract.yaml").read_text(encoding="utf-8").replace("    must_pass: true\n", "")
    head, *cases = bank.split("  - id: ")
    write(tmp_path, "llmctl.toml", CONFIG)
    write(tmp_path, "prompts/extract.yaml", text)
    write(tmp_path, "testbanks/extract.yaml", head + "".join(f"  - id: {case}" for case in cases[:CASES]))
    commit_all(tmp_path)
    return text


def gate(llmctl: Invoke, *options: str) -> Result:
    result = llmctl("gate", *options)
    assert f"of {CASES} passed" in result.out, result.out + result.err
    return result


def test_a_prompt_without_its_schema_fails(tmp_path: Path, own_prompt: str, llmctl: Invoke) -> None:
    write(tmp_path, "prompts/extract.yaml", own_prompt[: own_prompt.index("output:")])
    result = gate(llmctl, "--no-early-stop")
    assert result.code == 1, result.out
    assert f"0 of {CASES} passed" in result.out
    assert "A drop is shown" in result.out


def test_another_wording_is_not_decided_by_ten_cases(tmp_path: Path, own_prompt: str, llmctl: Invoke) -> None:
    said = "Extract the order from the mail: the item, the quantity and the city."
    assert said in own_prompt
    write(
        tmp_path,
        "prompts/extract.yaml",
        own_prompt.replace(said, "Read the order in the mail: item, quantity and city."),
    )
    result = gate(llmctl)
    assert result.code == 3, result.out
    assert " cases would pass a version that is no worse" in " ".join(result.out.split())
