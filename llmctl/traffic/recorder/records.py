"""Makes the record of an exchange: its exact payloads, what they mean, and when what came."""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from llmctl.outcome import Outcome
from llmctl.providers.http.unpacking import unpacker_of
from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.readers.answers import Api, read_any_request
from llmctl.traffic.readers.envelope import opened, read_envelope
from llmctl.traffic.readers.values import decoded
from llmctl.traffic.recorder.call_journal import RecordedCall
from llmctl.traffic.recorder.exchange import KEPT_BODY_BYTES, Body, Ending, Exchange
from llmctl.traffic.recorder.heads import named

__all__ = ["FORMAT", "VARIABLES_HEADER", "record_of"]

FORMAT = "recorded"
VARIABLES_HEADER = b"x-llmctl-variables"
_PIECE_BYTES = 256 * 1024
_KEPT_HEADERS = (
    "content-type",
    "content-encoding",
    "request-id",
    "x-request-id",
    "openai-processing-ms",
    "retry-after",
)
_ENDED = {
    Ending.CUT: (Outcome.MALFORMED, "The upstream closed the connection before the end of its answer."),
    Ending.RESET: (Outcome.PROVIDER_ERROR, "The upstream reset the connection."),
    Ending.CLIENT_GONE: (None, "The client went away before the end of the answer."),
    Ending.NOT_HTTP: (Outcome.MALFORMED, "What the upstream sent is no HTTP."),
    Ending.UNREACHABLE: (Outcome.PROVIDER_ERROR, "The upstream could not be reached."),
    Ending.STOPPED: (None, "The recorder was ended before the end of the answer."),
}
_CONTENT = re.compile(
    rb'"(?:content|text|thinking|reasoning|reasoning_content|partial_json|arguments|refusal|delta)"\s*:\s*"[^"]'
)
"""In an event of a stream: a piece of the answer itself."""


def record_of(exchange: Exchange, *, prompt_header: bytes, provider: str | None) -> RecordedCall | str:
    """The record of an exchange that has ended; a reason where it is no call of a model."""
    path = exchange.target.partition(b"?")[0].decode("latin-1")
    request = _text(exchange.request.bytes())
    body = decoded(request) if exchange.method == b"POST" and request is not None else None
    if not isinstance(body, Mapping):
        return _no_call(exchange.method, path)
    packed = exchange.response.bytes()
    encoding = (named(exchange.head.fields, b"content-encoding") or b"") if exchange.head else b""
    plain = _unpacked(packed, encoding.strip().lower().decode("latin-1"))
    response = _text(plain) if plain is not None else None
    call = LoggedCall(FORMAT)
    _read(call, body, response, exchange, path)
    if call.messages is None and not _may_be_call(body):
        return _no_call(exchange.method, path)
    call.provider = provider or call.provider
    _read_prompt(call, exchange, prompt_header)
    _read_times(call, exchange)
    _read_ending(call, exchange, unreadable=plain is None)
    return RecordedCall(call, _raw(exchange, call, path, request or "", response, packed))


def _read(call: LoggedCall, body: Mapping[str, Any], response: str | None, exchange: Exchange, path: str) -> None:
    value: dict[str, Any] = {"request": body, "response": response}
    if exchange.head is not None:
        value["status_code"] = exchange.head.status
    envelope = opened(value)
    if envelope is None or envelope.api is Api.EMBEDDINGS or path.rstrip("/").endswith(("/embeddings", "/moderations")):
        return
    if exchange.ending in (Ending.UNREACHABLE, Ending.NOT_HTTP) or not response:
        envelope.response = None
        value.pop("response")
    read_envelope(value, envelope, call)
    if envelope.response is None and isinstance(body.get("messages"), list):
        _without_answer(call, body)
    call.endpoint = path


def _without_answer(call: LoggedCall, body: Mapping[str, Any]) -> None:
    """No answer came: a last message of the assistant was sent to be continued, and is none either."""
    bare = LoggedCall(FORMAT)
    read_any_request(body, bare)
    call.messages, call.output, call.tool_calls = bare.messages, None, ()
    call.finish_reason = None
    if call.error is None:
        call.outcome = None


def _no_call(method: bytes, path: str) -> str:
    """What it was instead, without the ids in its path."""
    return f"{method.decode('latin-1')} {'/'.join(path.split('/')[:3])[:60]}"


def _may_be_call(body: Mapping[str, Any]) -> bool:
    return "messages" in body or ("model" in body and "prompt" in body)


