"""What `litellm` returned or raised, checked against what was recorded, as an answer."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llmctl.outcome import Outcome
from llmctl.providers.http.failures import connection_failed, cut_off, dropped, no_http, too_large
from llmctl.providers.openai_chat import malformed, read_error, read_payload, read_response
from llmctl.providers.records import Usage
from llmctl.providers.wire import Answer, Retry

if TYPE_CHECKING:
    from llmctl.providers.litellm_recording import Recording

__all__ = ["read_exception", "read_model_response", "read_recorded"]

_REFUSED = re.compile(rb'"stop_reason"\s*:\s*"refusal"')
_SERVED = re.compile(rb'"(?:model|modelVersion)"\s*:\s*"([^"\\]{1,200})"')
_PREFIX = re.compile(r"^(?:litellm\.)?\w*(?:Error|Exception)\s*:\s*|^\w+Exception\s*-\s*")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def read_recorded(recording: Recording) -> Answer | None:
    """The answer in the recorded bytes; None where nothing came, or where it is not OpenAI's protocol."""
    tape = recording.tape
    if tape.too_large:
        return too_large()
    if tape.status is None:
        return None
    if recording.broken and not (recording.reader and recording.reader.ended):
        return cut_off(len(tape.body))
    if not 200 <= tape.status < 300:
        return read_response(tape.status, tape.body)
    if not recording.openai:
        return None
    return recording.reader.answer() if recording.reader else read_response(tape.status, tape.body)


def read_model_response(response: Any, recording: Recording, *, ended: bool = True) -> Answer:
    """The answer in what litellm translated, its inventions taken back."""
    if not ended:
        return malformed("The stream broke off before its end")
    if response is None:
        return malformed("The answer holds nothing")
    payload = response.model_dump()
    # litellm names the model that was asked for; which one answered stands in the recorded bytes.
    served = _SERVED.search(recording.tape.body)
    answer = replace(read_payload(payload), served_model=served[1].decode("utf-8", "replace") if served else None)
    if answer.usage.input_tokens == 0 and answer.usage.output_tokens == 0:
        answer = replace(answer, usage=Usage())  # litellm's way to say that nothing was reported
    if _REFUSED.search(recording.tape.body):
        answer = replace(answer, outcome=Outcome.REFUSED, finish_reason="refusal", error="The model refused to answer.")
    return answer


def read_exception(error: Exception, recording: Recording) -> Answer:
    """What litellm raised, where no recorded answer says more."""
    kind, message = type(error).__name__, _message(error)
    if recording.tape.status is None and (answer := _without_response(error, recording)):
        return answer
    if kind == "ContextWindowExceededError":
        return Answer(Outcome.CONTEXT_EXCEEDED, error=message)
    if kind == "ContentPolicyViolationError":
        return Answer(Outcome.FILTERED, error=message)
    if kind == "Timeout":
        return Answer(Outcome.TIMEOUT, error=message, retry=Retry.AGAIN)
    status = getattr(error, "status_code", None)
    if recording.tape.status is not None and status in {None, 200, 500}:
        return malformed(f"The answer cannot be read: {message}")
    if isinstance(status, int):
        return replace(read_error(status, {"message": message}), error=message)
    return Answer(Outcome.PROVIDER_ERROR, error=message)


def _without_response(error: Exception, recording: Recording) -> Answer | None:
    """What stopped the network, or a server that speaks something else; None where it was neither."""
    times, failure = recording.times, _network_failure(error)
    if times is not None and times.unread:
        recording.tape.add(times.unread)
        return no_http()
    if failure is None or isinstance(failure, TimeoutError):
        return None
    if times is not None and times.dropped:
        return dropped()
    return _failed(failure, sent=times is not None and times.sent_at is not None)


def _failed(error: BaseException, *, sent: bool) -> Answer:
    import aiohttp

    # Its text would be the parser's view of a part of the headers.
    said = "Server disconnected" if isinstance(error, aiohttp.ServerDisconnectedError) else str(error)
    retry = Retry.NEVER if isinstance(error, aiohttp.ClientSSLError) else Retry.AGAIN
    return connection_failed(said or type(error).__name__, sent=sent, retry=retry)


def _network_failure(error: BaseException | None) -> BaseException | None:
    """The failure of the network that began it: litellm's own classes do not tell, and do not say what it was."""
    import aiohttp
    import httpx

    found = None
    while error is not None:
        if isinstance(error, aiohttp.ClientError):
            return error
        if isinstance(error, OSError | httpx.TransportError):
            found = error
        error = error.__cause__ or error.__context__
    return found


def _message(error: Exception) -> str:
    """The provider's words, without litellm's class names before them."""
    text = " ".join(_COLOUR.sub("", str(error)).partition("Traceback (most recent call last)")[0].split())[:500]
    while (shorter := _PREFIX.sub("", text)) != text:
        text = shorter
    return text or type(error).__name__
