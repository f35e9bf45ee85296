"""How an answer ended: the finish reason under OpenAI's name, and the outcome that follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llmctl.outcome import Outcome
from llmctl.safe_text import replace_surrogates
from llmctl.traffic.logged_call import LoggedCall

__all__ = ["REFUSED", "finish_reason_from", "read_ending"]

REFUSED = "The model refused to answer."
_FILTERED = "The provider's content filter held the answer back."
_STOPPED = "The provider stopped with an error."
_OPENAI_NAMES = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "complete": "stop",
    "completed": "stop",
    "tool_use": "tool_calls",
    "tool_call": "tool_calls",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "safety": "content_filter",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
    "prohibited_content": "content_filter",
    "blocklist": "content_filter",
    "spii": "content_filter",
    "recitation": "content_filter",
}
_OUTCOMES = {
    "length": Outcome.TRUNCATED,
    "content_filter": Outcome.FILTERED,
    "refusal": Outcome.REFUSED,
    "error": Outcome.PROVIDER_ERROR,
}
_SAID = {
    Outcome.FILTERED: _FILTERED,
    Outcome.REFUSED: REFUSED,
    Outcome.PROVIDER_ERROR: _STOPPED,
}


def finish_reason_from(value: object) -> str | None:
    """A finish reason under OpenAI's name (`end_turn`, `STOP` -> `stop`); one that is not known stays as it is."""
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        value = value[0]
    if not isinstance(value, str) or not value:
        return None
    lower = value.rpartition(".")[2].lower()
    found = _OPENAI_NAMES.get(lower, lower)
    return found if found in _OUTCOMES or found in ("stop", "tool_calls", "function_call") else value


def read_ending(
    call: LoggedCall,
    output: str | None,
    tool_calls: tuple[Mapping[str, object], ...] = (),
    finish_reason: str | None = None,
    refusal: str | None = None,
) -> None:
    """Take the answer's text and tool calls into the record, and say what became of it.

    Args:
        call: changed: `output`, `tool_calls`, `finish_reason`, `outcome`, `error`.
        output: None: no text came.
        tool_calls: in OpenAI's shape.
        finish_reason: under OpenAI's name; None: it was not logged, which says nothing against the answer.
        refusal: the provider's own refusal field.
    """
    outcome = Outcome.REFUSED if refusal else _OUTCOMES.get(finish_reason) if finish_reason else None
    if outcome is None:
        outcome = Outcome.ANSWERED if output or tool_calls else Outcome.EMPTY
        if output is None and not tool_calls:
            output = ""
    elif outcome is Outcome.REFUSED:
        output = output or refusal
    if outcome is not Outcome.ANSWERED:
        call.error = _SAID.get(outcome)
    call.output = output if output is None or output.isascii() else replace_surrogates(output)
    call.tool_calls = tool_calls
    call.finish_reason = finish_reason
    call.outcome = outcome
