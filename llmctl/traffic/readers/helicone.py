"""Helicone's export of requests, with the providers' own bodies or without them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llmctl.outcome import Outcome
from llmctl.traffic.logged_call import LoggedCall, LoggedFeedback
from llmctl.traffic.readers.answers import read_any_response, whole_response
from llmctl.traffic.readers.base import Document, Entry, SetAside
from llmctl.traffic.readers.endings import read_ending
from llmctl.traffic.readers.failures import read_failure
from llmctl.traffic.readers.loose import between_ms, inner_documents, read_answer, read_asked
from llmctl.traffic.readers.notes import read_metadata, read_note
from llmctl.traffic.readers.values import count, decoded, epoch_s, first, mapping, number, text

__all__ = ["Helicone"]

NO_BODY = "its body was not exported (--include-body)"
TOO_LARGE = "its body was too large for Helicone to keep"
_TIMES = {"request_created_at", "response_created_at"}
_ROW = frozenset(
    [
        "request_body",
        "response_body",
        "response_status",
        "delay_ms",
        "signed_body_url",
        "request_path",
        "request_properties",
        "response_id",
        "request_model",
        "target_url",
    ]
)
_PROVIDERS = {
    "aws": "bedrock",
    "bedrock": "bedrock",
    "custom": None,
    "fireworks": "fireworks_ai",
    "google": "gemini",
    "mistralai": "mistral",
    "together": "together_ai",
    "togetherai": "together_ai",
    "vertex": "vertex_ai",
    "x": "xai",
}
_OTHER_PATHS = ("embeddings", "moderations", "images", "audio", "rerank")
_SESSIONS = ("Helicone-Session-Id", "helicone-session-id")
_PROMPTS = ("Helicone-Prompt-Id", "helicone-prompt-id", "Helicone-Prompt-Name")
_NANO_USD = 1e9
_FEEDBACK_SCORE = "helicone-score-feedback"


class Helicone:
    """Rows of `npx @helicone/export` and of the API."""

    name = "helicone"
    title = "Helicone (export, with or without bodies)"

    def recognises(self, value: Mapping[str, Any]) -> int:
        """By the names of its columns."""
        rows = _rows(value)
        if rows is not None:
            return 95 if rows and isinstance(rows[0], Mapping) and self.recognises(rows[0]) else 0
        is_row = "request_id" in value and bool(_TIMES & value.keys()) and bool(_ROW & value.keys())
        return 97 if is_row else 0

    def read(self, documents: Iterable[Document]) -> Iterator[Entry | SetAside]:
        """One record for each request to a model."""
        for document in documents:
            rows = _rows(document.value)
            for row in (document,) if rows is None else inner_documents(document, rows):
                yield _entry(row)


def _rows(value: Mapping[str, Any]) -> list[object] | None:
    found = value.get("data")
    return found if isinstance(found, list) and "request_id" not in value else None


def _entry(row: Document) -> Entry | SetAside:
    value = row.value
    if "request_id" not in value:
        return SetAside(row.line, "no request of Helicone's")
    path = text(value.get("request_path")) or text(value.get("target_url")) or ""
    other = next((name for name in _OTHER_PATHS if f"/{name}" in path), None)
    if other:
        return SetAside(row.line, f"not a model call ({other})")
    return Entry(row.line, row.raw, _call(value, path))


def _call(value: Mapping[str, Any], path: str) -> LoggedCall:
    call = LoggedCall(Helicone.name, endpoint=path or None)
    provider = (text(value.get("provider")) or "").lower()
    call.provider = _PROVIDERS.get(provider, provider or None)
    _read_asked(value, call)
    call.model = text(value.get("model_override")) or text(value.get("request_model")) or call.model
    _read_answer(value, call)
    call.served_model = call.served_model or text(value.get("response_model"))
    if call.model is None:
        call.model = text(value.get("model"))
    call.source_id = text(value.get("request_id"))
    _read_measures(value, call)
    _read_properties(value, call)
    call.feedback = tuple(_feedback(value))
    return call


def _read_asked(value: Mapping[str, Any], call: LoggedCall) -> None:
    body = decoded(value.get("request_body"))
    if isinstance(body, Mapping) and "heliconeMessage" in body:
        call.not_replayable = TOO_LARGE
        return
    if isinstance(body, Mapping) and body:
        inputs = body.get("inputs")
        read_asked({name: item for name, item in body.items() if name not in ("inputs", "prompt_id")}, call)
        if isinstance(inputs, Mapping):
            read_note("variables", inputs, call)
        if text(body.get("prompt_id")):
            read_note("prompt", body["prompt_id"], call)
    asked = mapping(mapping(value.get("llmSchema")).get("request"))
    if call.messages is None and asked:
        read_asked(asked, call)
    if call.messages is None:
        call.not_replayable = NO_BODY if not body else "no messages were logged"


def _read_answer(value: Mapping[str, Any], call: LoggedCall) -> None:
    status = number(value.get("response_status", value.get("status")))
    started = call.started_at
    if status is not None and 100 <= status < 600:
        call.status = int(status)
    body = decoded(value.get("response_body"))
    if isinstance(body, Mapping) and body.get("streamed_data"):
        body = whole_response(body["streamed_data"])
    if status is not None and status < 0:
        call.error = f"Helicone saw no response to it (status {int(status)})."
    elif call.status is not None and call.status >= 400:
        read_failure(body or None, call)
    elif isinstance(body, Mapping) and "heliconeMessage" in body:
        pass
    elif body:
        read_any_response(body, call)
    else:
        _read_schema(mapping(mapping(value.get("llmSchema")).get("response")), call)
    call.started_at = started


def _read_schema(answered: Mapping[str, Any], call: LoggedCall) -> None:
    """Helicone's own view of a response, where its body is elsewhere."""
    messages = answered.get("messages")
    if answered.get("error"):
        read_failure(answered["error"], call)
    elif isinstance(messages, list) and messages:
        read_answer(messages, call)
        if call.outcome is Outcome.MALFORMED:
            read_ending(call, None)


