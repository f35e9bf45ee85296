"""The files and commands of README and docs work as they are printed."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import Invoke, write
from tests.cli.git import commit_all

ROOT = Path(__file__).parents[2]
MODELS = """
[models.small]
model = "fake/script"
options = {answers = [{match = "parcel", answer = '{"queue": "shipping"}'}], answer = '{"queue": "billing"}'}

[models.gpt]
model = "fake/echo"
"""


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def readme_project(tmp_path: Path) -> Path:
    """The project that README shows, on the fake model, committed."""
    prompt, bank = blocks("README.md", "yaml")
    write(tmp_path, "llmctl.toml", MODELS)
    write(tmp_path, "prompts/route.yaml", prompt)
    write(tmp_path, "testbanks/route.yaml", bank)
    commit_all(tmp_path)
    return tmp_path


def readme_commands() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [line for line in text.split("\n") if line.startswith("| `llmctl")]
    return [command for row in rows for command in re.findall(r"`(llmctl [^`]+)`", row.split(" | ")[0])]


def test_the_commands_of_the_readme(readme_project: Path, llmctl: Invoke) -> None:
    commands = readme_commands()
    assert len(commands) >= 8
    assert "2/2" in llmctl("eval", "route").out
    case_id = json.loads(llmctl("show", "@last", "--json").out)["results"][0]["case_id"]
    for command in commands:
        if re.search("FILE|CONFIG|LABELS|URL|CALL", command):
            continue  # something of the reader's own: tests of the command itself make one
        arguments = shlex.split(command.replace("CASE", case_id).replace("BANK", "route"))[1:]
        result = llmctl(*arguments)
        assert result.code == 0, f"{command}: {result.err}"


def test_the_files_of_the_pages_are_sound(tmp_path: Path, llmctl: Invoke) -> None:
    [config] = [block for block in blocks("docs/configuration.md", "toml") if "[project]" in block]
    write(tmp_path, "llmctl.toml", config)
    prompt, history, *_ = blocks("docs/prompts.md", "yaml")
    write(tmp_path, "prompts/triage.yaml", prompt)
    write(
        tmp_path,
        "prompts/chat.yaml",
        "model: small\nmessages: [{placeholder: history}, {role: user, content: '{{ question }}'}]",
    )
    bank, *_ = blocks("docs/banks.md", "yaml")
    write(tmp_path, "testbanks/triage.yaml", bank)
    write(
        tmp_path, "testbanks/triage.csv", "ticket_id,text,queue,customer,labels\na,My parcel is late,shipping,c1,bulk\n"
    )
    write(tmp_path, "testbanks/chat.yaml", f"prompts: [chat]\nevaluators: [{{contains: Porto}}]\n{history}")
    result = llmctl("validate", "--json")
    assert result.code == 0, result.out
