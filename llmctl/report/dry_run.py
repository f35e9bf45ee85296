"""What `--dry-run` says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmctl.report.layout import Cell, Column, grid, show, styled
from llmctl.report.numbers import count, money, short_count

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from llmctl.runs.forecast import Forecast, TargetForecast
    from llmctl.runs.judge_forecast import JudgeForecast

__all__ = ["dry_run_json", "dry_run_text", "render_dry_run"]


def render_dry_run(console: Console, forecast: Forecast) -> None:
    """Print the forecast at the console's width."""
    show(console, dry_run_text(forecast, console.width))


def dry_run_text(forecast: Forecast, width: int) -> Text:
    """One line a target, and the sum."""
    columns = [
        Column("prompt", is_label=True),
        Column("model", is_label=True),
        Column("results"),
        Column("stored"),
        Column("to send"),
        Column("tokens in"),
        Column("out"),
        Column("about"),
    ]
    rows = [*map(_row, forecast.targets), *map(_judge_row, forecast.judges)]
    text = grid(columns, rows, width, indent=0)
    text.append("\n")
    text.append_text(styled(f"{_sum(forecast)}\n", "bold"))
    text.append_text(styled(f"{_basis(forecast)}\n", "dim"))
    if forecast.max_cost_usd is not None:
        text.append_text(styled(f"{_budget(forecast, forecast.max_cost_usd)}\n"))
    return text


def dry_run_json(forecast: Forecast) -> dict[str, object]:
    """The same as data."""
    return {
        "schema": "llmctl/eval-dry-run/1",
        "results": forecast.results,
        "kept": forecast.kept,
        "calls": forecast.calls,
        "judge_calls": forecast.judge_calls,
        "input_tokens": forecast.input_tokens,
        "output_tokens": forecast.output_tokens,
        "cost_usd": forecast.cost_usd,
        "max_cost_usd": forecast.max_cost_usd,
        "targets": [
            {
                "prompt": target.prompt,
                "model": target.model,
                "results": target.results,
                "kept": target.kept,
                "calls": target.calls,
                "input_tokens": target.input_tokens,
                "output_tokens": target.output_tokens,
                "cost_usd": target.cost_usd,
                "from_history": target.from_history,
            }
            for target in forecast.targets
        ],
        "judges": [
            {
                "model": judge.model,
                "kept": judge.kept,
                "calls": judge.calls,
                "input_tokens": judge.input_tokens,
                "output_tokens": judge.output_tokens,
                "cost_usd": judge.cost_usd,
            }
            for judge in forecast.judges
        ],
    }


def _row(target: TargetForecast) -> list[Cell]:
    return [
        Cell(target.prompt),
        Cell(target.model),
        Cell(count(target.results)),
        Cell(count(target.kept)),
        Cell(count(target.calls)),
        Cell(short_count(target.input_tokens)),
        Cell(short_count(target.output_tokens)),
        Cell(_cost(target.cost_usd)),
    ]


def _judge_row(judge: JudgeForecast) -> list[Cell]:
    return [
        Cell("(judge)"),
        Cell(judge.model),
        Cell(""),
        Cell(count(judge.kept)),
        Cell(count(judge.calls)),
        Cell(short_count(judge.input_tokens)),
        Cell(short_count(judge.output_tokens)),
        Cell(_cost(judge.cost_usd)),
    ]


def _cost(usd: float | None) -> str:
    return "?" if usd is None else money(usd)


def _sum(forecast: Forecast) -> str:
    calls = f"{count(forecast.calls)} {'call' if forecast.calls == 1 else 'calls'} would be sent"
    if forecast.judges:
        calls += f", and {count(forecast.judge_calls)} to judges"
    kept = f", {count(forecast.kept)} {'answer is' if forecast.kept == 1 else 'answers are'} there already"
    cost = forecast.cost_usd
    price = "; what they cost is not known" if cost is None else f"; about {money(cost)}"
    price = price if forecast.calls or forecast.judge_calls else ""
    return f"{calls}{kept if forecast.kept else ''}{price}. Nothing was sent."


def _basis(forecast: Forecast) -> str:
    sent = [target for target in forecast.targets if target.calls]
    if not sent and not forecast.judge_calls:
        return "A run now would only score."
    if sent and not forecast.judge_calls and all(target.from_history for target in sent):
        return "Estimated from earlier calls of the same prompts and models."
    size = "the size of the prompts (4 bytes a token; max_tokens, else 256, for an answer)"
    if any(target.from_history for target in sent):
        return f"Estimated from earlier calls where there are some, else from {size}."
    return f"Estimated from {size}."


def _budget(forecast: Forecast, limit: float) -> str:
    cost = forecast.cost_usd
    if cost is not None and cost > limit:
        return f"The budget of {money(limit)} would stop the run before its end."
    return f"The budget is {money(limit)}."