def _read_measures(value: Mapping[str, Any], call: LoggedCall) -> None:
    call.started_at = epoch_s(value.get("request_created_at"))
    taken = number(first(value, ("delay_ms", "latency")))
    ended = epoch_s(value.get("response_created_at"))
    call.latency_ms = between_ms(call.started_at, ended) if taken is None else taken
    call.ttft_ms = number(value.get("time_to_first_token"))
    call.cost_usd = _cost(value)
    _read_tokens(value, call)


def _read_tokens(value: Mapping[str, Any], call: LoggedCall) -> None:
    """The row's own counts, where the body has none. Anthropic's count leaves the cache out."""
    read, written = count(value.get("prompt_cache_read_tokens")), count(value.get("prompt_cache_write_tokens"))
    asked = count(value.get("prompt_tokens"))
    if call.input_tokens is None and asked is not None:
        call.input_tokens = asked + (read or 0) + (written or 0) if call.provider == "anthropic" else asked
    if call.cached_tokens is None:
        call.cached_tokens = read
    if call.output_tokens is None:
        call.output_tokens = count(value.get("completion_tokens"))
    if call.reasoning_tokens is None:
        call.reasoning_tokens = count(value.get("reasoning_tokens"))


def _cost(value: Mapping[str, Any]) -> float | None:
    cost = number(first(value, ("costUSD", "cost_usd")))
    if cost is not None:
        return cost
    cost = number(value.get("cost"))
    # Its database keeps billionths of a dollar, its API dollars; no call costs a hundred of them.
    return cost / _NANO_USD if cost is not None and cost >= 100 else cost


def _read_properties(value: Mapping[str, Any], call: LoggedCall) -> None:
    properties = {**mapping(value.get("properties")), **mapping(value.get("request_properties"))}
    call.user = text(first(value, ("request_user_id", "helicone_user", "user_id"))) or call.user
    call.session_id = text(first(properties, _SESSIONS))
    prompt = text(value.get("prompt_id")) or text(first(properties, _PROMPTS))
    if prompt and call.prompt_name is None:
        call.prompt_name = prompt
    call.prompt_version = text(value.get("prompt_version")) or call.prompt_version
    read_metadata(properties, call)
    for name in ("prompt_inputs", "inputs"):
        if mapping(value.get(name)):
            read_note("variables", value[name], call)


def _feedback(value: Mapping[str, Any]) -> Iterator[LoggedFeedback]:
    rating = value.get("feedback_rating")
    if isinstance(rating, str):
        rating = {"true": True, "false": False}.get(rating.lower())
    at = epoch_s(value.get("feedback_created_at"))
    if isinstance(rating, bool | int):
        yield LoggedFeedback("rating", float(bool(rating)), source="human", at=at)
    for name, score in mapping(value.get("scores")).items():
        found = number(score.get("value") if isinstance(score, Mapping) else score)
        if found is not None and not (name == _FEEDBACK_SCORE and rating is not None):
            yield LoggedFeedback("score", found, name=name.removeprefix("helicone-score-"), source="helicone")
