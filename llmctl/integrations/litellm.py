"""For applications that use litellm: `litellm.callbacks = [TrafficLogger("./.llmctl")]` records every call they make.

litellm swallows what its callbacks raise. So whatever fails here is counted in `failures`, and said once on stderr.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from litellm.integrations.custom_logger import CustomLogger

from llmctl.errors import StoreError
from llmctl.providers.redaction import Redactor
from llmctl.traffic.journal import TrafficHead, TrafficJournal
from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.readers.answers import read_any_request, read_any_response
from llmctl.traffic.readers.failures import read_failure
from llmctl.traffic.recorder.writer import CallWriter, RecordedCall

__all__ = ["FORMAT", "TrafficLogger"]

FORMAT = "litellm_callback"
_CALLS = frozenset(
    {
        *("completion", "acompletion", "text_completion", "atext_completion", "responses", "aresponses"),
        *("anthropic_messages", "generate_content", "agenerate_content", ""),
    }
)
_ENOUGH_IDS = 10_000


class TrafficLogger(CustomLogger):
    """Writes the calls of this process into a store, in a journal of its own; forked processes write theirs.

    `metadata={"prompt_name": "triage", "prompt_version": "3", "variables": {...}}` of a call says which prompt it was.
    Nobody waits for the disk. `flush` waits until everything is on it; it is done when the process ends, too.
    """

    def __init__(self, store: str | os.PathLike[str] = ".llmctl") -> None:
        super().__init__()
        self.store = Path(store).absolute()
        self.failures = 0
        """Calls that could not be recorded."""
        self._said = False
        self._lock = threading.Lock()
        self._writer: CallWriter | None = None
        self._pid = 0
        self._ending = False
        self._seen: dict[str, None] = {}
        atexit.register(self._end)

    # litellm calls these by keyword.

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """A call that was answered."""
        self._take(kwargs, response_obj, start_time, end_time, failed=False)

    def log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """A call that failed."""
        self._take(kwargs, response_obj, start_time, end_time, failed=True)

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """A call that was answered."""
        self._take(kwargs, response_obj, start_time, end_time, failed=False)

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """A call that failed."""
        self._take(kwargs, response_obj, start_time, end_time, failed=True)

    def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until everything that was taken is on the disk; whether it is."""
        with self._lock:
            writer = self._writer if self._pid == os.getpid() else None
        return writer.flush(timeout_s) if writer is not None else True

    def _take(self, kwargs: Any, response: Any, start: Any, end: Any, *, failed: bool) -> None:
        """Copy what is needed now, since litellm changes it later, and hand it over."""
        try:
            if kwargs.get("call_type") not in (*_CALLS, None) or not self._is_new(kwargs, failed=failed):
                return
            if not failed:
                streams = ("async_complete_streaming_response", "complete_streaming_response")
                whole = next((kwargs[name] for name in streams if kwargs.get(name) is not None), None)
                response = response if whole is None else whole
            body = None if failed else _plain(response)
            value = _value(kwargs, body, _epoch(start), _epoch(end), kwargs.get("exception") if failed else None)
            self._put(partial(_recorded, value), len(orjson.dumps(body, default=str)))
        except Exception as error:  # litellm would swallow it
            self._fail(f"{type(error).__name__}: {error}")

    def _is_new(self, kwargs: Any, *, failed: bool) -> bool:
        """Whether a call is told for the first time: litellm may tell it through both of its loggers."""
        call_id = kwargs.get("litellm_call_id")
        if not isinstance(call_id, str):
            return True
        key = f"{call_id} {failed}"
        with self._lock:
            if key in self._seen:
                return False
            self._seen[key] = None
            if len(self._seen) > _ENOUGH_IDS:
                del self._seen[next(iter(self._seen))]
        return True

    def _put(self, recorded: Callable[[], RecordedCall | str], size: int) -> None:
        with self._lock:
            if not self._ending:
                if self._writer is None or self._pid != os.getpid():  # threads do not come along into a fork
                    self._writer, self._pid = CallWriter(self._opened, self._fail), os.getpid()
                if not self._writer.put(recorded, size):
                    raise RuntimeError("the disk is slower than the calls")
                return
        made = recorded()  # told while the process ends: no thread can be started any more
        if isinstance(made, RecordedCall):
            with self._opened() as journal:
                journal.add(made.call, made.raw)

    def _opened(self) -> TrafficJournal:
        return TrafficJournal(self.store, TrafficHead("litellm"), Redactor(os.environ))

    def _fail(self, reason: str) -> None:
        with self._lock:
            self.failures += 1
            said, self._said = self._said, True
        if not said:
            sys.stderr.write(f"Warning: llmctl's TrafficLogger could not record a call ({reason}). Said only once.\n")

    def _end(self) -> None:
        self._ending = True
        if self._writer is None or self._pid != os.getpid():
            return
        try:
            self._writer.close()
        except StoreError as error:
            self._fail(error.message)
        self.failures += self._writer.lost.total()


