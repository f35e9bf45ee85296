"""A process that acknowledges what it wrote is killed at any moment: what it acknowledged is in the store."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from llmctl.runs.history import History, RunState
from llmctl.runs.importer import import_journals
from llmctl.runs.journal import is_alive

_ROUNDS = 20

# Writes in small pieces, so that some deaths leave a torn line; eight tasks acknowledge on stdout.
_CHILD = """
import asyncio, os, sys
from pathlib import Path
from llmctl.runs.journal import FileCalls, JournalWriter
from tests.runs.journal_examples import result, run

def pieces(fd, data):
    return os.write(fd, data[:97])

async def work(journal, first):
    for number in range(first, 100_000, 8):
        await journal.write(result(number))
        os.write(1, b"%d\\n" % number)

async def main(path):
    journal = JournalWriter(path, FileCalls(write=pieces))
    await journal.write(run(path.stem))
    await asyncio.gather(*(work(journal, first) for first in range(8)))

asyncio.run(main(Path(sys.argv[1])))
"""


def killed_run(path: Path, acknowledgements: int) -> set[int]:
    """Kill the writer after so many acknowledgements; all that it gave."""
    child = subprocess.Popen([sys.executable, "-c", _CHILD, str(path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    with child:
        lines = [child.stdout.readline() for _ in range(acknowledgements)]
        assert is_alive(path)
        child.kill()
        lines += child.stdout.readlines()
    return {int(line) for line in lines if line.endswith(b"\n")}


def test_what_was_acknowledged_is_stored_once(tmp_path: Path) -> None:
    source = random.Random(20261103)
    acknowledged = {}
    for number in range(_ROUNDS):
        run_id = f"1m83z0000{number:04d}"
        path = tmp_path / "runs" / f"{run_id}.jsonl"
        acknowledged[run_id] = killed_run(path, source.randrange(1, 80))
        assert not is_alive(path)
        if number % 5 == 4:  # imports between deaths change nothing
            import_journals(tmp_path)
    import_journals(tmp_path)
    history = History(tmp_path)
    for run_id, expected in acknowledged.items():
        stored = [int(result.case_id.removeprefix("case-")) for result in history.results(run_id)]
        assert len(stored) == len(set(stored))
        assert expected <= set(stored)
        assert history.run(run_id).status is RunState.KILLED
        assert history.run(run_id).damaged_lines == 0
