"""The command line starts fast: nothing heavy is imported before it is needed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.cli.conftest import Invoke

HEAVY = {"litellm", "torch", "sentence_transformers", "duckdb", "scipy", "numpy", "aiohttp", "xllamacpp"}

SHOW_MODULES = """
import json, sys
from llmctl.cli.app import run
sys.stdout = sys.stderr
run({arguments!r})
sys.__stdout__.write(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""


@pytest.mark.parametrize("arguments", [["--help"], ["eval", "--help"], ["models", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = SHOW_MODULES.format(arguments=arguments)
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(json.loads(shown.stdout))


def test_an_unexpected_error_is_one_sentence(monkeypatch: pytest.MonkeyPatch, llmctl: Invoke) -> None:
    from llmctl.cli.session import Session

    def broken(session: Session) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(Session, "config", property(broken))
    result = llmctl("runs")
    assert result.code == 4
    assert "boom" in result.err and "--debug" in result.err
    assert "Traceback" not in result.err
    assert "Traceback" in llmctl("runs", "--debug").err