def _value(
    kwargs: Mapping[str, Any], response: Any, start: float | None, end: float | None, error: object
) -> dict[str, Any]:
    """What is kept of a call, as plain data: nothing that litellm may change, no keys, no objects."""
    request: dict[str, Any] = {"model": kwargs.get("model"), **_data(kwargs.get("optional_params") or {})}
    request.pop("extra_headers", None)
    if not request.get("extra_body"):
        request.pop("extra_body", None)  # litellm adds an empty one
    messages = kwargs.get("messages")
    if isinstance(messages, list) and kwargs.get("call_type") not in ("responses", "aresponses"):
        request["messages"] = _data(messages)
    else:
        request["input"] = _data(messages if messages is not None else kwargs.get("input"))
    params = kwargs.get("litellm_params") or {}
    metadata = params.get("metadata") or {}
    first = _epoch(kwargs.get("completion_start_time"))
    known = {
        name: _data(metadata[name])
        for name in ("prompt_name", "prompt_version", "variables", "tags")
        if name in metadata
    }
    return {
        "call_id": kwargs.get("litellm_call_id"),
        "started_at": start,
        "latency_ms": (end - start) * 1000 if start is not None and end is not None else None,
        "ttft_ms": (first - start) * 1000 if kwargs.get("stream") and first is not None and start is not None else None,
        "provider": kwargs.get("custom_llm_provider") or params.get("custom_llm_provider"),
        "cost_usd": kwargs.get("response_cost"),
        "metadata": known,
        "request": request,
        "response": response,
        "error": f"{type(error).__name__}: {error}" if error is not None else None,
        "status": getattr(error, "status_code", None),
    }


def _recorded(value: Mapping[str, Any]) -> RecordedCall:
    call = LoggedCall(FORMAT)
    request = value["request"]
    read_any_request(request, call)
    if value["error"] is not None:
        status = value["status"]
        read_failure(value["error"], call, status if isinstance(status, int) else None)
    else:
        read_any_response(value["response"], call)
        call.status = 200
    call.source_id = value["call_id"] or call.source_id
    call.started_at, call.latency_ms, call.ttft_ms = value["started_at"], value["latency_ms"], value["ttft_ms"]
    call.provider = value["provider"]
    cost = value["cost_usd"]
    call.cost_usd = float(cost) if isinstance(cost, int | float) else None
    known = value["metadata"]
    call.prompt_name = str(known["prompt_name"]) if known.get("prompt_name") else None
    call.prompt_version = str(known["prompt_version"]) if known.get("prompt_version") else None
    call.variables = known["variables"] if isinstance(known.get("variables"), dict) else None
    call.tags = tuple(map(str, known["tags"])) if isinstance(known.get("tags"), list) else ()
    return RecordedCall(call, orjson.dumps(value, default=str).decode())


def _plain(response: Any) -> Any:
    dump = getattr(response, "model_dump", None)
    return _data(dump(exclude_none=True) if callable(dump) else response)


def _data(value: Any) -> Any:
    """The same as JSON has it; a copy."""
    return orjson.loads(orjson.dumps(value, default=_unknown, option=orjson.OPT_NON_STR_KEYS))


def _unknown(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    return dump(exclude_none=True) if callable(dump) else str(value)


def _epoch(value: Any) -> float | None:
    if isinstance(value, datetime):
        return value.timestamp()
    return float(value) if isinstance(value, int | float) else None
