"""Writes docs/commands.md from `--help`, so that the page cannot say anything else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parent / "commands.md"
COMMANDS = (
    *("", "init", "validate", "eval", "try", "rescore", "runs", "show"),
    *("diff", "gate", "baseline", "baseline save", "baseline show", "compare", "power", "blame", "sql", "export"),
    *("traffic", "traffic import", "traffic list", "traffic show", "traffic stats", "traffic formats", "record"),
    *("replay", "feedback", "feedback add", "feedback import", "feedback implicit", "feedback list", "quality"),
    *("judge", "judge calibrate", "models", "models pull", "models list", "doctor", "schema"),
    *("import", "import promptfoo", "import openai-evals", "import inspect", "bank", "bank import", "bank export"),
    *("bank add", "bank mine"),
)
HEAD = """# Commands

This page is made from `--help` by `make docs`; a test holds it to that.

Every command that reports takes `--json`. The report goes to standard output, progress and warnings to standard error.

| exit | meaning |
|---|---|
| 0 | done (for `eval`: also when cases failed); for `gate` and `replay --gate`: PASS |
| 1 | `gate`: FAIL; `eval --strict`: a case failed; `validate --strict`: a warning |
| 2 | usage, configuration or file error, empty selection, no rule to judge by; nothing was sent |
| 3 | `gate`: INCONCLUSIVE, the evidence is sound but too little |
| 4 | it could not finish (key, provider, store, disk), or too many results have no evidence; `gate`: NOT EVALUATED |
| 5 | stopped by a budget or by `-x`; what was done is kept |
| 130, 143 | interrupted, terminated; what was done is kept |
"""


def help_of(command: str) -> str:
    """The help text of a command, 100 columns wide."""
    environ = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb", "TERMINAL_WIDTH": "100"}
    arguments = [sys.executable, "-m", "llmctl", *command.split(), "--help"]
    shown = subprocess.run(arguments, env=environ, capture_output=True, text=True, check=True).stdout
    return "\n".join(line.rstrip() for line in shown.strip().split("\n"))


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *map(section, COMMANDS)])


def section(command: str) -> str:
    """One command's section."""
    title = f"llmctl {command}".strip()
    return f"## `{title}`\n\n```text\n{help_of(command)}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
