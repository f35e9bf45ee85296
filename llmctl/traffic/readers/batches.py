"""Readers of batches, OpenAI's and Anthropic's: requests and results, in any order, joined on `custom_id`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from llmctl.outcome import Outcome
from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.readers.answers import Api, api_of_request, api_of_response, read_any_request, read_any_response
from llmctl.traffic.readers.base import Document, Entry, SetAside
from llmctl.traffic.readers.failures import read_failure
from llmctl.traffic.readers.values import count, mapping, text
from llmctl.traffic.readers.waiting import Waiting

__all__ = ["AnthropicBatch", "OpenAIBatch"]

NO_INPUT = "the batch's input with its custom_id is not among the files"
AMBIGUOUS = "several requests or results have its custom_id"
TWICE = "a line of a batch that is there twice"
_OTHER_PATHS = ("embeddings", "moderations", "images", "videos", "audio", "rerank")
_SURE = 95


class _Batch:
    name: ClassVar[str]
    title: ClassVar[str]

    def recognises(self, value: Mapping[str, Any]) -> int:
        """By `custom_id` and what stands beside it."""
        if "custom_id" not in value:
            return 0
        return _SURE if self._is_request(value) or self._is_result(value) else 0

    def read(self, documents: Iterable[Document]) -> Iterator[Entry | SetAside]:
        """One record for each `custom_id`: at the result's line where there is one, else at the request's."""
        requests, results = Waiting(), Waiting()
        for document in documents:
            value = document.value
            name, is_request = text(value.get("custom_id")), self._is_request(value)
            if name is None or not (is_request or self._is_result(value)):
                yield SetAside(document.line, "not a line of a batch")
            elif (other := self._other_kind(value)) is not None:
                yield SetAside(document.line, f"not a model call ({other})")
            else:
                own, others = (requests, results) if is_request else (results, requests)
                yield from self._joined(name, document, own, others)
        yield from map(self._alone, requests.rest())
        yield from map(self._alone, results.rest())

    def _joined(self, name: str, document: Document, own: Waiting, others: Waiting) -> Iterator[Entry | SetAside]:
        if own.holds(name, document.raw):
            yield SetAside(document.line, TWICE)
            return
        matches = others.take(name)
        if len(matches) == 1:
            pair = (document, matches[0]) if self._is_request(document.value) else (matches[0], document)
            yield self._pair(*pair)
        elif matches:
            yield from (self._alone(one, AMBIGUOUS) for one in (*matches, document))
        else:
            yield from map(self._alone, own.add(name, document))

    def _pair(self, request: Document, result: Document) -> Entry:
        call = self._call(request.value, result.value)
        return Entry(result.line, f"{request.raw}\n{result.raw}", call)

    def _alone(self, document: Document, reason: str = NO_INPUT) -> Entry:
        value = document.value
        if self._is_request(value):
            return Entry(document.line, document.raw, self._call(value, None))
        call = self._call(None, value)
        call.not_replayable = reason
        return Entry(document.line, document.raw, call)

    def _call(self, request: Mapping[str, Any] | None, result: Mapping[str, Any] | None) -> LoggedCall:
        call = LoggedCall(self.name)
        identity = text((request or result or {}).get("custom_id"))
        metadata: dict[str, object] = {"custom_id": identity}
        if request is not None:
            self._read_request(request, call)
        if result is not None:
            self._read_result(result, call, metadata)
        if call.source_id:
            metadata["response_id"] = call.source_id
        call.source_id = identity
        call.metadata = {**call.metadata, **metadata}
        return call

    def _is_request(self, value: Mapping[str, Any]) -> bool:
        raise NotImplementedError

    def _is_result(self, value: Mapping[str, Any]) -> bool:
        raise NotImplementedError

    def _other_kind(self, value: Mapping[str, Any]) -> str | None:
        """What a line is about that is no model call."""
        raise NotImplementedError

    def _read_request(self, value: Mapping[str, Any], call: LoggedCall) -> None:
        raise NotImplementedError

    def _read_result(self, value: Mapping[str, Any], call: LoggedCall, metadata: dict[str, object]) -> None:
        raise NotImplementedError


class OpenAIBatch(_Batch):
    """OpenAI's batch files: input, output and errors."""

    name = "openai_batch"
    title = "OpenAI batch (input, output and error files, joined)"

    def _is_request(self, value: Mapping[str, Any]) -> bool:
        return isinstance(value.get("body"), dict)

    def _is_result(self, value: Mapping[str, Any]) -> bool:
        return "response" in value or "error" in value

    def _other_kind(self, value: Mapping[str, Any]) -> str | None:
        if self._is_request(value):
            url = text(value.get("url")) or ""
            known = api_of_request(value["body"]) is not None or "prompt" in value["body"]
            other = any(f"/{name}" in url for name in _OTHER_PATHS)
            return None if known and not other else url.rpartition("/")[2] or "of an unknown kind"
        body = mapping(mapping(value.get("response")).get("body"))
        return "embeddings" if api_of_response(body) is Api.EMBEDDINGS else None

    def _read_request(self, value: Mapping[str, Any], call: LoggedCall) -> None:
        call.endpoint = text(value.get("url"))
        read_any_request(value["body"], call)

    def _read_result(self, value: Mapping[str, Any], call: LoggedCall, metadata: dict[str, object]) -> None:
        response = mapping(value.get("response"))
        call.status = count(response.get("status_code"))
        metadata |= {"batch_request_id": value["id"]} if value.get("id") else {}
        metadata |= {"request_id": response["request_id"]} if response.get("request_id") else {}
        body = response.get("body")
        if value.get("error"):
            _read_batch_error(mapping(value["error"]), call)
        elif call.status is not None and call.status >= 400:
            read_failure(body, call)
        elif body is not None:
            read_any_response(body, call)


def _read_batch_error(error: Mapping[str, Any], call: LoggedCall) -> None:
    read_failure(error, call)
    if error.get("code") in ("batch_expired", "batch_cancelled"):
        call.outcome = Outcome.SKIPPED


class AnthropicBatch(_Batch):
    """Anthropic's message batches: requests and results."""

    name = "anthropic_batch"
    title = "Anthropic message batches (requests and results, joined)"

    def _is_request(self, value: Mapping[str, Any]) -> bool:
        return isinstance(value.get("params"), dict)

    def _is_result(self, value: Mapping[str, Any]) -> bool:
        return isinstance(value.get("result"), dict)

    def _other_kind(self, value: Mapping[str, Any]) -> str | None:  # noqa: ARG002
        return None

    def _read_request(self, value: Mapping[str, Any], call: LoggedCall) -> None:
        from llmctl.traffic.readers.anthropic_shapes import read_anthropic_request

        read_anthropic_request(value["params"], call)

    def _read_result(self, value: Mapping[str, Any], call: LoggedCall, metadata: dict[str, object]) -> None:  # noqa: ARG002
        from llmctl.traffic.readers.anthropic_shapes import read_anthropic_response

        result = value["result"]
        call.provider = "anthropic"
        kind = result.get("type")
        if kind == "succeeded":
            read_anthropic_response(result.get("message"), call)
        elif kind in ("expired", "canceled"):
            call.outcome = Outcome.SKIPPED
            call.error = "The batch expired before it was sent." if kind == "expired" else "The batch was cancelled."
        else:
            read_failure(result.get("error"), call)
