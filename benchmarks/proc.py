"""What Linux tells of processes: their CPU time, their peak memory, and who started whom."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ProcessStat", "busy_s", "command_of", "descendants", "peak_mb", "stat_of"]

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class ProcessStat:
    """A process, also one that has ended and was not waited for yet."""

    parent: int
    cpu_s: float
    """User and system time of the process itself."""
    waited_cpu_s: float
    """The same of the children that it waited for."""


def stat_of(pid: int) -> ProcessStat | None:
    """None: there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold anything
    own, waited = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
    return ProcessStat(int(fields[1]), own * _TICK_S, waited * _TICK_S)


def peak_mb(pid: int) -> float | None:
    """The most memory that the process ever held at once; None: it has ended."""
    try:
        with Path(f"/proc/{pid}/status").open(encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
    except OSError:
        return None
    return None


def command_of(pid: int) -> str:
    """A short name for a process, from its command line."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return ""
    named = [word for word in words[1:] if word and not word.startswith("-")]
    return " ".join([Path(words[0]).name, *named[:1]]).strip()


def descendants(pid: int) -> set[int]:
    """The processes that `pid` started, and those that they started."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := stat_of(int(entry.name))) is not None:
            parents[int(entry.name)] = stat.parent
    found: set[int] = set()
    fresh = {pid}
    while fresh:
        fresh = {child for child, parent in parents.items() if parent in fresh} - found
        found |= fresh
    return found


def busy_s() -> float:
    """CPU time that all processes of the machine have used together, what a hypervisor took away included."""
    words = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _wait, irq, softirq, stolen = map(int, words[:8])
    return (user + nice + system + irq + softirq + stolen) * _TICK_S
