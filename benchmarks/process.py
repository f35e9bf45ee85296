"""Runs one process and measures it: wall time, CPU and peak memory, its children apart."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import proc

__all__ = ["BenchError", "ChildUse", "ProcessUse", "measure"]

_MEMORY_S = 0.01
_FAMILY_S = 0.25
"""How often memory is read, and how often new children are looked for: the second costs a millisecond or two."""
_STORY = 2000


class BenchError(Exception):
    """A measurement that means nothing: a process failed, or did not do what it was measured for."""


@dataclass(frozen=True, slots=True)
class ChildUse:
    """A process that the measured one started."""

    name: str
    peak_mb: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class ProcessUse:
    """What one process took."""

    wall_s: float
    cpu_s: float
    """User and system time of the process itself."""
    children_cpu_s: float
    peak_mb: float | None
    """Peak resident memory of the process itself; None: it had ended before anybody could look."""
    children: tuple[ChildUse, ...]
    others_cores: float
    """Cores that everything else on the machine kept busy meanwhile, the benchmark's server left out."""
    spawned_at: float
    """Epoch seconds."""
    stdout: str


@dataclass(slots=True)
class _Watch:
    """Looks at a process from a thread until it is told to stop."""

    pid: int
    deadline_s: float
    over: threading.Event = field(default_factory=threading.Event)
    peaks: dict[int, float] = field(default_factory=dict)
    cpu: dict[int, float] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    too_late: bool = False

    def run(self) -> None:
        begun = time.monotonic()
        next_family = 0.0
        family: set[int] = set()
        while not self.over.wait(_MEMORY_S):
            now = time.monotonic()
            if now >= next_family:
                family, next_family = proc.descendants(self.pid), now + _FAMILY_S
            for pid in (self.pid, *family):
                self._look(pid)
            if now - begun > self.deadline_s and not self.too_late:
                self.too_late = True
                os.kill(self.pid, 9)  # not waited for yet: the number is still its own

    def _look(self, pid: int) -> None:
        peak = proc.peak_mb(pid)
        if peak is None:
            return
        self.peaks[pid] = max(peak, self.peaks.get(pid, 0.0))
        if pid != self.pid:
            stat = proc.stat_of(pid)
            self.cpu[pid] = stat.cpu_s if stat else self.cpu.get(pid, 0.0)
            if not self.names.get(pid):
                self.names[pid] = proc.command_of(pid)

    def children(self) -> tuple[ChildUse, ...]:
        return tuple(
            ChildUse(self.names.get(pid, ""), peak, self.cpu.get(pid, 0.0))
            for pid, peak in self.peaks.items()
            if pid != self.pid
        )


def measure(
    command: Sequence[str],
    cwd: Path,
    environ: Mapping[str, str],
    *,
    logs: Path,
    deadline_s: float = 1800.0,
    apart: Sequence[int] = (),
) -> ProcessUse:
    """Run a command to its end; its output goes to files in `logs`.

    `apart`: processes of the benchmark, whose CPU time is nobody's disturbance.

    Raises:
        BenchError: it ended with another code than 0, or took longer than `deadline_s`.
    """
    out, err = logs / "stdout.txt", logs / "stderr.txt"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        busy_before, apart_before = proc.busy_s(), _cpu_s(apart)
        spawned_at, begun = time.time(), time.perf_counter()
        process = subprocess.Popen(
            command, cwd=cwd, env=dict(environ), stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
        )
        watch = _Watch(process.pid, deadline_s)
        thread = threading.Thread(target=watch.run, daemon=True)
        thread.start()
        # Ended, but still there to be looked at: only now are its times complete.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        wall_s = time.perf_counter() - begun
        watch.over.set()
        thread.join()
        stat = proc.stat_of(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert stat is not None  # it was not waited for yet
    said = out.read_text(encoding="utf-8", errors="replace")
    if watch.too_late:
        raise BenchError(f"{' '.join(command)} took longer than {deadline_s:g} s.")
    if process.returncode:
        story = err.read_text(encoding="utf-8", errors="replace")[-_STORY:]
        raise BenchError(f"{' '.join(command)} ended with {process.returncode}:\n{said[-_STORY:]}\n{story}")
    children = watch.children()
    children_cpu_s = max(stat.waited_cpu_s, sum(child.cpu_s for child in children))
    own = watch.peaks.get(process.pid)
    # The kernel's figure is exact, but that of the largest of the process, its children, and this one, which it was
    # forked from: it is the process's own where none of the others comes near.
    alone = own is not None and all(
        peak < own for peak in (proc.peak_mb(os.getpid()) or 0.0, *(child.peak_mb for child in children))
    )
    others_s = proc.busy_s() - busy_before - (_cpu_s(apart) - apart_before) - stat.cpu_s - children_cpu_s
    return ProcessUse(
        wall_s=wall_s,
        cpu_s=stat.cpu_s,
        children_cpu_s=children_cpu_s,
        peak_mb=usage.ru_maxrss / 1024 if alone else own,
        children=children,
        others_cores=max(0.0, others_s / wall_s),
        spawned_at=spawned_at,
        stdout=said,
    )


def _cpu_s(pids: Sequence[int]) -> float:
    """CPU time of running processes, and of this one, which watches."""
    stats = [proc.stat_of(pid) for pid in (os.getpid(), *pids)]
    return sum(stat.cpu_s for stat in stats if stat is not None)
