"""What was measured, as data: samples, rows of samples, the machine; to JSON and back."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.lag import Lag
from benchmarks.process import ChildUse

__all__ = ["SCHEMA", "Machine", "Results", "Row", "Sample", "Spread", "read_results", "write_results"]

SCHEMA = "llmctl/bench/1"


@dataclass(frozen=True, slots=True)
class Sample:
    """One process, measured once. Times in seconds, memory in MiB."""

    wall_s: float
    cpu_s: float
    children_cpu_s: float
    peak_mb: float | None
    """None: the process had ended before anybody could look."""
    others_cores: float
    run_s: float | None = None
    """Within the run: from its record, or the loop's own."""
    first_request_s: float | None = None
    """From the start of the process to its first request at the server."""
    lag: Lag | None = None
    """Recorded latency beyond the server's own; milliseconds."""
    children: tuple[ChildUse, ...] = ()


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some rounds, and how far they lie apart."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Row:
    """The same process on the same work, round by round."""

    scenario: str
    title: str
    step: str
    cases: int
    concurrency: int
    latency_ms: int
    ideal_s: float | None
    samples: tuple[Sample, ...]

    def spread(self, value: Callable[[Sample], float | None]) -> Spread | None:
        """Over the rounds; None where it was not measured."""
        found = [number for sample in self.samples if (number := value(sample)) is not None]
        return Spread(statistics.median(found), min(found), max(found)) if found else None

    def median(self, value: Callable[[Sample], float | None]) -> float | None:
        """Over the rounds; None where it was not measured."""
        spread = self.spread(value)
        return spread.median if spread else None

    @property
    def rate(self) -> float | None:
        """Cases a second within the run."""
        run_s = self.median(lambda sample: sample.run_s)
        return self.cases / run_s if run_s else None


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it was measured."""

    cores: int
    cpu: str
    memory_gb: float
    system: str
    python: str
    versions: Mapping[str, str]
    load_average: tuple[float, float, float]
    """When the measuring began."""


@dataclass(frozen=True, slots=True)
class Results:
    """One run of the benchmark."""

    taken_at: str
    """UTC, ISO 8601."""
    commit: str | None
    machine: Machine
    server_per_second: float
    """What the server answers to a pipelining client."""
    rounds: int
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def row(self, scenario: str, step: str) -> Row | None:
        """One row; None where it was not measured."""
        return next((row for row in self.rows if (row.scenario, row.step) == (scenario, step)), None)


def write_results(path: Path, results: Results) -> None:
    """As JSON."""
    document = {"schema": SCHEMA, **dataclasses.asdict(results)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{json.dumps(document, indent=2)}\n", encoding="utf-8")


def read_results(path: Path) -> Results:
    """From JSON.

    Raises:
        ValueError: it is no result of this benchmark.
    """
    document = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict) or document.pop("schema", None) != SCHEMA:
        raise ValueError(f"{path} is no result of this benchmark ({SCHEMA}).")
    try:
        machine = {**document["machine"], "load_average": tuple(document["machine"]["load_average"])}
        return Results(
            **{
                **document,
                "machine": Machine(**machine),
                "rows": tuple(map(_row, document["rows"])),
                "notes": tuple(document["notes"]),
            }
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is no result of this benchmark: {error}.") from None


def _row(fields: Mapping[str, Any]) -> Row:
    return Row(**{**fields, "samples": tuple(map(_sample, fields["samples"]))})


def _sample(fields: Mapping[str, Any]) -> Sample:
    return Sample(**{**fields, "children": tuple(ChildUse(**child) for child in fields["children"])})
