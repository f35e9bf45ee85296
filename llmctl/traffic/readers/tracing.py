"""What tracing tools have in common: providers' names, scores as feedback, failures, bodies of requests and answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from llmctl.outcome import Outcome
from llmctl.traffic.logged_call import LoggedCall, LoggedFeedback
from llmctl.traffic.readers.answers import api_of_request, read_any_request, read_any_response
from llmctl.traffic.readers.base import Document
from llmctl.traffic.readers.content import text_in
from llmctl.traffic.readers.failures import error_text, read_failure
from llmctl.traffic.readers.messages import messages_from
from llmctl.traffic.readers.openai_shapes import params_from, provider_of, response_format_from
from llmctl.traffic.readers.values import decoded, json_text, mapping, number, text

__all__ = [
    "ends_as",
    "judged",
    "not_a_call",
    "provider_from",
    "read_asked",
    "read_said",
    "read_settings",
    "same_or_served",
    "source_from",
    "unwrapped",
]

_PROVIDERS = {
    "gcp.gemini": "gemini",
    "gcp.gen_ai": "gemini",
    "gcp.vertex_ai": "vertex_ai",
    "google": "gemini",
    "google_genai": "gemini",
    "google_ai": "gemini",
    "vertexai": "vertex_ai",
    "azure.ai.openai": "azure",
    "az.ai.openai": "azure",
    "azure_openai": "azure",
    "azure.ai.inference": "azure_ai",
    "az.ai.inference": "azure_ai",
    "aws.bedrock": "bedrock",
    "aws": "bedrock",
    "amazon": "bedrock",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "x_ai": "xai",
    "ibm.watsonx.ai": "watsonx",
    "together": "together_ai",
    "fireworks": "fireworks_ai",
}
_NOT_PROVIDERS = frozenset(
    {"langchain", "llamaindex", "llama_index", "haystack", "crewai", "unknown", "custom", "_other"}
)
_SOURCES = {
    "human": "human",
    "ui": "human",
    "llm": "model",
    "llm_judge": "model",
    "online_scoring": "model",
    "code": "code",
    "sdk": "code",
}
_THUMB = re.compile(r"thumb|user[_ -]?(?:feedback|rating)|\blikes?\b", re.IGNORECASE)
_ENDINGS = {
    "stop": Outcome.ANSWERED,
    "tool_calls": Outcome.ANSWERED,
    "function_call": Outcome.ANSWERED,
    "length": Outcome.TRUNCATED,
    "content_filter": Outcome.FILTERED,
    "refusal": Outcome.REFUSED,
}


def not_a_call(kind: object) -> str:
    """The reason for setting aside what is no call of a model."""
    name = re.sub(r"[^\w. -]+", "", text(kind) or "")[:40].strip()
    return f"not a model call ({name.lower() or 'span'})"


def provider_from(name: object) -> str | None:
    """The name that litellm has of a provider, by any name that tracing tools have for it; a framework is none."""
    found = (text(name) or "").strip().lower()
    if not found or found in _NOT_PROVIDERS:
        return None
    return _PROVIDERS.get(found, found)


def unwrapped(document: Document, *names: str) -> Iterator[Document]:
    """The documents in an answer of an API (`{"data": [...], "next_cursor": ...}`), else the document itself."""
    for name in names:
        inner = document.value.get(name)
        if isinstance(inner, list) and inner and all(isinstance(one, Mapping) for one in inner):
            for one in inner:
                yield Document(one, json_text(one), document.line)
            return
    yield document


# --- bodies -----------------------------------------------------------------------------------------------------------


def read_asked(value: object, call: LoggedCall) -> bool:
    """Take what was asked: a request of any API, messages, or a text. Whether it was any of these."""
    body = decoded(value)
    if isinstance(body, dict) and _is_request(body):
        model, provider = call.model, call.provider
        read_any_request(body, call)
        call.model, call.provider = call.model or model, provider or call.provider
        return call.messages is not None
    if isinstance(body, dict) and isinstance(body.get("contents"), list):  # Gemini
        system = text_in(mapping(first_of(body, "systemInstruction", "system_instruction")).get("parts"))
        asked = messages_from(body["contents"])
        call.messages = ({"role": "system", "content": system}, *asked) if system and asked else asked
        call.model = text(body.get("model")) or call.model
        read_settings(first_of(body, "generationConfig", "generation_config", "config"), call)
        return call.messages is not None
    found: object = body if isinstance(body, str | list) else None
    if isinstance(body, Mapping):
        found = body if "role" in body else first_of(body, "messages", "input", "prompt", "question", "query", "inputs")
    if found is None or not _conversation(found):
        return False
    call.messages = messages_from(found)
    if isinstance(body, Mapping):
        read_settings({name: body[name] for name in ("temperature", "max_tokens", "model") if name in body}, call)
    return call.messages is not None


def first_of(body: Mapping[str, Any], *names: str) -> Any:
    """What stands under the first of these names that is there."""
    return next((body[name] for name in names if body.get(name) is not None), None)


def _is_request(body: dict[str, Any]) -> bool:
    if api_of_request(body) is None:
        return False
    messages = body.get("messages")
    return not isinstance(messages, list) or all(isinstance(one, dict) and "role" in one for one in messages)


def _conversation(value: object) -> bool:
    """Whether it is a text, or messages; anything else would only be guessed at."""
    value = decoded(value)
    if isinstance(value, str):
        return bool(value)
    if isinstance(value, Mapping):
        return "role" in value or _conversation(value.get("messages"))
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(one, Mapping)
            and ("role" in one or one.get("type") in ("human", "ai", "system", "tool", "message"))
            for one in value
        )
    )


def read_said(value: object, call: LoggedCall) -> bool:
    """Take what was answered: a response of any API, a list of choices, a message, or a text; other JSON as text."""
    body = decoded(value)
    if body is None or body in ({}, []):
        return False
    before = (call.started_at, call.source_id, call.error, call.outcome)
    if isinstance(body, list) and isinstance(body[0], Mapping) and "message" in body[0]:
        body = {"choices": body}
    if isinstance(body, dict) and isinstance(body.get("candidates"), list):
        body = _gemini(body)
    elif isinstance(value, str) and not (isinstance(body, dict) and "choices" in body):
        body = value
    read_any_response(body, call)
    response_id = call.source_id
    call.source_id = before[1]
    if before[0] is not None:
        call.started_at = before[0]
    if response_id and response_id != before[1]:
        call.metadata = {**call.metadata, "response_id": response_id}
    if call.outcome is Outcome.MALFORMED:
        call.outcome, call.error = before[3], before[2]
        _read_text(value, call)
    return True


def _read_text(value: object, call: LoggedCall) -> None:
    """An answer that the application made of the model's: as JSON."""
    from llmctl.traffic.readers.endings import read_ending

    read_ending(call, json_text(value))