def _read_prompt(call: LoggedCall, exchange: Exchange, header: bytes) -> None:
    """The prompt's name (`triage` or `triage@3`) and its variables, as the client's headers say."""
    said = named(exchange.fields, header.lower())
    if said:
        name, _, version = said.decode("utf-8", "replace").strip().partition("@")
        call.prompt_name, call.prompt_version = name or None, version or None
    given = named(exchange.fields, VARIABLES_HEADER)
    if given:
        found = decoded(given.decode("utf-8", "replace"))
        if isinstance(found, Mapping):
            call.variables = dict(found)
        else:
            call.metadata = {**call.metadata, "variables_unread": "the header X-Llmctl-Variables is no JSON object"}


def _read_times(call: LoggedCall, exchange: Exchange) -> None:
    call.started_at = exchange.started_at
    call.latency_ms = round((exchange.ended - exchange.began) * 1000, 3)
    call.ttft_ms = None
    kind = (named(exchange.head.fields, b"content-type") or b"") if exchange.head else b""
    packed = exchange.head is not None and named(exchange.head.fields, b"content-encoding")
    if kind.strip().lower().startswith(b"text/event-stream") and exchange.response.times:
        at = exchange.response.times[0][0] if packed else _first_content(exchange.response)
        if at is not None:
            call.ttft_ms = round((at - exchange.began) * 1000, 3)


def _first_content(body: Body) -> float | None:
    """When the first piece of the answer itself came; None: none did, or not among the first pieces."""
    found = _CONTENT.search(body.bytes()[: body.times[-1][1]])
    if found is None:
        return None
    return next(at for at, length in body.times if length >= found.end())


def _read_ending(call: LoggedCall, exchange: Exchange, *, unreadable: bool) -> None:
    ending = exchange.ending or Ending.WHOLE
    if exchange.head is not None:
        call.status = exchange.head.status
    if ending in _ENDED:
        outcome, said = _ENDED[ending]
        call.outcome = outcome
        call.error = exchange.error if ending is Ending.UNREACHABLE and exchange.error else said
        call.tags = (*call.tags, ending.value)
    elif unreadable:
        call.outcome, call.output, call.error = None, None, "The answer is packed in a way that is not known here."


def _raw(exchange: Exchange, call: LoggedCall, path: str, request: str, response: str | None, packed: bytes) -> str:
    value: dict[str, Any] = {
        "method": exchange.method.decode("latin-1"),
        "endpoint": path,
        "started_at": call.started_at,
        "latency_ms": call.latency_ms,
        "ttft_ms": call.ttft_ms,
        "status_code": call.status,
        "ending": (exchange.ending or Ending.WHOLE).value,
        "headers": _headers(exchange),
        "prompt": call.prompt_name,
        "prompt_version": call.prompt_version,
        "variables": call.variables,
        "request": request,
    }
    if response is not None:
        value["response"] = response
    else:
        value["response_base64"] = base64.b64encode(packed).decode()
    kept = {name: item for name, item in value.items() if item is not None}
    try:
        return orjson.dumps(kept).decode()
    except TypeError:  # variables that JSON's own reader took and ours cannot write
        kept["variables"] = repr(call.variables)
        return orjson.dumps(kept).decode()


def _headers(exchange: Exchange) -> dict[str, str]:
    """Of the response, those that say something of the call and hold no secret."""
    if exchange.head is None:
        return {}
    found = ((name, named(exchange.head.fields, name.encode())) for name in _KEPT_HEADERS)
    return {name: value.decode("latin-1") for name, value in found if value is not None}


def _text(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _unpacked(data: bytes, encoding: str) -> bytes | None:
    """The body without its packing, also of one that was cut off; None: it cannot be unpacked."""
    if encoding in ("", "identity") or not data:
        return data
    unpacker = _Zstd() if encoding == "zstd" else unpacker_of(encoding)
    if unpacker is None:
        return None
    pieces: list[bytes] = []
    length = 0
    try:
        for piece in unpacker.pieces(data):
            length += len(piece)
            if length > KEPT_BODY_BYTES:
                return None
            pieces.append(piece)
    except ValueError:
        return None
    return b"".join(pieces)


class _Zstd:
    """Of one body: what browsers and newer clients accept beside gzip (RFC 8878)."""

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """The body, in pieces of bounded size. Raises ValueError: it is not packed like that."""
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
        part = zstd.ZstdDecompressor()
        try:
            while not part.eof and (data or not part.needs_input):
                yield part.decompress(data, _PIECE_BYTES)
                data = b""
        except zstd.ZstdError as error:
            raise ValueError(str(error)) from None
