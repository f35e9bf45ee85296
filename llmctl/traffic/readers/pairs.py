"""Readers of lines that hold a request, or a request and its response: of OpenAI's two APIs and of Anthropic's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.readers.answers import Api
from llmctl.traffic.readers.base import Document, Entry, SetAside
from llmctl.traffic.readers.chains import Chains
from llmctl.traffic.readers.envelope import opened, read_envelope

__all__ = ["AnthropicMessages", "OpenAIChat", "OpenAIResponses"]

NO_REQUEST = "no messages were logged"
EMBEDDINGS = "not a model call (embeddings)"
_SURE, _LIKELY, _VAGUE = 80, 60, 40


_FORMATS = {Api.CHAT: "openai_chat", Api.RESPONSES: "openai_responses", Api.ANTHROPIC: "anthropic_messages"}


class _Pairs:
    """A line's bodies say which API it is, whatever the line or its neighbours call it: an envelope holds any."""

    name: ClassVar[str]
    title: ClassVar[str]
    api: ClassVar[Api]

    def recognises(self, value: Mapping[str, Any]) -> int:
        """By the shapes of request and response, wherever they stand."""
        envelope = opened(value)
        if envelope is None or envelope.api is not self.api:
            return 0
        if envelope.vague:
            return _VAGUE
        return _SURE if envelope.response is not None or len(envelope.used) == 2 else _LIKELY

    def read(self, documents: Iterable[Document]) -> Iterator[Entry | SetAside]:
        """One record for each line; a conversation that OpenAI kept is put together where all of it was logged."""
        chains = Chains()
        for one in self._records(documents):
            if (
                isinstance(one, Entry)
                and isinstance(one.record, LoggedCall)
                and one.record.format == OpenAIResponses.name
            ):
                yield from chains.add(one, one.record)
            else:
                yield one
        yield from chains.rest()

    def _records(self, documents: Iterable[Document]) -> Iterator[Entry | SetAside]:
        for document in documents:
            envelope = opened(document.value)
            if envelope is None:
                yield SetAside(document.line, NO_REQUEST)
            elif envelope.api is Api.EMBEDDINGS:
                yield SetAside(document.line, EMBEDDINGS)
            else:
                call = LoggedCall(_FORMATS[envelope.api or self.api])
                read_envelope(document.value, envelope, call)
                yield Entry(document.line, document.raw, call)


class OpenAIChat(_Pairs):
    """Chat completions."""

    name = "openai_chat"
    title = "OpenAI chat completions (request and response, or requests alone)"
    api = Api.CHAT


class AnthropicMessages(_Pairs):
    """Anthropic's messages."""

    name = "anthropic_messages"
    title = "Anthropic messages (request and response, or requests alone)"
    api = Api.ANTHROPIC


class OpenAIResponses(_Pairs):
    """OpenAI's Responses API."""

    name = "openai_responses"
    title = "OpenAI Responses API (request and response, or requests alone)"
    api = Api.RESPONSES
