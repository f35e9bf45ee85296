"""The answer ended for the reason that it should: finished, and not cut off or held back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.texts import Texts
from llmctl.evaluators.wording import listed, quote

__all__ = ["FinishReason", "common_reason"]

_STOP = ("end_turn", "stop_sequence", "eos", "eos_token", "complete", "completed")
_LENGTH = ("max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded")
_TOOL_CALLS = ("tool_use", "tool_call", "function_call", "function_calls")
_FILTER = (
    *("refusal", "safety", "recitation", "blocklist", "prohibited_content", "spii", "image_safety"),
    *("guardrail_intervened", "content_filtered", "error_toxic"),
)
_COMMON = {
    **dict.fromkeys(_STOP, "stop"),
    **dict.fromkeys(_LENGTH, "length"),
    **dict.fromkeys(_TOOL_CALLS, "tool_calls"),
    **dict.fromkeys(_FILTER, "content_filter"),
}


def common_reason(reason: str) -> str:
    """A provider's word under the name that OpenAI's protocol has for it; an unknown one in small letters.

    `end_turn` (Anthropic), `STOP` (Gemini) and `COMPLETE` (Cohere) are all `stop`.
    """
    word = reason.strip().lower().replace("-", "_")
    return _COMMON.get(word, word)


@dataclass(frozen=True, slots=True)
class FinishReason(Evaluator):
    """The reason for which the answer ended is the wanted one, or one of several."""

    name: ClassVar = "finish_reason"
    value_field: ClassVar = "reason"
    reads: ClassVar = ("finish_reason",)

    reason: Texts
    _wanted: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not all(one.strip() for one in self.reason):
            raise ValueError("needs a `reason` such as stop")
        object.__setattr__(self, "_wanted", frozenset(map(common_reason, self.reason)))

    def score(self, context: Context) -> Score:
        """Compare the words, each under its common name."""
        said = context.finish_reason
        if said is None or not said.strip():
            raise EvaluatorError("the provider did not say why the answer ended")
        common = common_reason(said)
        passed = common in self._wanted
        got = quote(said) if common == said else f"{quote(said)} ({common})"
        wanted = listed(self.reason)
        words = "as wanted" if passed and len(self.reason) == 1 else f"{'one of' if passed else 'not'} {wanted}"
        return Score(float(passed), passed, f"The answer ended with {got}, {words}.")
