"""docs/replay.md: its example is executed as it stands, with the local model behind `llmctl record`."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.conftest import Invoke, write
from tests.cli.git import commit_all
from tests.cli.test_four_transports import has_weights

PAGE = (Path(__file__).parents[2] / "docs" / "replay.md").read_text(encoding="utf-8")
EXAMPLE = PAGE[PAGE.index("## An example") : PAGE.index("## Modes")]
FILES = dict(re.findall(r"^```(?:toml|yaml|python)\n# ([\w/.]+)\n(.*?)^```$", EXAMPLE, re.M | re.S))
CALL = "b7469f7628a4c64b"
"""The call that the page names; here it has another id."""

needs_weights = pytest.mark.skipif(not has_weights(), reason="the local model is not here: run `llmctl models pull`")


@dataclass(frozen=True)
class Step:
    """A command of the page, and what it prints, line by line, with parts left out."""

    command: list[str]
    lines: list[str]


def steps() -> list[Step]:
    found = []
    for block in re.findall(r"^```console\n(.*?)^```$", EXAMPLE, re.M | re.S):
        first, *lines = block.splitlines()
        found.append(Step(shlex.split(first.removeprefix("$ ")), lines))
    return found


@contextmanager
def recording(root: Path, step: Step) -> Iterator[str]:
    """The page's `llmctl record`, on a free port; its address."""
    arguments = [*step.command[1:-1], "0"]
    command = [sys.executable, "-m", *step.command[:1], *arguments]
    with subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            said = process.stderr.readline()
            found = re.match(r"Recording (http://127\.0\.0\.1:\d+) -> local/smollm2-135m\. Ctrl-C ends it\.", said)
            assert found is not None, said
            yield found[1]
            process.send_signal(signal.SIGINT)
            assert "recorded 4 calls as " in process.stderr.read()
            assert process.wait(20) == 0
        finally:
            process.kill()


def says(out: str, lines: list[str], call: str) -> None:
    """Every line of the page stands in the output, in order; runs have ids of their own."""
    at, flat = 0, " ".join(out.split())
    for line in lines:
        wanted = " ".join(re.sub(r"run 1m\w+", "run ", line).replace(CALL, call).split())
        place = flat.find(wanted, at)
        assert place >= 0, f"{wanted!r} is not in:\n{out}"
        at = place


def test_the_page_holds_the_files_and_the_commands() -> None:
    assert set(FILES) == {"llmctl.toml", "prompts/extract.yaml", "testbanks/extract.yaml", "app.py", "right.yaml"}
    assert [" ".join(step.command[:2]) for step in steps()] == [
        "llmctl record",
        "python app.py",
        "llmctl gate",
        "llmctl replay",
        "llmctl bank",
        "llmctl gate",
    ]


@needs_weights
def test_from_the_first_call_to_the_gate(tmp_path: Path, llmctl: Invoke) -> None:
    record, application, content, replay, add, caught = steps()
    for name in ("llmctl.toml", "prompts/extract.yaml", "testbanks/extract.yaml", "app.py"):
        write(tmp_path, name, FILES[name])
    commit_all(tmp_path)
    with recording(tmp_path, record) as address:
        command = [sys.executable, *application.command[1:-1], address]
        answers = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert '"Stratford-upon-Avon"' in answers

    write(tmp_path, "prompts/extract.yaml", FILES["prompts/extract.yaml"].replace("max_tokens: 64", "max_tokens: 40"))
    passed = llmctl(*content.command[1:])
    assert passed.code == 0, passed.out + passed.err
    says(passed.out, content.lines, "")

    replayed = llmctl(*replay.command[1:])
    assert replayed.code == 0, replayed.err
    document = json.loads(llmctl("replay", "-p", "extract", "--json").out)
    [worst] = document["candidates"][0]["worst"]
    says(replayed.out, replay.lines, worst["id"])
    assert worst["broken"]["fault"] == "truncated"
    assert "Stratford-upon" in (tmp_path / "replay.html").read_text(encoding="utf-8")

    write(tmp_path, "right.yaml", FILES["right.yaml"])
    added = llmctl(*(part.replace(CALL, worst["id"]) for part in add.command[1:]))
    assert added.code == 0, added.err
    says(added.out, add.lines, "")
    assert "# from traffic " in (tmp_path / "testbanks/extract.yaml").read_text(encoding="utf-8")

    failed = llmctl(*caught.command[1:])
    assert failed.code == 1, failed.out + failed.err
    says(failed.out, caught.lines, "")
