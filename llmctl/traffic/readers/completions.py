"""Reader of responses without their requests: stored completions, Responses and messages, saved as they came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.readers.answers import Api, api_of_request, api_of_response, read_any_response
from llmctl.traffic.readers.base import Document, Entry, SetAside
from llmctl.traffic.readers.chunks import joined_chunks
from llmctl.traffic.readers.messages import messages_from, tool_choice_from, tools_from
from llmctl.traffic.readers.notes import read_metadata
from llmctl.traffic.readers.openai_shapes import params_from, provider_of, response_format_from
from llmctl.traffic.readers.values import json_text, mapping, text
from llmctl.traffic.readers.waiting import Waiting

__all__ = ["Completions"]

NO_REQUEST = "what was asked was not logged"
NO_STORED_MESSAGES = "what was asked is kept at the provider: export its messages too (/chat/completions/ID/messages)"
NO_COMPLETION = "messages of a stored completion that is not among the files"
_ECHOED = ("temperature", "top_p", "seed", "presence_penalty", "frequency_penalty")
_CHUNK = "chat.completion.chunk"
_SURE = 70


class Completions:
    """Responses without requests."""

    name = "openai_stored"
    title = "Responses without requests (OpenAI's stored completions, saved responses)"

    def recognises(self, value: Mapping[str, Any]) -> int:
        """By the shape of a response, without anything that was asked; or a list of stored messages."""
        if _stored_messages(value) is not None:
            return _SURE
        return _SURE if api_of_response(value) not in (None, Api.EMBEDDINGS) and api_of_request(value) is None else 0

    def read(self, documents: Iterable[Document]) -> Iterator[Entry | SetAside]:
        """One record for each response; messages that were exported apart are joined by the completion's id."""
        completions, messages = Waiting(), Waiting()
        chunks: list[Document] = []
        for document in documents:
            if chunks and not _continues(chunks[0], document):
                yield _streamed(chunks)
                chunks = []
            if document.value.get("object") == _CHUNK:
                chunks.append(document)
            else:
                yield from self._one(document, completions, messages)
        if chunks:
            yield _streamed(chunks)
        yield from (_entry(one, None) for one in completions.rest())
        yield from (SetAside(one.line, NO_COMPLETION) for one in messages.rest())

    def _one(self, document: Document, completions: Waiting, messages: Waiting) -> Iterator[Entry | SetAside]:
        stored = _stored_messages(document.value)
        if stored is not None:
            found = completions.take(stored)
            if found:
                yield from (_entry(one, document) for one in found)
            else:
                yield from (SetAside(one.line, NO_COMPLETION) for one in messages.add(stored, document))
        elif api_of_response(document.value) in (None, Api.EMBEDDINGS):
            yield SetAside(document.line, "neither a request nor a response")
        elif not _awaits(document.value):
            yield _entry(document, None)
        else:
            name = str(document.value.get("id"))
            found = messages.take(name)
            if found:
                yield _entry(document, found[0])
            else:
                yield from (_entry(one, None) for one in completions.add(name, document))


def _stored_messages(value: Mapping[str, Any]) -> str | None:
    """The id of the completion whose messages this list holds (they are named after it: `chatcmpl-x-0`)."""
    data = value.get("data")
    if value.get("object") != "list" or not isinstance(data, list) or not data:
        return None
    first = mapping(data[0])
    identity = text(first.get("id"))
    return identity.rpartition("-")[0] if "role" in first and identity else None


def _is_stored(value: Mapping[str, Any]) -> bool:
    """Whether it comes from the list of stored completions, which repeats some of what was asked."""
    return "input_user" in value or "request_id" in value or "_messages" in value


def _awaits(value: Mapping[str, Any]) -> bool:
    return _is_stored(value) and "_messages" not in value and "id" in value


def _entry(document: Document, messages: Document | None) -> Entry:
    value = document.value
    call = LoggedCall(Completions.name)
    read_any_response(value, call)
    _read_echo(value, call)
    beside = messages.value if messages is not None else value.get("_messages", value.get("messages"))
    data = beside.get("data") if isinstance(beside, dict) else beside
    call.messages = messages_from([_stored(one) for one in data]) if isinstance(data, list) else None
    if call.messages is None:
        call.not_replayable = NO_STORED_MESSAGES if _is_stored(value) else NO_REQUEST
    raw = document.raw if messages is None else f"{document.raw}\n{messages.raw}"
    return Entry(document.line, raw, call)


def _stored(message: object) -> object:
    """A stored message; content of several parts stands beside it."""
    if not isinstance(message, dict):
        return message
    return {**message, "content": message.get("content_parts") or message.get("content")}


def _read_echo(value: Mapping[str, Any], call: LoggedCall) -> None:
    """What a response repeats of its request."""
    call.provider = call.provider or ("anthropic" if value.get("type") == "message" else provider_of(call.served_model))
    call.tools = tools_from(value.get("tools"))
    call.tool_choice = tool_choice_from(value.get("tool_choice"))
    call.response_format = response_format_from(value.get("response_format"))
    call.params = params_from({name: value.get(name) for name in _ECHOED})
    read_metadata(mapping(value.get("metadata")), call)
    call.user = call.user or text(value.get("input_user"))


# --- a stream, one chunk a line ---------------------------------------------------------------------------------------


def _continues(first: Document, document: Document) -> bool:
    value = document.value
    return value.get("object") == _CHUNK and value.get("id") == first.value.get("id")


def _streamed(chunks: list[Document]) -> Entry:
    first = chunks[0]
    whole = Document(
        {**(joined_chunks([one.value for one in chunks]) or {})}, json_text([one.value for one in chunks]), first.line
    )
    return _entry(whole, None)
