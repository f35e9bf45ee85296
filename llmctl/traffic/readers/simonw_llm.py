"""simonw/llm: turns of conversations, of `llm logs --json` and of its database."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from llmctl.outcome import Outcome
from llmctl.traffic.logged_call import LoggedCall, Message
from llmctl.traffic.readers.base import Document, Entry, SetAside
from llmctl.traffic.readers.endings import finish_reason_from, read_ending
from llmctl.traffic.readers.messages import messages_from, tool_calls_from, tools_from
from llmctl.traffic.readers.openai_shapes import params_from, provider_of, response_format_from
from llmctl.traffic.readers.simonw_llm_content import MISSING_ATTACHMENT, with_attachments, with_fragments
from llmctl.traffic.readers.simonw_llm_database import database_documents
from llmctl.traffic.readers.values import count, decoded, epoch_s, json_text, mapping, number, text

__all__ = ["SimonwLLM", "database_documents"]

_TURN = frozenset({"options_json", "datetime_utc", "duration_ms", "conversation_id", "response_json", "token_details"})
_MOST_CONVERSATIONS = 20_000
_NOT_ALL = "earlier turns of its conversation are not in the log"


class SimonwLLM:
    """Turns. Within one import a turn follows on the earlier ones of its conversation."""

    name = "simonw_llm"
    title = "simonw/llm (its database, and llm logs --json)"

    def recognises(self, value: Mapping[str, Any]) -> int:
        """By the names of its columns."""
        return 97 if len(_TURN & value.keys()) >= 3 and {"model", "response"} & value.keys() else 0

    def read(self, documents: Iterable[Document]) -> Iterator[Entry | SetAside]:
        """One record for each turn."""
        history: OrderedDict[str, tuple[Message, ...]] = OrderedDict()
        for document in documents:
            if not {"prompt", "response", "messages"} & document.value.keys():
                yield SetAside(document.line, "no turn of llm's")
                continue
            call = _call(document.value, history)
            yield Entry(document.line, document.raw, call)
            if len(history) > _MOST_CONVERSATIONS:
                history.popitem(last=False)


def _call(value: Mapping[str, Any], history: OrderedDict[str, tuple[Message, ...]]) -> LoggedCall:
    call = LoggedCall(SimonwLLM.name)
    call.source_id = text(value.get("id"))
    call.session_id = text(value.get("conversation_id"))
    before = history.get(call.session_id or "", ())
    call.messages = _asked(value, before, call)
    _read_settings(value, call)
    _read_answer(value, call)
    _read_measures(value, call)
    if call.messages is None:
        call.not_replayable = "no messages were logged"
    elif call.session_id:
        history[call.session_id] = (*call.messages, *_answered(call))
        history.move_to_end(call.session_id)
    name = text(value.get("conversation_name"))
    call.metadata = {"conversation_name": name} if name else {}
    return call


def _asked(value: Mapping[str, Any], before: Sequence[Message], call: LoggedCall) -> tuple[Message, ...] | None:
    """The messages that were sent: as they were kept, else the turn's own behind those of the conversation."""
    kept = value.get("messages")
    if isinstance(kept, list):  # of a database of today, with all turns before
        call.not_replayable = text(value.get("not_replayable"))
        return messages_from(kept)
    sent = mapping(value.get("prompt_json")).get("messages")
    if isinstance(sent, list) and sent and '"$"' not in json_text(sent):
        return messages_from(sent)
    own = list(_own(value, before, call))
    return messages_from([*before, *own]) if own else None


def _own(value: Mapping[str, Any], before: Sequence[Message], call: LoggedCall) -> Iterator[Message]:
    system = with_fragments(text(value.get("system")), value.get("system_fragments"), call)
    if system and not any(one["role"] == "system" and one["content"] == system for one in before):
        yield {"role": "system", "content": system}
    results = value.get("tool_results")
    if isinstance(results, list):
        if results and not before:
            call.not_replayable = _NOT_ALL
        for one in map(mapping, results):
            yield {
                "role": "tool",
                "tool_call_id": text(one.get("tool_call_id")) or "call_0",
                "content": text(one.get("output")) or "",
            }
    prompt = with_fragments(text(value.get("prompt")), value.get("prompt_fragments"), call)
    content, whole = with_attachments(prompt, value.get("attachments"))
    if not whole:
        call.not_replayable = MISSING_ATTACHMENT
    if content:
        yield {"role": "user", "content": content}


def _read_settings(value: Mapping[str, Any], call: LoggedCall) -> None:
    call.model = text(value.get("model"))
    call.provider = provider_of(call.model)
    call.params = params_from(mapping(value.get("options_json")))
    call.tools = tools_from([_tool(mapping(one)) for one in _list(value.get("tools"))])
    schema = mapping(value.get("schema_json"))
    if schema:
        call.response_format = response_format_from(
            {"type": "json_schema", "json_schema": {"name": "output", "schema": schema}}
        )


def _list(value: object) -> list[Any]:
    found = decoded(value)
    return found if isinstance(found, list) else []


def _tool(one: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": one.get("name"), "description": one.get("description"), "parameters": one.get("input_schema")}


def _read_answer(value: Mapping[str, Any], call: LoggedCall) -> None:
    calls = tool_calls_from([_tool_call(mapping(one)) for one in _list(value.get("tool_calls"))])
    response = mapping(value.get("response_json"))
    held = response.get("choices")
    choice = mapping(held[0]) if isinstance(held, list) and held else {}
    reason = finish_reason_from(
        choice.get("finish_reason") or response.get("finish_reason") or response.get("stop_reason")
    )
    refusal = mapping(choice.get("message")).get("refusal")
    said = value.get("response")
    if said is None and not calls and not reason:
        return
    read_ending(call, said if isinstance(said, str) and (said or not calls) else None, calls, reason, text(refusal))
    call.served_model = text(value.get("resolved_model")) or text(response.get("model"))


def _tool_call(one: Mapping[str, Any]) -> dict[str, Any]:
    if "function" in one:
        return dict(one)
    return {"id": one.get("tool_call_id") or one.get("id"), "name": one.get("name"), "arguments": one.get("arguments")}


def _answered(call: LoggedCall) -> Iterator[Message]:
    if call.outcome in (Outcome.ANSWERED, Outcome.TRUNCATED, Outcome.REFUSED):
        message: dict[str, object] = {"role": "assistant", "content": call.output}
        if call.tool_calls:
            message["tool_calls"] = list(call.tool_calls)
        yield message


def _read_measures(value: Mapping[str, Any], call: LoggedCall) -> None:
    call.started_at = epoch_s(value.get("datetime_utc"))
    call.latency_ms = number(value.get("duration_ms"))
    call.input_tokens, call.output_tokens = count(value.get("input_tokens")), count(value.get("output_tokens"))
    details = mapping(value.get("token_details"))
    asked = mapping(details.get("prompt_tokens_details") or details.get("input_tokens_details"))
    made = mapping(details.get("completion_tokens_details") or details.get("output_tokens_details"))
    cached = count(asked.get("cached_tokens"))
    call.cached_tokens = count(details.get("cache_read_input_tokens")) if cached is None else cached
    call.reasoning_tokens = count(made.get("reasoning_tokens"))
