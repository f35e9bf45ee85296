"""The first piece of the answer came in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.call.run_facts import check_limit, time_score, whose

__all__ = ["TimeToFirstToken"]


@dataclass(frozen=True, slots=True)
class TimeToFirstToken(Evaluator):
    """The first piece of a streamed answer came within `max_ms` milliseconds; without a stream it breaks."""

    name: ClassVar = "time_to_first_token"
    value_field: ClassVar = "max_ms"
    reads: ClassVar = ("ttft_ms",)

    max_ms: float

    def __post_init__(self) -> None:
        check_limit("max_ms", self.max_ms)

    def score(self, context: Context) -> Score:
        """Compare the measured time."""
        if context.ttft_ms is None:
            raise EvaluatorError(
                "the time to the first token is not known, because the answer did not come as a stream; "
                "set `stream: true` under `params`"
            )
        return time_score(f"{whose(context.cached)} began after", context.ttft_ms, self.max_ms)
