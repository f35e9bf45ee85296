"""Runs scenarios round by round, each step a real process on a real project, and checks that each did its work."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.process import BenchError, ProcessUse, measure
from benchmarks.project import DETERMINISTIC, ProjectSpec, expected_passes, write_project
from benchmarks.results import Row, Sample
from benchmarks.serving import BenchServer
from benchmarks.workloads import Scenario, Step

__all__ = ["Runner", "check_record"]

_HERE = Path(__file__).resolve().parent.parent
_DEADLINE_S = 3600.0


@dataclass(slots=True)
class Runner:
    """Measures on one server, in one folder for all projects."""

    server: BenchServer
    folder: Path
    tree: Path = _HERE
    """Where the llmctl lies that is measured."""
    say: Callable[[str], None] = print
    samples: dict[tuple[str, Step], list[Sample]] = field(default_factory=dict)

    def run(self, scenarios: Sequence[Scenario], rounds: int) -> tuple[Row, ...]:
        """Every step of every scenario, as often as there are rounds; rounds are the outer loop.

        Raises:
            BenchError: a process failed, or did not do the work that it is measured for.
        """
        self._warm_up()
        for scenario in scenarios:
            self._write(scenario)
        for number in range(rounds):
            for scenario in scenarios:
                if number < (scenario.most_rounds or rounds):
                    self._round(scenario, number)
        return tuple(self._row(scenario, step) for scenario in scenarios for step in scenario.steps)

    def _row(self, scenario: Scenario, step: Step) -> Row:
        return Row(
            scenario=scenario.name,
            title=scenario.title,
            step=step.value,
            cases=scenario.spec.cases,
            concurrency=scenario.concurrency,
            latency_ms=scenario.latency_ms,
            ideal_s=scenario.ideal_s,
            samples=tuple(self.samples[scenario.name, step]),
        )

    def _round(self, scenario: Scenario, number: int) -> None:
        for step in scenario.steps:
            sample = self._step(scenario, step)
            self.samples.setdefault((scenario.name, step), []).append(sample)
            run = f", {scenario.spec.cases / sample.run_s:,.0f}/s within the run" if sample.run_s else ""
            self.say(
                f"round {number + 1}: {scenario.title}, {step.value}: {sample.wall_s:.2f} s, "
                f"{sample.cpu_s:.2f} s CPU, {sample.peak_mb or 0:.0f} MiB{run}"
            )

    def _step(self, scenario: Scenario, step: Step) -> Sample:
        match step:
            case Step.PYTHON:
                return _sample(self._measure([sys.executable, "-c", "pass"], self.folder))
            case Step.HELP:
                return _sample(self._measure([*_llmctl(), "--help"], self.folder))
            case Step.AIOHTTP | Step.LITELLM:
                return self._loop(scenario, step)
            case Step.COLD | Step.CACHED:
                return self._eval(scenario, step)

    def _loop(self, scenario: Scenario, step: Step) -> Sample:
        """One of the loops that llmctl is compared with."""
        name = "aiohttp" if step is Step.AIOHTTP else "litellm"
        given = {
            "--base-url": self.server.base_url(scenario.latency_ms, scenario.spread_ms),
            "--cases": str(self._project(scenario) / "testbanks" / "tickets.jsonl"),
            "--concurrency": str(scenario.concurrency),
        }
        command = [sys.executable, "-m", "benchmarks.peers", name, *(word for pair in given.items() for word in pair)]
        self.server.reset()
        use = self._measure(command, _HERE)
        stats = self.server.stats()
        _require(stats.requests == scenario.spec.cases, f"The {step.value} sent {stats.requests} requests.")
        said = json.loads(use.stdout)
        return replace(
            _sample(use),
            run_s=float(said["run_s"]),
            first_request_s=None if stats.first_at is None else stats.first_at - use.spawned_at,
            lag=said["lag"],
        )

    def _eval(self, scenario: Scenario, step: Step) -> Sample:
        """`llmctl eval` on a fresh store, or again on the same."""
        project = self._project(scenario)
        if step is Step.COLD:
            shutil.rmtree(project / ".llmctl", ignore_errors=True)
        self.server.reset()
        use = self._measure([*_llmctl(), "eval", "-j", str(scenario.concurrency)], project)
        stats = self.server.stats()
        wanted = scenario.spec.cases if scenario.served and step is Step.COLD else 0
        _require(stats.requests == wanted, f"{stats.requests} requests came, {wanted} were wanted.")
        record = self._record(project)
        check_record(scenario.spec, record)
        return replace(
            _sample(use),
            run_s=float(record["run_s"]),
            first_request_s=None if stats.first_at is None else stats.first_at - use.spawned_at,
            lag=record["lag"] if step is Step.COLD and scenario.served else None,
        )

    def _record(self, project: Path) -> Mapping[str, Any]:
        """What llmctl recorded of the run that has just ended."""
        command = [sys.executable, "-m", "benchmarks.run_record", str(project / ".llmctl")]
        done = subprocess.run(command, cwd=_HERE, capture_output=True, text=True, check=False)
        _require(done.returncode == 0, f"The store of {project.name} cannot be read: {done.stderr[-500:]}")
        record: Mapping[str, Any] = json.loads(done.stdout)
        return record

    def _measure(self, command: Sequence[str], cwd: Path) -> ProcessUse:
        environ = _environ()
        if command[1:3] == ["-m", "llmctl"]:
            environ["PYTHONPATH"] = str(self.tree)
        return measure(command, cwd, environ, logs=self.folder, deadline_s=_DEADLINE_S, apart=[self.server.pid])

    def _project(self, scenario: Scenario) -> Path:
        return self.folder / scenario.name

    def _write(self, scenario: Scenario) -> None:
        """The project, committed to git as users' projects are."""
        root = self._project(scenario)
        spec = scenario.spec
        if scenario.served:
            spec = replace(spec, api_base=self.server.base_url(scenario.latency_ms, scenario.spread_ms))
        write_project(root, spec)
        for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "A project to measure"]):
            subprocess.run(["git", *_GIT, *words], cwd=root, check=True, capture_output=True)

    def _warm_up(self) -> None:
        """One small run that does not count: byte code is written, and files come into the system's cache."""
        scenario = Scenario("warm-up", "warm-up", ProjectSpec(20, "openai/bench-1"), (Step.COLD, Step.AIOHTTP))
        self._write(scenario)
        for step in scenario.steps:
            self._step(scenario, step)


