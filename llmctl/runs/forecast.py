"""What a plan would send, and about what it would take: tokens and cost, before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass

from llmctl.providers.estimate import Seen, estimate
from llmctl.runs.history import History
from llmctl.runs.judge_forecast import JudgeForecast, forecast_judges
from llmctl.runs.judged_calls import JudgedCalls
from llmctl.runs.plan import Plan
from llmctl.runs.reuse import KnownAnswers
from llmctl.runs.target import Target
from llmctl.store.layout import Layout

__all__ = ["Forecast", "TargetForecast", "forecast"]


@dataclass(slots=True)
class TargetForecast:
    """Of one prompt x model."""

    prompt: str
    model: str
    from_history: bool
    """Whether earlier calls of this target told what a call takes; else only the size of the prompts did."""
    results: int = 0
    kept: int = 0
    """Answers that are stored."""
    calls: int = 0
    """Calls that would be sent."""
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0
    """None: the model's price is unknown."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Of a whole plan."""

    targets: tuple[TargetForecast, ...]
    max_cost_usd: float | None = None
    judges: tuple[JudgeForecast, ...] = ()
    """What the judges' models would be sent."""

    @property
    def results(self) -> int:
        """How many the plan holds."""
        return sum(target.results for target in self.targets)

    @property
    def kept(self) -> int:
        """Answers that are stored, or asked for by another result of the plan."""
        return sum(target.kept for target in self.targets)

    @property
    def calls(self) -> int:
        """Calls that would be sent to targets."""
        return sum(target.calls for target in self.targets)

    @property
    def input_tokens(self) -> int:
        """Of all calls that would be sent."""
        return sum(row.input_tokens for row in self.targets) + sum(row.input_tokens for row in self.judges)

    @property
    def output_tokens(self) -> int:
        """The same of their answers."""
        return sum(row.output_tokens for row in self.targets) + sum(row.output_tokens for row in self.judges)

    @property
    def judge_calls(self) -> int:
        """Calls that would be sent to judges."""
        return sum(judge.calls for judge in self.judges)

    @property
    def cost_usd(self) -> float | None:
        """What all of them would cost; None where a price is unknown."""
        costs = [*(row.cost_usd for row in self.targets), *(row.cost_usd for row in self.judges)]
        return None if any(cost is None for cost in costs) else sum(cost or 0.0 for cost in costs)


def forecast(
    plan: Plan,
    known: KnownAnswers,
    history: History,
    max_cost_usd: float | None = None,
    judged: JudgedCalls | None = None,
) -> Forecast:
    """Estimate every call that is not stored.

    Raises:
        StoreError: the store cannot be read.
    """
    seen = [_seen(history, target) for target in plan.targets]
    targets = [
        TargetForecast(target.prompt.label, target.model.name, one is not None)
        for target, one in zip(plan.targets, seen, strict=True)
    ]
    repeated, sent = plan.units.repeated(), set[bytes]()
    reader = plan.units.reader()
    for number in range(len(plan.units)):
        unit = reader.unit(number)
        row = targets[unit.target]
        row.results += 1
        if number in known or unit.key in sent:
            row.kept += 1
            continue
        if unit.prefix in repeated:
            sent.add(unit.key)
        one = estimate(reader.request(number), plan.targets[unit.target].route, seen[unit.target])
        row.calls += 1
        row.input_tokens += one.input_tokens
        row.output_tokens += one.output_tokens
        row.cost_usd = None if row.cost_usd is None or one.cost_usd is None else row.cost_usd + one.cost_usd
    lengths = [row.output_tokens // row.calls if row.calls else 0 for row in targets]
    judged = judged or JudgedCalls(Layout(plan.config.store))
    return Forecast(tuple(targets), max_cost_usd, forecast_judges(plan, known, judged, lengths))


def _seen(history: History, target: Target) -> Seen | None:
    averages = history.calls.averages(target.name)
    return None if averages is None else Seen(averages.tokens_per_byte, averages.output_tokens)
