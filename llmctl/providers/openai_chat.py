"""OpenAI's chat-completions protocol: a request as JSON, a response as an answer. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import orjson

from llmctl.outcome import Outcome
from llmctl.providers.endpoints import is_reasoning_model
from llmctl.providers.records import ChatRequest, Usage
from llmctl.providers.routes import Route
from llmctl.providers.wire import Answer, Fault, Retry
from llmctl.safe_text import replace_surrogates

__all__ = [
    "malformed",
    "parse_json",
    "read_error",
    "read_payload",
    "read_response",
    "read_usage",
    "request_json",
    "wire_params",
]


def wire_params(route: Route, params: Mapping[str, object]) -> dict[str, object]:
    """The parameters under the names that this provider knows."""
    renamed = dict(route.renamed)
    if "max_tokens" in params and route.provider == "openai" and is_reasoning_model(route.wire_model):
        renamed["max_tokens"] = "max_completion_tokens"
    if not renamed:
        return dict(params)
    return {renamed.get(name, name): value for name, value in params.items()}


def request_json(route: Route, request: ChatRequest, *, streamed: bool = False) -> bytes:
    """The request's body."""
    body: dict[str, object] = {"model": route.wire_model, "messages": list(request.messages)}
    body |= wire_params(route, request.params)
    if request.tools:
        body["tools"] = list(request.tools)
    if request.tool_choice is not None:
        body["tool_choice"] = request.tool_choice
    if request.response_format is not None:
        body["response_format"] = request.response_format
    body |= request.options
    if streamed:
        body["stream"] = True
        if route.stream_options:
            wanted = body.get("stream_options")
            body["stream_options"] = {**(wanted if isinstance(wanted, dict) else {}), "include_usage": True}
    return orjson.dumps(body)


