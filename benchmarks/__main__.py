"""`python -m benchmarks`: measures llmctl beside bare loops, and says which targets are reached.

--quick: 2,000 cases, one round. --full: also 20,000 and 100,000 cases through litellm, half an hour. Linux only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.capacity import measure_capacity
from benchmarks.machine import busy_notes, this_machine
from benchmarks.process import BenchError
from benchmarks.project import SYSTEM, tickets, user_message
from benchmarks.report import render
from benchmarks.results import Results, write_results
from benchmarks.runner import Runner
from benchmarks.serving import BenchServer
from benchmarks.workloads import SETS, Scenario, absent, scenarios

__all__ = ["bench", "main"]

_HERE = Path(__file__).resolve().parent.parent
_SERVER_S = 6 * 3600.0
_CAPACITY_REQUESTS = 20_000


def bench(chosen: list[Scenario], rounds: int, tree: Path = _HERE, notes: tuple[str, ...] = ()) -> Results:
    """Measure some scenarios.

    Raises:
        BenchError: a process failed, or did not do the work that it is measured for.
    """
    machine = this_machine()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder, BenchServer(_SERVER_S) as server:
        per_second = _server_rate(server)
        rows = Runner(server, Path(folder), tree, say=_say).run(chosen, rounds)
    return Results(
        taken_at=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=_commit(tree),
        machine=machine,
        server_per_second=per_second,
        rounds=rounds,
        rows=rows,
        notes=(*notes, *busy_notes(machine, rows)),
    )


def main() -> int:
    """Measure, print the tables, write the JSON."""
    given = _arguments()
    names = tuple(given.only) or SETS["quick" if given.quick else "full" if given.full else "usual"]
    rounds = given.rounds or (1 if given.quick else 3)
    try:
        chosen = scenarios(names)
    except ValueError as error:
        _say(str(error))
        return 2
    missing = {one.name: reason for one in chosen if (reason := absent(one))}
    try:
        found = bench([one for one in chosen if one.name not in missing], rounds, given.tree, tuple(missing.values()))
    except BenchError as error:
        _say(f"Stopped: {error}")
        return 1
    path = given.json or _HERE / "benchmarks" / "results" / f"{found.taken_at.replace(':', '')}.json"
    write_results(path, found)
    sys.stdout.write(render(found))
    _say(f"Written to {path}.")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="2,000 cases, one round")
    size.add_argument("--full", action="store_true", help="everything")
    size.add_argument("--only", action="append", default=[], metavar="NAME", help=", ".join(SETS["full"]))
    parser.add_argument("--rounds", type=int, metavar="N", help="default: 3")
    parser.add_argument("--json", type=Path, metavar="FILE", help="default: benchmarks/results/<time>.json")
    parser.add_argument("--tree", type=Path, default=_HERE, metavar="DIR", help="measure the llmctl that lies there")
    return parser.parse_args()


def _server_rate(server: BenchServer) -> float:
    """The best of three: what the server can do, not what it did while something else ran."""
    bodies = [
        json.dumps({"messages": [{"content": SYSTEM}, {"content": user_message(ticket)}]}).encode()
        for ticket in tickets(_CAPACITY_REQUESTS)
    ]
    return max(measure_capacity(server.port, bodies).per_second for _ in range(3))


def _commit(tree: Path) -> str | None:
    """The commit that is measured, marked where files differ from it."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=10"], cwd=tree, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or None


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
