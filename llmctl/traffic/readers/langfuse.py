"""Langfuse: observations, traces and scores, of its blob export, its API, and the CSV of its pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.readers.base import Document, Entry, SetAside
from llmctl.traffic.readers.langfuse_names import snake_keys
from llmctl.traffic.readers.langfuse_observations import TYPES, read_observation
from llmctl.traffic.readers.langfuse_scores import is_score, read_score
from llmctl.traffic.readers.langfuse_traces import Traces, is_trace
from llmctl.traffic.readers.loose import inner_documents
from llmctl.traffic.readers.values import text

__all__ = ["Langfuse"]

_OBSERVED = frozenset(
    [
        "parent_observation_id",
        "completion_start_time",
        "model_parameters",
        "usage_details",
        "cost_details",
        "provided_model_name",
        "internal_model_id",
        "prompt_name",
        "prompt_version",
        "status_message",
        "level",
        "prompt_id",
        "total_cost",
        "time_to_first_token",
        "start_time",
        "end_time",
        "bookmarked",
        "trace_name",
        "usage_pricing_tier_name",
        "calculated_total_cost",
    ]
)
_FEW = 4


class Langfuse:
    """Generations are calls, scores are feedback; from its trace a call has user, session and tags."""

    name = "langfuse"
    title = "Langfuse (observations, traces and scores: blob export, API, CSV)"

    def recognises(self, value: Mapping[str, Any]) -> int:
        """By the kind of observation, or the names of the columns."""
        page = _page(value)
        if page is not None:
            return 95 if page and isinstance(page[0], Mapping) and self.recognises(page[0]) else 0
        row = snake_keys(value)
        if "trace_id" in row and text(row.get("type")) in TYPES and not {"context", "attributes"} & row.keys():
            return 96
        if is_score(row):
            return 96
        if is_trace(row):
            return 90
        return 85 if "trace_id" in row and "messages" not in row and len(_OBSERVED & row.keys()) >= _FEW else 0

    def read(self, documents: Iterable[Document]) -> Iterator[Entry | SetAside]:
        """A record for each generation and score; the other kinds of observation are set aside by their kind."""
        traces = Traces()
        for document in documents:
            page = _page(document.value)
            for one in (document,) if page is None else inner_documents(document, page):
                yield from self._one(one, traces)
        yield from traces.rest()

    def _one(self, document: Document, traces: Traces) -> Iterator[Entry | SetAside]:
        row = snake_keys(document.value)
        if is_score(row):
            for said in read_score(row):
                yield Entry(document.line, document.raw, said)
        elif "trace_id" not in row and is_trace(row):
            yield from self._trace(document, row, traces)
        elif "trace_id" not in row and "type" not in row:
            yield SetAside(document.line, "neither an observation nor a score of Langfuse's")
        elif (kind := _kind(row)) != "GENERATION":
            yield SetAside(document.line, f"not a model call ({kind.lower()})")
        else:
            call = LoggedCall(self.name)
            read_observation(row, call)
            yield from traces.of(Entry(document.line, document.raw, call), call, row)

    def _trace(self, document: Document, row: Mapping[str, Any], traces: Traces) -> Iterator[Entry | SetAside]:
        """A trace, with observations and scores in it where the API gave it whole."""
        yield from traces.add(row)
        yield SetAside(document.line, "not a model call (trace)")
        for name in ("observations", "scores"):
            held = row.get(name)
            for one in inner_documents(document, held if isinstance(held, list) else ()):
                yield from self._one(one, traces)


def _page(value: Mapping[str, Any]) -> list[object] | None:
    """What a page of the API holds."""
    found = value.get("data")
    return found if isinstance(found, list) and "id" not in value else None


def _kind(row: Mapping[str, Any]) -> str:
    """The CSV of the page "Generations" says no kind."""
    kind = text(row.get("type"))
    if kind:
        return kind.upper()
    return "GENERATION" if text(row.get("model")) or text(row.get("provided_model_name")) else "observation"
