"""`eval` on the local model, ended by itself, by Ctrl-C and by SIGKILL: no hang, no orphan, no socket left behind."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from llmctl.errors import ModelError
from llmctl.providers.local import weights
from tests.cli.conftest import write
from tests.crash.rounds import rounds
from tests.endings.terminal import eval_in_terminal

WAYS = (None, signal.SIGINT, signal.SIGKILL)


def has_weights() -> bool:
    try:
        weights.find("smollm2-135m")
    except ModelError:
        return False
    return True


pytestmark = pytest.mark.skipif(not has_weights(), reason="the local model is not here: run `llmctl models pull`")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("local")
    write(root, "llmctl.toml", '[models.small]\nmodel = "local/smollm2-135m"\n')
    write(root, "prompts/say.yaml", "model: small\nparams: {temperature: 0, max_tokens: 6}\ntemplate: '{{ text }}'\n")
    cases = "".join(f"  - {{vars: {{text: Say the number {number}.}}, expected: '{number}'}}\n" for number in range(12))
    write(root, "testbanks/say.yaml", f"prompts: [say]\nevaluators: [contains]\ncases:\n{cases}")
    return root


@pytest.mark.parametrize("number", range(rounds(6)))
def test_nothing_is_left_behind(project: Path, tmp_path: Path, number: int) -> None:
    way = WAYS[number % len(WAYS)]
    chance = random.Random(number)
    scratch = tmp_path / "t"
    scratch.mkdir()
    environ = {"TMPDIR": str(scratch), "XDG_RUNTIME_DIR": str(scratch)}
    with eval_in_terminal(project, environ, "--no-cache") as run:
        if way is not None:
            moment = chance.uniform(0, 4)
            run.read_until(lambda shown: shown.done >= 1 + number % 5, deadline_s=moment)
        code = run.end(way, deadline_s=60)
    expected = {None: {0}, signal.SIGINT: {0, 130, -signal.SIGINT}, signal.SIGKILL: {0, -signal.SIGKILL}}
    assert code in expected[way]
    gone_by = time.monotonic() + 10
    while (left := left_behind(scratch)) and time.monotonic() < gone_by:
        pass
    assert left == []


def left_behind(scratch: Path) -> list[str]:
    """Sockets in the scratch folder, and processes that work in it."""
    sockets = [str(path) for path in scratch.rglob("*") if path.is_socket()]
    return sockets + [line for line in command_lines() if str(scratch) in line]


def command_lines() -> list[str]:
    """Of every process, from /proc where there is one: `ps` is not on every machine."""
    if not Path("/proc/self/cmdline").exists():
        return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            lines.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return lines