def _gemini(body: Mapping[str, Any]) -> dict[str, Any]:
    candidate = mapping(body["candidates"][0]) if body["candidates"] else {}
    turns = messages_from([candidate["content"]]) if isinstance(candidate.get("content"), Mapping) else None
    message = {**(turns[-1] if turns else {"content": None}), "role": "assistant"}
    finish = first_of(candidate, "finishReason", "finish_reason")
    usage = mapping(first_of(body, "usageMetadata", "usage_metadata"))
    found: dict[str, Any] = {"choices": [{"message": message, "finish_reason": finish}]}
    if usage:
        asked = first_of(usage, "promptTokenCount", "prompt_token_count")
        made = first_of(usage, "candidatesTokenCount", "candidates_token_count")
        found["usage"] = {"prompt_tokens": asked, "completion_tokens": made}
    return {**found, "model": first_of(body, "modelVersion", "model_version")}


def read_settings(value: object, call: LoggedCall) -> None:
    """Take parameters (an object, or JSON in a text) into the record: model, format and tools to their own fields."""
    from llmctl.traffic.readers.messages import tool_choice_from, tools_from

    found = mapping(value)
    if not found:
        return
    call.model = call.model or text(found.get("model"))
    call.params = {**params_from(found), **call.params}
    call.response_format = call.response_format or response_format_from(found.get("response_format"))
    call.tools = call.tools or tools_from(found.get("tools"))
    call.tool_choice = call.tool_choice or tool_choice_from(found.get("tool_choice"))


def same_or_served(call: LoggedCall, name: object) -> None:
    """Take a model's name of which the log does not say whether it was asked for or has answered."""
    found = text(name)
    if call.model is None:
        call.model = found
    elif call.served_model is None and found != call.model:
        call.served_model = found
    call.provider = call.provider or provider_of(call.model)


# --- endings ----------------------------------------------------------------------------------------------------------


def ends_as(call: LoggedCall, finish_reason: str | None, failure: object = None, failed: bool = False) -> None:
    """Say how a call ended, beside what the answer said: by an error, or by a finish reason alone."""
    if failed or failure:
        said, calls = call.output or None, call.tool_calls
        read_failure(failure, call)
        call.output, call.tool_calls = said, calls
    elif call.outcome is None and finish_reason:
        call.finish_reason = finish_reason
        call.outcome = _ENDINGS.get(finish_reason)
    if call.outcome is not None and call.finish_reason is None:
        call.finish_reason = finish_reason


# --- feedback ---------------------------------------------------------------------------------------------------------


def source_from(name: object) -> str | None:
    """Who judged: `human`, `model`, `code`, or what the log calls it."""
    found = text(name)
    return _SOURCES.get(found.lower(), found.lower()) if found else None


def judged(
    name: object,
    value: object,
    said: object = None,
    source: object = None,
    target: str | None = None,
    at: float | None = None,
) -> LoggedFeedback | None:
    """A judgement as feedback: a number or yes or no as score (of a thumb: rating), a text as label; None: neither."""
    named, words, by = text(name), error_text(said) or None, source_from(source)
    score = float(value) if isinstance(value, bool) else number(value)
    if score is not None:
        thumb = named is not None and _THUMB.search(named) is not None and score in (0.0, 1.0)
        return LoggedFeedback(
            "rating" if thumb else "score",
            score,
            words,
            named,
            "human" if thumb and by in (None, "code") else by,
            target,
            at,
        )
    label = text(value) if not isinstance(value, Mapping | list) else orjson.dumps(value).decode()
    if label is not None:
        return LoggedFeedback("label", None, label, named, by, target, at)
    return LoggedFeedback("comment", None, words, named, by, target, at) if words else None
