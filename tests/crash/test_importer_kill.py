"""Importers that are killed at any step, one after the other: nothing is lost, and nothing is stored twice."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

from tests.crash.invariants import check_store, rows_of_index
from tests.crash.rounds import rounds
from tests.runs.journal_examples import journal_of, whole_run, write_journal

# Dies at its n-th write into a table, before or after it; the tables are written one after the other.
_CHILD = """
import os, signal, sys
from pathlib import Path
from llmctl.runs import importer, line_batch

left, after = int(sys.argv[2]), sys.argv[3] == "after"

def dying(write):
    def writes(*arguments):
        global left
        left -= 1
        if left == 0 and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = write(*arguments)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return writes

for module, name in ((importer, "append_rows"), (line_batch, "append_rows"), (line_batch, "insert_rows")):
    setattr(module, name, dying(getattr(module, name)))
importer.import_journals(Path(sys.argv[1]))
"""
TABLES = 13


def test_importers_that_are_killed(tmp_path: Path) -> None:
    chance = random.Random(20261103)
    store = tmp_path / "store"
    for number in range(rounds(8)):
        run_id = f"1m83z0000{number:04d}"
        write_journal(journal_of(store, run_id), whole_run(run_id, 40))
        kill_importer(store, chance.randint(1, TABLES), chance.choice(["before", "after"]))
        if number % 4 == 3:
            check_store(store)
            assert len(rows_of_index(store)["result_rows"]) == 40 * (number + 1)
    check_store(store)


def kill_importer(store: Path, nth: int, moment: str) -> None:
    script = [sys.executable, "-c", _CHILD, str(store), str(nth), moment]
    assert subprocess.run(script, check=False).returncode == -signal.SIGKILL