_GIT = ("-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "gc.auto=0", "-c", "commit.gpgsign=false")


def _llmctl() -> list[str]:
    return [sys.executable, "-m", "llmctl"]


def _environ() -> dict[str, str]:
    """This environment without what would change the work: byte code is used, as in any installation."""
    dropped = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONUNBUFFERED", "LLMCTL_", "GIT_", "COV_")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)}


def _sample(use: ProcessUse) -> Sample:
    return Sample(
        wall_s=use.wall_s,
        cpu_s=use.cpu_s,
        children_cpu_s=use.children_cpu_s,
        peak_mb=use.peak_mb,
        others_cores=use.others_cores,
        children=use.children,
    )


def check_record(spec: ProjectSpec, record: Mapping[str, Any]) -> None:
    """A run that did something else than its work is no measurement.

    Raises:
        BenchError: that is so.
    """
    _require(record["done"] == spec.cases, f"{record['done']} of {spec.cases} results were recorded.")
    _require(record["errors"] == 0, f"{record['errors']} results have no verdict.")
    if spec.model != "openai/bench-1" or spec.evaluators != DETERMINISTIC:
        return
    wanted = expected_passes(spec.cases)
    _require(record["passed"] == wanted, f"{record['passed']} cases passed, {wanted} should have.")


def _require(holds: bool, sentence: str) -> None:
    if not holds:
        raise BenchError(sentence)
