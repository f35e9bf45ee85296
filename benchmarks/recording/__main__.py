"""Calls straight to the upstream and through `llmctl record`, in turns, and the difference between their medians."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from benchmarks.proc import descendants, stat_of
from benchmarks.recording.client import Times, ask

__all__ = ["main"]

_WORK = {"whole, after 50 ms": (50, False), "stream, after 50 ms": (50, True), "whole, at once": (0, False)}
_AT_ONCE = (1, 8, 32, 64)


@dataclass(frozen=True)
class _Pair:
    """The same work without and with the recorder."""

    direct: Times
    through: Times
    cpu_s: float
    """Of the recorder."""


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recording", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--at-once", type=int, nargs="+", default=_AT_ONCE)
    parser.add_argument("--work", nargs="+", choices=_WORK, default=list(_WORK))
    given = parser.parse_args()
    sys.stdout.write(
        "| work | at once | direct, ms | added, ms | added at p95, ms | to the first byte, ms | CPU, us | calls |\n"
    )
    sys.stdout.write("|---|---|---|---|---|---|---|---|\n")
    with tempfile.TemporaryDirectory(prefix="recording-") as folder, _started("benchmarks.recording.upstream") as model:
        upstream = int(_line(model))
        with _recorder(Path(folder), upstream) as recorder:
            port = int(_match(r"127\.0\.0\.1:(\d+) ->", _line(recorder)))
            for work in given.work:
                for at_once in given.at_once:
                    pairs = [
                        _pair((upstream, port), recorder.pid, at_once, given.seconds, work) for _ in range(given.rounds)
                    ]
                    sys.stdout.write(_row(work, at_once, pairs))
                    sys.stdout.flush()
            recorder.send_signal(signal.SIGINT)
            assert recorder.stdout is not None
            sys.stdout.write(recorder.stdout.read())
    return 0


def _pair(ports: tuple[int, int], pid: int, at_once: int, seconds: float, work: str) -> _Pair:
    after_ms, streamed = _WORK[work]
    upstream, port = ports
    direct = asyncio.run(ask(upstream, at_once, seconds, after_ms, streamed))
    before = _cpu_s(pid)
    through = asyncio.run(ask(port, at_once, seconds, after_ms, streamed))
    return _Pair(direct, through, _cpu_s(pid) - before)


def _cpu_s(pid: int) -> float:
    return sum(stat.cpu_s for one in (pid, *descendants(pid)) if (stat := stat_of(one)) is not None)


def _row(work: str, at_once: int, pairs: list[_Pair]) -> str:
    whole = median(median(one.through.whole) - median(one.direct.whole) for one in pairs)
    late = median(_p95(one.through.whole) - _p95(one.direct.whole) for one in pairs)
    first = median(median(one.through.first) - median(one.direct.first) for one in pairs)
    direct = median(median(one.direct.whole) for one in pairs)
    calls = sum(len(one.through.whole) for one in pairs)
    cpu_us = sum(one.cpu_s for one in pairs) / calls * 1e6
    return (
        f"| {work} | {at_once} | {direct:.2f} | {whole:.2f} | {late:.2f} | {first:.2f} | {cpu_us:.0f} | {calls:,} |\n"
    )


def _p95(values: Iterable[float]) -> float:
    return quantiles(values, n=20)[-1]


@contextlib.contextmanager
def _recorder(folder: Path, upstream: int) -> Iterator[subprocess.Popen[str]]:
    (folder / "llmctl.toml").write_text("", encoding="utf-8")
    arguments = ("-C", str(folder), "record", "--port", "0", "--upstream", f"http://127.0.0.1:{upstream}")
    with _started("llmctl", *arguments, stderr=subprocess.STDOUT) as process:
        yield process


@contextlib.contextmanager
def _started(module: str, *arguments: str, stderr: int | None = None) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def _match(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise SystemExit(f"The recorder did not start: {text}")
    return found[1]


if __name__ == "__main__":
    sys.exit(main())
