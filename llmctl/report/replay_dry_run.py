"""What `replay --dry-run` says: which calls can be asked again, what that takes, and what is personal in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmctl.report.dry_run import dry_run_json, dry_run_text
from llmctl.report.layout import Cell, block, show, styled
from llmctl.report.numbers import count
from llmctl.runs.forecast import Forecast
from llmctl.traffic.replay.records import Choice

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["ReplayForecast", "render_replay_dry_run", "replay_dry_run_json"]


@dataclass(frozen=True, slots=True)
class ReplayForecast:
    """A replay that was planned and not run."""

    choice: Choice
    expected: Forecast
    personal: Mapping[str, int] = field(default_factory=dict)
    """By kind, how often it stands in what would be sent."""
    personal_calls: int = 0
    unscored: int = 0
    """Calls that some of the evaluators do not score."""


def render_replay_dry_run(console: Console, found: ReplayForecast) -> None:
    """Print it at the console's width."""
    text = styled("")
    for line in _calls(found.choice):
        text.append_text(block("", Cell(line), console.width, indent=0, column=0))
    for reason, number in found.choice.set_aside.most_common():
        text.append_text(block("", Cell(f"{count(number)} x {reason}", "dim"), console.width, indent=2, column=0))
    text.append_text(_personal(found, console.width))
    text.append("\n")
    text.append_text(dry_run_text(found.expected, console.width))
    show(console, text)


def _calls(choice: Choice) -> list[str]:
    lines = [f"{count(choice.looked_at)} logged calls looked at, {count(choice.chosen)} would be replayed."]
    if choice.duplicates:
        lines.append(f"{count(choice.duplicates)} are equal to another one, which stands for them.")
    if choice.not_sampled:
        lines.append(f"{count(choice.not_sampled)} are not in the sample.")
    aside = sum(choice.set_aside.values())
    if aside:
        lines.append(f"{count(aside)} cannot be replayed:")
    return lines


def _personal(found: ReplayForecast, width: int) -> Text:
    if not found.personal_calls:
        return block("", Cell("No personal data was found in them by its form."), width, indent=0, column=0)
    kinds = ", ".join(f"{kind} {count(number)}" for kind, number in sorted(found.personal.items()))
    line = f"Personal data in {count(found.personal_calls)} of them: {kinds}. --redact replaces it at import."
    return block("", Cell(line, "yellow"), width, indent=0, column=0)


def replay_dry_run_json(found: ReplayForecast) -> dict[str, object]:
    """The same as one document."""
    choice = found.choice
    return {
        "schema": "llmctl/replay-dry-run/1",
        "choice": {
            "looked_at": choice.looked_at,
            "chosen": choice.chosen,
            "duplicates": choice.duplicates,
            "not_sampled": choice.not_sampled,
            "set_aside": dict(choice.set_aside),
        },
        "personal_data": {"calls": found.personal_calls, "kinds": dict(found.personal)},
        "unscored": found.unscored,
        "sending": dry_run_json(found.expected),
    }
