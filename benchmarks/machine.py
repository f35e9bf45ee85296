"""Names the machine, and says when it is too busy to be measured on."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

from benchmarks.results import Machine, Row

__all__ = ["busy_notes", "this_machine"]

_VERSIONED = ("llmctl-toolkit", "aiohttp", "httptools", "litellm", "duckdb", "orjson", "pydantic")
_QUIET_CORES = 0.15
"""What everything else may use while something is measured."""


def this_machine() -> Machine:
    """As it is now."""
    return Machine(
        cores=os.cpu_count() or 1,
        cpu=_cpu(),
        memory_gb=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        versions={name: version for name in _VERSIONED if (version := _version(name))},
        load_average=os.getloadavg(),
    )


def busy_notes(machine: Machine, rows: tuple[Row, ...]) -> list[str]:
    """What makes the figures worse than they are: one sentence each."""
    notes = []
    if machine.load_average[0] > 0.25 * machine.cores:
        notes.append(f"The machine was busy when this began: load average {machine.load_average[0]:.2f}.")
    loud = [row for row in rows if (row.median(lambda sample: sample.others_cores) or 0.0) > _QUIET_CORES]
    if loud:
        most = max(row.median(lambda sample: sample.others_cores) or 0.0 for row in loud)
        notes.append(
            f"Other processes kept up to {most:.1f} of {machine.cores} cores busy during {len(loud)} of {len(rows)} "
            "rows: wall times and rates there are worse than on a quiet machine; CPU times are closer to it."
        )
    return notes


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