def parse_json(body: bytes | bytearray | str) -> Any:
    """Any JSON, also what a strict reader refuses (half surrogate pairs, NaN).

    Raises:
        ValueError: it is no JSON, or nested too deep.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("nested too deep") from None


def read_response(status: int, body: bytes | bytearray) -> Answer:
    """The answer in a whole response, whatever it is."""
    try:
        payload = parse_json(body)
    except ValueError:
        payload = None
    if not 200 <= status < 300:
        return read_error(status, payload)
    if not isinstance(payload, dict):
        return malformed(_what_instead(body))
    return read_payload(payload)


def read_payload(payload: Mapping[str, Any]) -> Answer:
    """The answer in a response with status 200."""
    if payload.get("error"):
        return read_error(_status_within(payload["error"]), payload)
    usage, model = read_usage(payload.get("usage")), payload.get("model")
    choices = payload.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
        return malformed("The answer has no choices", usage)
    if choice.get("error"):
        return read_error(_status_within(choice["error"]), choice)
    return _read_choice(choice, usage, model if isinstance(model, str) else None)


def malformed(sentence: str, usage: Usage | None = None) -> Answer:
    """Not what the protocol promises."""
    return Answer(Outcome.MALFORMED, error=f"{sentence}.", usage=usage or Usage(), retry=Retry.ONCE)


def _what_instead(body: bytes | bytearray) -> str:
    start = bytes(body[:200]).lstrip().lower()
    if not start:
        return "The answer is an empty body"
    if start.startswith(b"<"):
        return "The answer is a web page, not JSON"
    if start.startswith((b"{", b"[")):
        return "The answer is JSON that was cut off or damaged"
    return "The answer is not JSON"


_FINISHED = {"length": Outcome.TRUNCATED, "max_tokens": Outcome.TRUNCATED, "content_filter": Outcome.FILTERED}


def _read_choice(choice: Mapping[str, Any], usage: Usage, model: str | None) -> Answer:
    message, finish = choice["message"], choice.get("finish_reason")
    try:
        text, calls = _text(message.get("content")), _tool_calls(message.get("tool_calls"))
    except TypeError as mistake:
        return malformed(str(mistake), usage)
    refusal = message.get("refusal")
    outcome = _FINISHED.get(finish) if isinstance(finish, str) else None
    error = "The provider's content filter held the answer back." if outcome is Outcome.FILTERED else None
    if (isinstance(refusal, str) and refusal) or finish == "refusal":
        outcome, text = Outcome.REFUSED, text or (refusal if isinstance(refusal, str) else None)
        error = "The model refused to answer."
    if finish == "error":
        return Answer(
            Outcome.PROVIDER_ERROR, error="The provider stopped with an error.", usage=usage, retry=Retry.AGAIN
        )
    if outcome is None:
        outcome = Outcome.ANSWERED if text or calls else Outcome.EMPTY
    output = replace_surrogates(text) if text is not None else None
    return Answer(
        outcome,
        output="" if output is None and outcome.scored and not calls else output,
        tool_calls=calls,
        finish_reason=finish if isinstance(finish, str) and finish else None,
        served_model=model,
        usage=usage,
        error=error,
    )


def _text(content: Any) -> str | None:
    if content is None or isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
        return "".join(part for part in parts if isinstance(part, str))
    raise TypeError("The answer's content is not text")


def _tool_calls(calls: Any) -> tuple[Mapping[str, object], ...]:
    if not calls:
        return ()
    if not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls):
        raise TypeError("The answer's tool calls are not a list of objects")
    cleaned: list[Mapping[str, object]] = _without_surrogates(calls)
    return tuple(cleaned)


def _without_surrogates(value: Any) -> Any:
    match value:
        case str():
            return value if value.isascii() else replace_surrogates(value)
        case dict():
            return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
        case list():
            return [_without_surrogates(item) for item in value]
        case _:
            return value


def read_usage(usage: Any) -> Usage:
    """Tokens as the provider counted them; what it does not say, or says wrongly, is unknown."""
    if not isinstance(usage, dict):
        return Usage()
    details, made = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    return Usage(
        input_tokens=_count(usage.get("prompt_tokens")),
        output_tokens=_count(usage.get("completion_tokens")),
        cached_tokens=_count(
            details.get("cached_tokens") if isinstance(details, dict) else usage.get("prompt_cache_hit_tokens")
        ),
        reasoning_tokens=_count(made.get("reasoning_tokens") if isinstance(made, dict) else None),
    )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


# --- errors -----------------------------------------------------------------------------------------------------------

_TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|context[ _](?:length|window|size)|maximum context|prompt is too long"
    r"|input is too long|too many tokens|reduce the length of the messages",
    re.IGNORECASE,
)
_FILTERED = re.compile(
    r"content_filter|content_policy|content policy|content management policy|ResponsibleAI", re.IGNORECASE
)
_NO_MONEY = re.compile(
    r"insufficient_quota|billing_hard_limit|insufficient[ _](?:balance|credits|funds)|credit balance", re.IGNORECASE
)
_WRONG_KEY = re.compile(
    r"invalid_api_key|API_KEY_INVALID|(?:incorrect|invalid) api key|api key not valid", re.IGNORECASE
)
_FLAGGED = re.compile(r"moderation|flagged", re.IGNORECASE)
_BUSY = re.compile(r"rate_?limit|overloaded", re.IGNORECASE)
_AGAIN = frozenset({408, 409, 425, 429})


def read_error(status: int, payload: Any) -> Answer:
    """What an HTTP error, or an error inside a response, means."""
    message, codes = _message(payload), _codes(payload)
    said = f"{codes} {message}"
    sentence = replace_surrogates(f"HTTP {status}: {message}" if message else f"HTTP {status}, without an explanation.")
    if status in {400, 413, 422} or (200 <= status < 300):
        if _TOO_LONG.search(said):
            return Answer(Outcome.CONTEXT_EXCEEDED, error=sentence)
        if _FILTERED.search(said):
            return Answer(Outcome.FILTERED, error=sentence)
    if 300 <= status < 400:
        return Answer(Outcome.BAD_REQUEST, error=f"HTTP {status}: the endpoint redirects elsewhere; correct api_base.")
    fault = _fault(status, said, explained=payload is not None)
    if status in _AGAIN or status >= 500 or status < 300:
        retry = Retry.NEVER if fault is Fault.QUOTA else Retry.AGAIN
        return Answer(Outcome.PROVIDER_ERROR, error=sentence, retry=retry, fault=fault)
    outcome = Outcome.PROVIDER_ERROR if status in {401, 402, 403} else Outcome.BAD_REQUEST
    return Answer(outcome, error=sentence, fault=fault)


def _fault(status: int, said: str, *, explained: bool) -> Fault | None:
    """Whether the failure is the account's or the rate's, and not this call's."""
    if status == 402 or (status in {400, 403, 429} and _NO_MONEY.search(said)):
        return Fault.QUOTA
    if status == 401 or (status == 400 and _WRONG_KEY.search(said)):
        return Fault.AUTH
    if status == 403:
        # A web page with 403 is a firewall that took offence at one text, and "flagged" is OpenRouter's moderation.
        return Fault.AUTH if explained and not _FLAGGED.search(said) else None
    if status in {429, 503, 529} or (status < 300 and _BUSY.search(said)):
        return Fault.RATE
    return None


def _status_within(error: Any) -> int:
    """The status that an error inside a 200 carries (OpenRouter, llama.cpp); 200 where it carries none."""
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and 400 <= code <= 599 else 200


def _message(payload: Any) -> str:
    """The provider's own words, in whichever of the usual places."""
    if not isinstance(payload, dict):
        return ""
    error = payload.get("error")
    inner = error if isinstance(error, dict) else payload
    for place in (inner.get("message"), error, payload.get("message"), payload.get("detail")):
        if isinstance(place, str) and place:
            return " ".join(place[:1000].split())[:500]
    return orjson.dumps(inner, default=str)[:300].decode("utf-8", "replace") if inner else ""


def _codes(payload: Any) -> str:
    error = payload.get("error") if isinstance(payload, dict) else None
    inner = error if isinstance(error, dict) else payload if isinstance(payload, dict) else {}
    return " ".join(str(inner.get(name)) for name in ("code", "type") if inner.get(name))
