"""What an error in a log means: the outcome, the HTTP status and the provider's own words."""

from __future__ import annotations

import re
from typing import Any

from llmctl.outcome import Outcome
from llmctl.providers.openai_chat import read_error
from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.readers.chunks import CUT_STREAM
from llmctl.traffic.readers.values import count, decoded, json_text

__all__ = ["error_text", "read_break", "read_failure", "status_of"]

_LONGEST = 2_000
_NAMED_STATUS = re.compile(r"\b(?:error code|status(?: code)?|http(?:/[\d.]+)?)\W{0,3}([45]\d\d)\b", re.IGNORECASE)
_TIMED_OUT = re.compile(r"time[ds]?[\s_-]?out|deadline[ _]exceeded", re.IGNORECASE)
_STATUS_OF_KIND = (
    (re.compile(r"rate_?limit|too many requests|resource_?exhausted", re.IGNORECASE), 429),
    (re.compile(r"overloaded", re.IGNORECASE), 529),
    (re.compile(r"authentication|invalid_api_key|unauthori[sz]ed", re.IGNORECASE), 401),
    (re.compile(r"permission", re.IGNORECASE), 403),
    (re.compile(r"not_?found", re.IGNORECASE), 404),
    (re.compile(r"context_?(?:length|window)|content_?(?:filter|policy)", re.IGNORECASE), 400),
    (re.compile(r"invalid_?request|bad_?request|invalid_?argument|unprocessable", re.IGNORECASE), 400),
)
_UNKNOWN_STATUS = 500
_TIMEOUT_STATUSES = frozenset({408, 504})


def read_failure(error: object, call: LoggedCall, status: int | None = None) -> None:
    """Take an error into the record: `outcome`, `error`, and `status` where the log says it.

    `error` is a text, a provider's error object (OpenAI's, Anthropic's, a proxy's), an exception's, or None.
    """
    error = decoded(error)
    said = error_text(error)
    kinds = _kinds(error)
    known = status or call.status or status_of(error) or _named_status(said)
    if known:
        call.status = known
    call.error = said[:_LONGEST] or (f"HTTP {known}" if known else "An error was logged without an explanation.")
    call.outcome = _outcome(known, f"{kinds} {said}")


def read_break(error: object, call: LoggedCall) -> None:
    """Take an error in the middle of an answer into the record; what had come of the answer is kept."""
    inner = error.get("error", error) if isinstance(error, dict) else error
    if isinstance(inner, dict) and inner.get("message") == CUT_STREAM:
        call.outcome, call.error = Outcome.MALFORMED, CUT_STREAM
    else:
        read_failure(error, call)


def _outcome(status: int | None, said: str) -> Outcome:
    if status in _TIMEOUT_STATUSES or (status is None and _TIMED_OUT.search(said)):
        return Outcome.TIMEOUT
    if status is None:
        status = next((status for words, status in _STATUS_OF_KIND if words.search(said)), _UNKNOWN_STATUS)
    return read_error(status, {"error": {"message": said}}).outcome


def status_of(value: object) -> int | None:
    """The HTTP status that an error object names, from 100 to 599."""
    if isinstance(value, dict):
        for key in ("status_code", "http_status", "statusCode", "status", "code", "error_code"):
            found = count(value.get(key))
            if found is not None and 100 <= found < 600:
                return found
        inner = value.get("error")
        return status_of(inner) if isinstance(inner, dict) else None
    found = count(value)
    return found if found is not None and 100 <= found < 600 else None


def error_text(error: object) -> str:
    """The words of an error, in whichever of the usual places; empty: there are none."""
    if isinstance(error, str):
        return error.strip()
    if not isinstance(error, dict):
        return "" if error is None else json_text(error)[:_LONGEST]
    inner = error.get("error")
    if isinstance(inner, dict) and inner:
        return error_text(inner)
    for place in (error.get("message"), inner, error.get("detail"), error.get("error_message"), error.get("msg")):
        if isinstance(place, str) and place.strip():
            return place.strip()
    return json_text(error)[:_LONGEST] if error else ""


def _kinds(error: Any) -> str:
    found: list[str] = []
    while isinstance(error, dict):
        found += [str(error[key]) for key in ("code", "type", "error_class", "name", "class") if error.get(key)]
        error = error.get("error")
    return " ".join(found)


def _named_status(said: str) -> int | None:
    found = _NAMED_STATUS.search(said[:_LONGEST])
    return int(found[1]) if found else None
