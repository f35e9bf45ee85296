"""LangSmith: runs, of which those of kind llm are calls, and feedback."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llmctl.outcome import Outcome
from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.readers.base import Document, Entry, SetAside
from llmctl.traffic.readers.failures import read_failure
from llmctl.traffic.readers.langchain import read_usage_metadata
from llmctl.traffic.readers.langsmith_feedback import is_feedback, read_feedback
from llmctl.traffic.readers.loose import between_ms, inner_documents, read_answer, read_asked
from llmctl.traffic.readers.messages import tool_choice_from, tools_from
from llmctl.traffic.readers.notes import read_metadata
from llmctl.traffic.readers.openai_shapes import params_from, provider_of, response_format_from
from llmctl.traffic.readers.values import count, epoch_s, first, json_text, mapping, number, text, texts

__all__ = ["LangSmith"]

_RUN = frozenset(
    [
        "dotted_order",
        "trace_id",
        "parent_run_id",
        "session_id",
        "inputs",
        "outputs",
        "start_time",
        "child_run_ids",
        "app_path",
        "serialized",
    ]
)
_NOT_MESSAGES = "what was asked was not logged as messages"
_NOT_LOGGED = "no messages were logged"
_TRACEBACK = "Traceback (most recent call last)"
_SETTINGS = {"ls_temperature": "temperature", "ls_max_tokens": "max_tokens", "ls_stop": "stop"}
_NO_PARAMS = frozenset({"_type", "model_name", "model_id", "n", "streaming", "stop_sequences", "engine", "system"})
_MODELS = ("model", "model_name", "model_id", "deployment_name")
_MODEL_NOTES = "ls_"
_PROVIDERS = {
    "amazon_bedrock": "bedrock",
    "azure_openai": "azure",
    "google_genai": "gemini",
    "google_vertexai": "vertex_ai",
    "mistralai": "mistral",
    "together": "together_ai",
    "fireworks": "fireworks_ai",
}


class LangSmith:
    """Runs as the SDK and the bulk export write them, and feedback."""

    name = "langsmith"
    title = "LangSmith (runs and feedback)"

    def recognises(self, value: Mapping[str, Any]) -> int:
        """By the names of a run or of feedback."""
        held = value.get("runs")
        if isinstance(held, list):
            return 94 if held and isinstance(held[0], Mapping) and self.recognises(held[0]) else 0
        if "run_type" in value:
            return 98 if "dotted_order" in value else 95 if len(_RUN & value.keys()) >= 2 else 0
        return 95 if is_feedback(value) else 0

    def read(self, documents: Iterable[Document]) -> Iterator[Entry | SetAside]:
        """A record for each run of kind llm and each feedback; the other kinds of run are set aside by their kind."""
        for document in documents:
            held = document.value.get("runs")
            for one in inner_documents(document, held) if isinstance(held, list) else (document,):
                yield from _one(one)


def _one(document: Document) -> Iterator[Entry | SetAside]:
    value, line = document.value, document.line
    if "run_type" in value:
        kind = (text(value["run_type"]) or "unknown").lower()
        if kind == "llm":
            yield Entry(line, document.raw, _call(value))
        else:
            yield SetAside(line, f"not a model call ({kind})")
        held = value.get("child_runs")
        for child in inner_documents(document, held if isinstance(held, list) else ()):
            yield from _one(child)
    elif is_feedback(value):
        said = list(read_feedback(value))
        yield from (Entry(line, document.raw, one) for one in said)
        if not said:
            yield SetAside(line, "feedback that says nothing")
    else:
        yield SetAside(line, "neither a run nor feedback of LangSmith's")


def _call(value: Mapping[str, Any]) -> LoggedCall:
    call = LoggedCall(LangSmith.name)
    extra = mapping(value.get("extra"))
    about, invoked = mapping(extra.get("metadata")), mapping(extra.get("invocation_params"))
    given = value.get("inputs")
    if not read_asked(given, call):
        call.not_replayable = _NOT_MESSAGES if mapping(given) else _NOT_LOGGED
    _read_settings(about, invoked, call)
    _read_answer(value, call)
    _read_measures(value, call)
    _read_names(value, about, call)
    return call


def _read_settings(about: Mapping[str, Any], invoked: Mapping[str, Any], call: LoggedCall) -> None:
    """Model and parameters, from what LangChain was called with, else from what LangSmith notes of it."""
    named = text(first(invoked, _MODELS)) or text(about.get("ls_model_name"))
    call.model = call.model or named
    provider = text(about.get("ls_provider"))
    call.provider = _PROVIDERS.get(provider, provider) if provider else call.provider or provider_of(call.model)
    noted = {ours: about[theirs] for theirs, ours in _SETTINGS.items() if about.get(theirs) is not None}
    given = {name: item for name, item in params_from(invoked).items() if name not in _NO_PARAMS}
    # The older `max_tokens` and its successor are one setting.
    if "max_completion_tokens" in given or "max_completion_tokens" in call.params:
        noted.pop("max_tokens", None)
    call.params = {**noted, **given, **call.params}
    call.tools = call.tools or tools_from(invoked.get("tools") or invoked.get("functions"))
    call.tool_choice = call.tool_choice or tool_choice_from(invoked.get("tool_choice"))
    call.response_format = call.response_format or response_format_from(invoked.get("response_format"))


def _read_answer(value: Mapping[str, Any], call: LoggedCall) -> None:
    error = text(value.get("error"))
    outputs = mapping(value.get("outputs"))
    started = call.started_at
    if error:
        read_failure(error.partition(_TRACEBACK)[0] or error, call)
    elif text(value.get("status")) == "error":
        read_failure(None, call)
    elif outputs:
        # A traced function of the application's own is logged with its return value under this name.
        alone = outputs.get("output") if outputs.keys() <= {"output", "usage_metadata"} else None
        read_answer(outputs if alone is None else alone, call)
        read_usage_metadata(outputs.get("usage_metadata"), call)
    elif isinstance(value.get("outputs"), str) and value["outputs"]:
        read_answer(value["outputs"], call)
    call.started_at = started
    if call.outcome is Outcome.MALFORMED:
        call.output = json_text(outputs)


def _read_measures(value: Mapping[str, Any], call: LoggedCall) -> None:
    call.started_at = epoch_s(value.get("start_time"))
    call.latency_ms = between_ms(call.started_at, epoch_s(value.get("end_time")))
    call.ttft_ms = between_ms(call.started_at, epoch_s(value.get("first_token_time")))
    asked, made = count(value.get("prompt_tokens")), count(value.get("completion_tokens"))
    # The run's own counts are 0 where LangSmith found none.
    if asked or made:
        call.input_tokens, call.output_tokens = asked, made
    cached = count(mapping(value.get("prompt_token_details")).get("cache_read"))
    thought = count(mapping(value.get("completion_token_details")).get("reasoning"))
    call.cached_tokens = call.cached_tokens if cached is None else cached
    call.reasoning_tokens = call.reasoning_tokens if thought is None else thought
    call.cost_usd = number(value.get("total_cost"))


def _read_names(value: Mapping[str, Any], about: Mapping[str, Any], call: LoggedCall) -> None:
    """`session_id` is LangSmith's word for a project: that of a conversation stands in the metadata."""
    call.source_id = text(value.get("id")) or call.source_id
    call.trace_id = text(value.get("trace_id"))
    call.parent_id = text(value.get("parent_run_id"))
    call.tags = texts(value.get("tags"))
    call.prompt_name = text(about.get("lc_hub_repo"))
    call.prompt_version = text(about.get("lc_hub_commit_hash"))
    read_metadata({name: item for name, item in about.items() if not name.startswith(_MODEL_NOTES)}, call)
    kept = {"name": value.get("name"), "project_id": value.get("session_id"), "project": value.get("session_name")}
    kept["feedback_stats"] = mapping(value.get("feedback_stats"))
    call.metadata = {**call.metadata, **{name: item for name, item in kept.items() if item}}
