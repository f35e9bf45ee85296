"""The targets that llmctl has set itself, and whether the figures reach them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.results import Results, Row, Sample
from benchmarks.workloads import Step

__all__ = ["Verdict", "lag_median", "verdicts"]

_GROWTH_KB = 0.25
"""What counts as no growth: 20 MiB between 20,000 and 100,000 cases, which is less than peaks differ between rounds."""
_LAG_MS = 10.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target. `reached` None: it was not measured."""

    what: str
    goal: str
    measured: str
    reached: bool | None


@dataclass(frozen=True, slots=True)
class _AtMost:
    """A figure of one row that must not be larger."""

    what: str
    scenario: str
    step: Step
    value: Callable[[Sample], float | None]
    most: float
    unit: str

    def verdict(self, results: Results) -> Verdict:
        row = results.row(self.scenario, self.step.value)
        found = row.median(self.value) if row else None
        return _at_most(self.what, found, self.most, self.unit)


_ABSOLUTE = (
    _AtMost("2,000 cases, concurrency 64: whole process", "2k", Step.COLD, lambda one: one.wall_s, 2.0, "s"),
    _AtMost("2,000 cases, concurrency 64: peak memory", "2k", Step.COLD, lambda one: one.peak_mb, 150, "MiB"),
    _AtMost("100,000 cases: peak memory", "100k", Step.COLD, lambda one: one.peak_mb, 300, "MiB"),
    _AtMost("2,000 cases, all cached: whole process", "2k", Step.CACHED, lambda one: one.wall_s, 1.2, "s"),
    _AtMost("`llmctl --help`: CPU", "start", Step.HELP, lambda one: one.cpu_s, 0.2, "s"),
)


def verdicts(results: Results) -> list[Verdict]:
    """Every target, also those that were not measured or not reached."""
    return [
        *(target.verdict(results) for target in _ABSOLUTE),
        _growth(results),
        *_rates(results),
        *_latency(results),
        _lag(results),
    ]


def _at_most(what: str, found: float | None, most: float, unit: str) -> Verdict:
    if found is None:
        return _unmeasured(what, f"at most {most:g} {unit}")
    return Verdict(what, f"at most {most:g} {unit}", f"{found:.3g} {unit}", found <= most)


def _unmeasured(what: str, goal: str) -> Verdict:
    return Verdict(what, goal, "not measured", None)


def _growth(results: Results) -> Verdict:
    what, goal = "memory from 20,000 to 100,000 cases", f"no growth (at most {_GROWTH_KB:g} KB a case)"
    few, many = (results.row(name, Step.COLD.value) for name in ("20k", "100k"))
    low, high = (row.median(lambda one: one.peak_mb) if row else None for row in (few, many))
    if few is None or many is None or low is None or high is None:
        return _unmeasured(what, goal)
    growth = (high - low) * 1024 / (many.cases - few.cases)
    return Verdict(what, goal, f"{growth:.2f} KB a case ({low:.0f} to {high:.0f} MiB)", growth <= _GROWTH_KB)


def _rates(results: Results) -> Iterator[Verdict]:
    for name in ("2k", "20k", "100k"):
        ours, bare = results.row(name, Step.COLD.value), results.row(name, Step.AIOHTTP.value)
        what = f"rate within the run, {name} cases, beside the bare aiohttp loop's"
        goal = "at least half"
        if ours is None or bare is None or ours.rate is None or bare.rate is None:
            yield _unmeasured(what, goal)
            continue
        share = ours.rate / bare.rate
        yield Verdict(what, goal, f"{share:.2f} ({ours.rate:,.0f} to {bare.rate:,.0f} a second)", share >= 0.5)


def _latency(results: Results) -> Iterator[Verdict]:
    row = results.row("latency-50", Step.COLD.value)
    parts: tuple[tuple[str, Callable[[Sample], float | None]], ...] = (
        ("whole process", lambda one: one.wall_s),
        ("within the run", lambda one: one.run_s),
    )
    for part, value in parts:
        what = f"server latency 50 ms, concurrency 100, 20,000 cases: {part}"
        found = row.median(value) if row else None
        if row is None or found is None or not row.ideal_s:
            yield _unmeasured(what, "at most 1.5 times the ideal")
            continue
        times = found / row.ideal_s
        yield Verdict(
            what, "at most 1.5 times the ideal", f"{times:.2f} ({found:.1f} s, ideal {row.ideal_s:g} s)", times <= 1.5
        )


def _lag(results: Results) -> Verdict:
    what = "recorded latency beyond the server's own, concurrency 256, 100 to 300 ms"
    goal = f"median at most {_LAG_MS:g} ms"
    ours, bare = (results.row("wide-200", step.value) for step in (Step.COLD, Step.AIOHTTP))
    middle = lag_median(ours, "p50")
    if middle is None:
        return _unmeasured(what, goal)
    told = f"{middle:.1f} ms, p95 {lag_median(ours, 'p95') or 0:.1f} ms"
    if (beside := lag_median(bare, "p50")) is not None:
        told += f" (bare aiohttp loop: {beside:.1f}, {lag_median(bare, 'p95') or 0:.1f})"
    return Verdict(what, goal, told, middle <= _LAG_MS)


def lag_median(row: Row | None, name: str) -> float | None:
    """A percentile of the recorded latency beyond the server's own, in ms; the median of the rounds."""
    return row.median(lambda one: one.lag[name] if one.lag else None) if row else None
