"""What is measured: scenarios, each some steps that are run one after the other, round by round."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.project import SEMANTIC, ProjectSpec

__all__ = ["SETS", "Scenario", "Step", "absent", "scenarios"]

_SERVED = "openai/bench-1"
_LOCAL = "local/smollm2-135m"


class Step(StrEnum):
    """One process that is measured."""

    PYTHON = "python -c pass"
    HELP = "llmctl --help"
    AIOHTTP = "bare aiohttp loop"
    LITELLM = "bare litellm loop"
    COLD = "llmctl, cold"
    CACHED = "llmctl, all cached"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A project, and the processes that are compared on it."""

    name: str
    title: str
    spec: ProjectSpec
    steps: tuple[Step, ...]
    concurrency: int = 64
    latency_ms: int = 0
    spread_ms: int = 0
    """Answers take so much more or less: else those that were sent together come together, for ever."""
    most_rounds: int | None = None
    """For what takes very long."""
    needs: str | None = None
    """A package without which it cannot be run."""

    @property
    def served(self) -> bool:
        """Whether the calls go to the benchmark's server."""
        return self.spec.model == _SERVED

    @property
    def ideal_s(self) -> float | None:
        """The least time that the server's latency allows."""
        if not self.latency_ms or self.spread_ms:
            return None
        return -(-self.spec.cases // self.concurrency) * self.latency_ms / 1000


_DIRECT = (Step.AIOHTTP, Step.COLD, Step.CACHED)
_LITELLM_STEPS = (Step.LITELLM, Step.COLD, Step.CACHED)


def _direct(cases: int) -> ProjectSpec:
    return ProjectSpec(cases, _SERVED)


def _litellm(cases: int) -> ProjectSpec:
    return ProjectSpec(cases, _SERVED, transport="litellm")


_ALL = (
    Scenario("start", "start-up", _direct(1), (Step.PYTHON, Step.HELP)),
    Scenario("2k", "2,000 cases, direct", _direct(2_000), _DIRECT),
    Scenario("20k", "20,000 cases, direct", _direct(20_000), _DIRECT),
    Scenario("100k", "100,000 cases, direct", _direct(100_000), _DIRECT),
    Scenario("2k-litellm", "2,000 cases, litellm", _litellm(2_000), _LITELLM_STEPS),
    Scenario("20k-litellm", "20,000 cases, litellm", _litellm(20_000), _LITELLM_STEPS, most_rounds=1),
    Scenario("100k-litellm", "100,000 cases, litellm", _litellm(100_000), _LITELLM_STEPS, most_rounds=1),
    Scenario("latency-50", "20,000 cases, answers after 50 ms", _direct(20_000), _DIRECT[:2], 100, 50),
    Scenario("wide-200", "5,000 cases, answers after 100 to 300 ms", _direct(5_000), _DIRECT[:2], 256, 200, 100),
    Scenario("wide-0", "5,000 cases, answers at once", _direct(5_000), _DIRECT[:2], 256),
    Scenario(
        "semantic",
        "2,000 cases, `semantic` alone",
        ProjectSpec(2_000, _SERVED, evaluators=SEMANTIC),
        (Step.COLD, Step.CACHED),
        needs="sentence_transformers",
    ),
    Scenario(
        "local", "40 cases, the local model", ProjectSpec(40, _LOCAL), (Step.COLD, Step.CACHED), needs="xllamacpp"
    ),
)
SETS = {
    "quick": ("start", "2k"),
    "usual": tuple(one.name for one in _ALL if one.most_rounds is None),
    "full": tuple(one.name for one in _ALL),
}
"""Which scenarios `--quick`, nothing and `--full` run."""


def scenarios(names: tuple[str, ...]) -> list[Scenario]:
    """Scenarios by name.

    Raises:
        ValueError: there is none of such a name; the message names those that there are.
    """
    known = {one.name: one for one in _ALL}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f'There is no workload "{unknown[0]}". Known: {", ".join(known)}.')
    return [known[name] for name in names]


def absent(scenario: Scenario) -> str | None:
    """Why a scenario cannot be run here, as one sentence; None: it can."""
    if scenario.needs and importlib.util.find_spec(scenario.needs) is None:
        return f"{scenario.title}: not measured, {scenario.needs} is not installed."
    if scenario.spec.model == _LOCAL:
        from llmctl.errors import LlmctlError
        from llmctl.providers.local import weights

        try:
            weights.find(_LOCAL.partition("/")[2])
        except LlmctlError as error:
            return f"{scenario.title}: not measured. {error.message}"
    return None
