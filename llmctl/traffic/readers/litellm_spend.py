"""LiteLLM's spend logs: rows of the table of its proxy, with messages or, as is the default, with costs only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.readers.answers import read_any_response
from llmctl.traffic.readers.base import Document, Entry, SetAside
from llmctl.traffic.readers.failures import read_failure
from llmctl.traffic.readers.litellm_log import not_a_call, read_body, read_litellm_metadata, redact, set_tokens
from llmctl.traffic.readers.loose import between_ms, inner_documents
from llmctl.traffic.readers.values import decoded, epoch_s, json_text, mapping, number, text, texts

__all__ = ["LiteLLMSpend"]

COSTS_ONLY = "its messages were not logged (store_prompts_in_spend_logs is off in LiteLLM)"
_TRUNCATED = "its messages were cut by LiteLLM"
_MARK = "(litellm_truncated "
_KEPT = ("litellm_call_id", "call_type", "model_group", "model_id", "team_id", "organization_id", "agent_id")
_NO_USER = "default_user_id"
_ROW = {"request_id", "spend", "startTime"}


class LiteLLMSpend:
    """Rows of `LiteLLM_SpendLogs`."""

    name = "litellm_spend"
    title = "LiteLLM spend logs (rows of the proxy's table)"

    def recognises(self, value: Mapping[str, Any]) -> int:
        """By the names of its columns."""
        rows = _rows(value)
        if rows is not None:
            return 95 if rows and isinstance(rows[0], Mapping) and rows[0].keys() >= _ROW else 0
        return 98 if value.keys() >= _ROW else 0

    def read(self, documents: Iterable[Document]) -> Iterator[Entry | SetAside]:
        """One record for each row; also where it has no messages, since its cost and times count."""
        for document in documents:
            rows = _rows(document.value)
            for row in (document,) if rows is None else inner_documents(document, rows):
                yield _entry(row)


def _rows(value: Mapping[str, Any]) -> list[object] | None:
    """The rows of a page of the proxy's API."""
    found = value.get("data")
    return found if isinstance(found, list) else None


def _entry(row: Document) -> Entry | SetAside:
    if "spend" not in row.value and "startTime" not in row.value:
        return SetAside(row.line, "no row of LiteLLM's spend logs")
    kind = not_a_call(row.value)
    return SetAside(row.line, kind) if kind is not None else Entry(row.line, row.raw, _call(row.value))


def _call(value: Mapping[str, Any]) -> LoggedCall:
    call = LoggedCall(LiteLLMSpend.name)
    _read_asked(value, call)
    call.model = text(value.get("model")) or call.model
    call.provider = text(value.get("custom_llm_provider")) or call.provider
    metadata = mapping(value.get("metadata"))
    _read_answer(value, metadata, call)
    _read_times(value, call)
    call.source_id = text(value.get("request_id")) or text(value.get("litellm_call_id"))
    call.session_id = text(value.get("session_id"))
    call.endpoint = text(value.get("api_base"))
    user = text(value.get("user"))
    call.user = text(value.get("end_user")) or call.user or (user if user != _NO_USER else None)
    call.tags = texts(value.get("request_tags"))
    read_litellm_metadata(metadata, call)
    kept = {name: value[name] for name in _KEPT if value.get(name) not in (None, "")}
    if text(value.get("cache_hit")) == "True" or value.get("cache_hit") is True:
        kept["cache_hit"] = True
    call.metadata = {**call.metadata, **kept}
    redact(call)
    if call.messages is None:
        call.not_replayable = call.not_replayable or COSTS_ONLY
    elif _MARK in json_text(call.messages):
        call.not_replayable = _TRUNCATED
    return call


def _read_asked(value: Mapping[str, Any], call: LoggedCall) -> None:
    """The whole request stands in `proxy_server_request`, also as its `body`; `messages` are a part of it."""
    request = mapping(value.get("proxy_server_request"))
    body = mapping(request.get("body")) if isinstance(request.get("body"), Mapping | str) else request
    messages = body.get("messages", body.get("input")) or value.get("messages")
    rest = {name: item for name, item in body.items() if name not in ("messages", "input")}
    read_body({"model": value.get("model"), **rest}, messages, value, call)


def _read_answer(value: Mapping[str, Any], metadata: Mapping[str, Any], call: LoggedCall) -> None:
    status = text(value.get("status")) or text(metadata.get("status"))
    response = decoded(value.get("response"))
    failed = status == "failure"
    if failed:
        information = {name: item for name, item in mapping(metadata.get("error_information")).items() if item}
        information.pop("traceback", None)
        read_failure(information, call)
    elif response:
        read_any_response(value["response"], call)
    set_tokens(value, call, failed=failed)
    cost = number(value.get("spend"))
    call.cost_usd = None if failed and cost == 0 else cost


def _read_times(value: Mapping[str, Any], call: LoggedCall) -> None:
    call.started_at = epoch_s(value.get("startTime"))
    ended, begun = epoch_s(value.get("endTime")), epoch_s(value.get("completionStartTime"))
    taken = number(value.get("request_duration_ms"))
    call.latency_ms = between_ms(call.started_at, ended) if taken is None else taken
    if begun is not None and ended is not None and begun < ended:
        call.ttft_ms = between_ms(call.started_at, begun)
