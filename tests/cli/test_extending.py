"""docs/extending.md: its plugin is installed for real, as a package with an entry point, and judges in a run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import CONFIG, PROMPT, write

PAGE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```(?:python|toml)\n# ([\w/.]+)\n(.*?)^```$", PAGE, re.M | re.S))
BANK = """
prompts: [route]
defaults: {vars: {brand: Acme}}
evaluators:
  - shouts: 0.5
    good: [HELLO]
    bad: [hello]
cases:
  - {id: card, vars: {ticket: My card}}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the package of the page."""
    package, site = tmp_path_factory.mktemp("acme"), tmp_path_factory.mktemp("site")
    for name in ("acme_evaluators.py", "pyproject.toml"):
        write(package, name, FILES[name])
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", *offline, "--target", str(site), str(package)],
        check=True,
        capture_output=True,
    )
    return site


def llmctl(root: Path, site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(site), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "llmctl", *arguments]
    return subprocess.run(command, cwd=root, env=environ, capture_output=True, text=True, check=False)


def test_the_plugin_of_the_page_has_at_most_15_lines() -> None:
    assert len([line for line in FILES["acme_evaluators.py"].splitlines() if line.strip()]) <= 15


def test_an_installed_plugin_judges(tmp_path: Path, site: Path) -> None:
    write(tmp_path, "llmctl.toml", CONFIG)
    write(tmp_path, "prompts/route.yaml", PROMPT)
    write(tmp_path, "testbanks/route.yaml", BANK)
    checked = llmctl(tmp_path, site, "validate", "--strict")
    assert checked.returncode == 0, checked.stderr
    run = llmctl(tmp_path, site, "eval", "--json")
    assert run.returncode == 0, run.stderr
    [row] = json.loads(run.stdout)["results"]
    assert row["passed"] is False
    assert row["reason"] == "shouts: 0% of the letters are capitals."
    schema = llmctl(tmp_path, site, "schema", "bank").stdout
    assert "The output is in capitals." in schema


def test_its_arguments_and_samples_are_checked(tmp_path: Path, site: Path) -> None:
    write(tmp_path, "llmctl.toml", CONFIG)
    write(tmp_path, "prompts/route.yaml", PROMPT)
    write(tmp_path, "testbanks/route.yaml", BANK.replace("shouts: 0.5", "shouts: loud"))
    refused = llmctl(tmp_path, site, "validate")
    assert refused.returncode == 2
    assert '"share" of `shouts` must be a number.' in refused.stderr
    write(tmp_path, "testbanks/route.yaml", BANK.replace("[HELLO]", "[hello]"))
    assert 'The good sample "hello" of `shouts` fails.' in llmctl(tmp_path, site, "validate").stderr


def test_without_the_package_its_name_is_unknown(tmp_path: Path) -> None:
    write(tmp_path, "llmctl.toml", CONFIG)
    write(tmp_path, "prompts/route.yaml", PROMPT)
    write(tmp_path, "testbanks/route.yaml", BANK)
    assert "There is no evaluator `shouts`." in llmctl(tmp_path, tmp_path, "validate").stderr
