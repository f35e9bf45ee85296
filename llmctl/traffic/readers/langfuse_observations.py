"""A generation of Langfuse's into a record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.readers.failures import read_failure
from llmctl.traffic.readers.loose import between_ms, read_answer, read_asked
from llmctl.traffic.readers.messages import tools_from
from llmctl.traffic.readers.notes import read_metadata
from llmctl.traffic.readers.openai_shapes import params_from, provider_of, response_format_from
from llmctl.traffic.readers.values import count, epoch_s, first, mapping, number, text, texts

__all__ = ["TYPES", "read_observation"]

TYPES = frozenset(
    ["GENERATION", "SPAN", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "EMBEDDING", "GUARDRAIL"]
)
_NOT_MESSAGES = "what was asked was not logged as messages"
_NOT_LOGGED = "no messages were logged"
_INFINITE = frozenset({"inf", "Infinity", "Inf", "-inf", "None", "null", ""})
_KEPT = ("name", "trace_name", "version", "release", "project_id", "status_message", "level")
_ALL = "input"
_MADE = "output"


def read_observation(row: Mapping[str, Any], call: LoggedCall) -> None:
    """Take a generation into the record. `row`: with names in snake case."""
    if not read_asked(row.get("input"), call):
        asked = row.get("input") not in (None, "", "null")
        call.not_replayable = _NOT_MESSAGES if asked else _NOT_LOGGED
    _read_parameters(mapping(row.get("model_parameters")), call)
    if text(row.get("level")) == "ERROR":
        read_failure(row.get("status_message"), call)
    elif row.get("output") not in (None, "", "null"):
        read_answer(row["output"], call)
    call.model = text(first(row, ("provided_model_name", "model", "model_id"))) or call.model
    call.provider = call.provider or provider_of(call.model)
    _read_times(row, call)
    _read_usage(row, call)
    call.cost_usd = _cost(row)
    _read_names(row, call)


def _read_parameters(given: Mapping[str, Any], call: LoggedCall) -> None:
    """Values are texts where they come from the database; its OpenAI wrapper writes `Infinity` for no limit."""
    found = {name: _number_in(value) for name, value in given.items() if str(value) not in _INFINITE}
    call.params = {**call.params, **params_from(found)}
    if found.get("tools") and not call.tools:
        call.tools = tools_from(found["tools"])
    if found.get("response_format") and call.response_format is None:
        call.response_format = response_format_from(found["response_format"])


def _number_in(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value in ("true", "false"):
        return value == "true"
    found = number(value)
    if found is None:
        return value
    return int(found) if found.is_integer() and "." not in value else found


def _read_times(row: Mapping[str, Any], call: LoggedCall) -> None:
    """Durations that stand in the row are seconds."""
    call.started_at = epoch_s(first(row, ("start_time", "timestamp")))
    call.latency_ms = between_ms(call.started_at, epoch_s(row.get("end_time")))
    if call.latency_ms is None:
        call.latency_ms = _ms(row.get("latency"))
    call.ttft_ms = _ms(row.get("time_to_first_token"))
    if call.ttft_ms is None:
        call.ttft_ms = between_ms(call.started_at, epoch_s(row.get("completion_start_time")))


def _ms(value: object) -> float | None:
    seconds = number(value)
    return round(seconds * 1000, 3) if seconds is not None and seconds >= 0 else None


def _read_usage(row: Mapping[str, Any], call: LoggedCall) -> None:
    """Tokens of every generation of Langfuse.

    `usage_details` takes the cached ones out of `input` and names them beside it (`input_cached_tokens`), as the total
    shows; where it does not, they are part of it.
    """
    found = mapping(row.get("usage_details"))
    if not found:
        _read_old_usage(row, call)
        return
    counts = {name: amount for name, value in found.items() if (amount := count(value)) is not None}
    asked, made, total = counts.get(_ALL), counts.get(_MADE), counts.get("total")
    if asked is None and made is None:
        asked = counts.get("input_tokens", counts.get("prompt_tokens"))
        made = counts.get("output_tokens", counts.get("completion_tokens"))
    inputs = sum(amount for name, amount in counts.items() if _is_part(name, _ALL))
    outputs = sum(amount for name, amount in counts.items() if _is_part(name, _MADE))
    apart = total is None or total != (asked or 0) + (made or 0)
    call.input_tokens = asked + inputs if asked is not None and apart else asked
    call.output_tokens = made + outputs if made is not None and apart else made
    call.cached_tokens = next((counts[name] for name in _CACHED if name in counts), call.cached_tokens)
    call.reasoning_tokens = next((counts[name] for name in _REASONED if name in counts), call.reasoning_tokens)


_CACHED = ("input_cached_tokens", "input_cached", "cache_read_input_tokens", "input_cache_read", "cached_tokens")
_REASONED = ("output_reasoning_tokens", "output_reasoning", "reasoning_tokens", "reasoning")
_CACHES = frozenset({"cache_read_input_tokens", "cache_creation_input_tokens"})


def _is_part(name: str, whole: str) -> bool:
    """Whether a count is one of those that stand beside the input or the output."""
    if name in _CACHES:
        return whole == _ALL
    return name.startswith(f"{whole}_") and name != f"{whole}_tokens"


def _read_old_usage(row: Mapping[str, Any], call: LoggedCall) -> None:
    used = mapping(row.get("usage"))
    if text(used.get("unit")) not in (None, "TOKENS"):
        return
    places = ({**used}, {**row})
    for field, names in (
        ("input_tokens", ("input", "promptTokens", "prompt_tokens", "input_usage", "input_tokens")),
        ("output_tokens", ("output", "completionTokens", "completion_tokens", "output_usage", "output_tokens")),
    ):
        for place in places:
            # In the row itself `input` and `output` are texts.
            known = names if place is places[0] else names[1:]
            found = next((amount for name in known if (amount := count(place.get(name))) is not None), None)
            if found is not None and getattr(call, field) is None:
                setattr(call, field, found)


def _cost(row: Mapping[str, Any]) -> float | None:
    """0 without details means that Langfuse knew no price."""
    details = mapping(row.get("cost_details"))
    found = number(first(row, ("total_cost", "calculated_total_cost")))
    if found is None:
        found = number(first(details, ("total",))) or number(mapping(row.get("usage")).get("totalCost"))
    return None if found == 0 and not details else found


def _read_names(row: Mapping[str, Any], call: LoggedCall) -> None:
    call.source_id = text(row.get("id")) or call.source_id
    call.trace_id = text(row.get("trace_id"))
    call.parent_id = text(row.get("parent_observation_id"))
    call.prompt_name = text(row.get("prompt_name"))
    call.prompt_version = text(row.get("prompt_version"))
    read_trace_names(row, call)
    read_metadata(mapping(row.get("metadata")), call)
    call.metadata = {**call.metadata, **{name: row[name] for name in _KEPT if row.get(name) not in (None, "")}}


def read_trace_names(row: Mapping[str, Any], call: LoggedCall) -> None:
    """What an observation of today says itself, and one of before has from its trace."""
    call.user = call.user or text(row.get("user_id"))
    call.session_id = call.session_id or text(row.get("session_id"))
    call.environment = call.environment or text(row.get("environment"))
    call.tags = tuple(dict.fromkeys((*call.tags, *texts(first(row, ("tags", "trace_tags"))))))
