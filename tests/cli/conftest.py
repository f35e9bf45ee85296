"""A small project on the fake model, and the command line called as a person calls it."""

from __future__ import annotations

import contextlib
import io
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from llmctl.cli import app

CONFIG = """
[models.fake]
model = "fake/script"
options = {answers = [{match = "card", answer = "billing"}, {match = "parcel", answer = "shipping"}], answer = "other"}

[models.echo]
model = "fake/echo"
"""

PROMPT = """
model: fake
messages:
  - {role: system, content: "You route tickets of {{ brand }}."}
  - {role: user, content: "Ticket: {{ ticket }}"}
"""

BANK = """
prompts: [route]
defaults:
  vars: {brand: Acme}
evaluators:
  - exact
  - length: {max: 20}
    weight: 0
cases:
  - {id: card, vars: {ticket: My card was declined}, expected: billing, tags: [smoke]}
  - {id: parcel, vars: {ticket: Where is my parcel?}, expected: shipping, tags: [smoke, hard]}
  - {id: hours, vars: {ticket: When are you open?}, expected: hours}
"""


@dataclass(frozen=True)
class Result:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str


Invoke = Callable[..., Result]


@pytest.fixture
def llmctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Calls the command line in this process, in `tmp_path`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("LLMCTL_STORE", raising=False)

    def invoke(*arguments: str) -> Result:
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            monkeypatch.setattr("sys.argv", ["llmctl", *arguments])
            code = app.run(list(arguments))
        return Result(code, *(_text(stream) for stream in (out, err)))

    return invoke


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one prompt, one bank and the fake model."""
    write(tmp_path, "llmctl.toml", CONFIG)
    write(tmp_path, "prompts/route.yaml", PROMPT)
    write(tmp_path, "testbanks/route.yaml", BANK)
    return tmp_path


def write(root: Path, path: str, text: str) -> Path:
    """Write a file of a project."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
    return file
