"""The end of the process: at once, and with everything that was to be done at the end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = """
import atexit, sys, threading
from llmctl.cli.ending import end

class Taken:
    def __del__(self):
        print("taken apart")

kept = Taken()
atexit.register(print, "at the end")
print("said")
sys.stderr.write("warned")
{more}
end(3)
"""


def _ended(more: str = "") -> subprocess.CompletedProcess[str]:
    script = _SCRIPT.format(more=more)
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False, env=buffered
    )


def test_what_was_said_is_written_and_what_was_registered_is_done() -> None:
    ended = _ended()
    assert ended.returncode == 3
    assert ended.stdout == "said\nat the end\n"
    assert ended.stderr == "warned"


def test_a_thread_at_work_is_waited_for() -> None:
    ended = _ended("go = threading.Event(); threading.Thread(target=lambda: (go.wait(0.2), print('worked'))).start()")
    assert ended.returncode == 3
    assert "worked\n" in ended.stdout


def test_nobody_reads_any_more() -> None:
    assert _ended("sys.stdout = None").returncode == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_output_that_cannot_be_written_is_no_success() -> None:
    with Path("/dev/full").open("w") as full:
        script = "from llmctl.cli.ending import end\nprint('said')\nend(0)"
        ended = subprocess.run([sys.executable, "-c", script], stdout=full, stderr=subprocess.PIPE, check=False)
    assert ended.returncode != 0
