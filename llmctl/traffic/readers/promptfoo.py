"""promptfoo's results: the file that `--output` writes, of any version, and one result a line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmctl.outcome import Outcome
from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.readers.base import Document, Entry, SetAside
from llmctl.traffic.readers.endings import REFUSED, finish_reason_from
from llmctl.traffic.readers.failures import read_failure
from llmctl.traffic.readers.loose import inner_documents, read_answer
from llmctl.traffic.readers.messages import messages_from, tool_choice_from, tools_from
from llmctl.traffic.readers.openai_shapes import params_from, provider_of, response_format_from
from llmctl.traffic.readers.promptfoo_grades import grades
from llmctl.traffic.readers.promptfoo_providers import provider_and_model
from llmctl.traffic.readers.values import count, decoded, epoch_s, mapping, number, text

__all__ = ["Promptfoo"]

_RESULT = frozenset(
    [
        "promptIdx",
        "testIdx",
        "testCase",
        "gradingResult",
        "namedScores",
        "failureReason",
        "promptId",
        "success",
        "score",
    ]
)
_SUMMARY = frozenset({"version", "stats", "table", "prompts"})
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.Z]|$)")
_LONGEST_NAME = 120
_ERROR = 2
_NO_PARAMS = frozenset({"apiKey", "apiKeyEnvar", "apiHost", "apiBaseUrl", "showThinking", "passthrough", "cost"})


@dataclass(slots=True)
class _Eval:
    """What stands once for all results of a file."""

    eval_id: str | None = None
    at: float | None = None
    prompts: list[Any] = field(default_factory=list)
    configs: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """Of each provider, by its id and by its label."""


class Promptfoo:
    """Results of an eval. `success`, `score` and named scores are kept as feedback of source `code` or `model`."""

    name = "promptfoo"
    title = "promptfoo results (JSON and JSONL)"

    def recognises(self, value: Mapping[str, Any]) -> int:
        """By the names of an output file, or of a result."""
        results = value.get("results")
        if isinstance(results, Mapping) and isinstance(results.get("results"), list):
            return 98 if _SUMMARY & results.keys() else 80
        if isinstance(results, list):
            return 95 if "version" in value and results and _is_result(results[0]) else 0
        return 97 if _is_result(value) else 0

    def read(self, documents: Iterable[Document]) -> Iterator[Entry | SetAside]:
        """One record for each result."""
        for document in documents:
            value = document.value
            about, results = _opened(value)
            if results is None:
                if _is_result(value):
                    yield Entry(document.line, document.raw, _call(value, about))
                else:
                    yield SetAside(document.line, "no result of promptfoo's")
            elif not results:
                yield SetAside(document.line, "an eval without results")
            for one in inner_documents(document, results or ()):
                yield Entry(one.line, one.raw, _call(one.value, about))


def _is_result(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    found = _RESULT & value.keys()
    return "promptIdx" in found or (isinstance(value.get("prompt"), Mapping) and "vars" in value and "success" in found)


def _opened(value: Mapping[str, Any]) -> tuple[_Eval, list[Any] | None]:
    """The results of a file, and what it says of them all; None: it is a result itself."""
    results = value.get("results")
    inner = results if isinstance(results, Mapping) else value
    found = inner.get("results")
    eval_id = text(value.get("evalId")) or text(mapping(value.get("metadata")).get("evalId"))
    stamp = _TIME.search(eval_id or "")
    at = (
        epoch_s(inner.get("timestamp")) or epoch_s(value.get("createdAt")) or epoch_s(f"{stamp[1]}Z" if stamp else None)
    )
    prompts = inner.get("prompts")
    about = _Eval(eval_id, at, prompts if isinstance(prompts, list) else [], _configs(mapping(value.get("config"))))
    return about, found if isinstance(found, list) else None


def _configs(config: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    providers = config.get("providers")
    for one in providers if isinstance(providers, list) else ():
        if not isinstance(one, Mapping):
            continue
        named = [one] if "id" in one else [{"id": name, **mapping(rest)} for name, rest in one.items()]
        for each in named:
            for key in (text(each.get("id")), text(each.get("label"))):
                if key and isinstance(each.get("config"), Mapping):
                    found[key] = each["config"]
    return found


def _call(value: Mapping[str, Any], about: _Eval) -> LoggedCall:
    call = LoggedCall(Promptfoo.name)
    prompt = mapping(value.get("prompt"))
    call.messages = messages_from(decoded(prompt.get("raw")))
    if call.messages is None:
        call.not_replayable = "no messages were logged"
    _read_provider(value, prompt, about, call)
    response = mapping(value.get("response"))
    _read_answer(value, response, call)
    _read_measures(value, response, about, call)
    _read_names(value, prompt, about, call)
    call.feedback = tuple(grades(value))
    return call


def _read_provider(value: Mapping[str, Any], prompt: Mapping[str, Any], about: _Eval, call: LoggedCall) -> None:
    provider = value.get("provider")
    named = mapping(provider) if isinstance(provider, Mapping) else {"id": provider}
    identity, label = text(named.get("id")), text(named.get("label"))
    call.provider, call.model = provider_and_model(identity)
    call.provider = call.provider or provider_of(call.model)
    known = about.configs.get(label or "") or about.configs.get(identity or "") or {}
    config = {**known, **mapping(named.get("config")), **mapping(prompt.get("config"))}
    if not config:
        return
    call.tools = tools_from(config.get("tools") or config.get("functions"))
    call.tool_choice = tool_choice_from(config.get("tool_choice"))
    call.response_format = response_format_from(config.get("response_format"))
    call.params = {name: item for name, item in params_from(config).items() if name not in _NO_PARAMS}


def _read_answer(value: Mapping[str, Any], response: Mapping[str, Any], call: LoggedCall) -> None:
    """`error` of a result whose assertions failed says which: only of one that failed itself it is an error."""
    error = response.get("error")
    output = response.get("output")
    failed = count(value.get("failureReason")) == _ERROR
    if failed or (output is None and not error and "failureReason" not in value):
        error = error or value.get("error")
    if error:
        read_failure(error, call, count(mapping(mapping(response.get("metadata")).get("http")).get("status")))
        return
    if output is None:
        return
    read_answer(output, call)
    reason = finish_reason_from(response.get("finishReason"))
    call.finish_reason = call.finish_reason or reason
    if response.get("isRefusal") is True and call.outcome in (Outcome.ANSWERED, Outcome.EMPTY):
        call.outcome, call.error = Outcome.REFUSED, REFUSED
    elif reason == "length" and call.outcome is Outcome.ANSWERED:
        call.outcome = Outcome.TRUNCATED
    elif reason == "content_filter":
        call.outcome = Outcome.FILTERED


def _read_measures(value: Mapping[str, Any], response: Mapping[str, Any], about: _Eval, call: LoggedCall) -> None:
    """An answer from promptfoo's cache was neither waited nor paid for: its latency and cost are unknown."""
    call.started_at = about.at
    cached = response.get("cached") is True
    latency = number(response.get("latencyMs"))
    call.latency_ms = number(value.get("latencyMs")) if latency is None and not cached else latency
    cost = number(response.get("cost"))
    cost = number(value.get("cost")) if cost is None else cost
    call.cost_usd = None if cost == 0 and (cached or not response.get("cost")) else cost
    used = mapping(response.get("tokenUsage")) or mapping(value.get("tokenUsage"))
    asked, made = count(used.get("prompt")), count(used.get("completion"))
    if asked or made:
        call.input_tokens, call.output_tokens = asked, made
    call.reasoning_tokens = count(mapping(used.get("completionDetails")).get("reasoning"))


def _read_names(value: Mapping[str, Any], prompt: Mapping[str, Any], about: _Eval, call: LoggedCall) -> None:
    index = count(value.get("promptIdx"))
    eval_id = text(value.get("evalId")) or about.eval_id
    call.source_id = text(value.get("id"))
    if call.source_id is None and eval_id and index is not None:
        call.source_id = f"{eval_id}:{value.get('testIdx')}:{index}"
    call.trace_id = text(value.get("traceId"))
    call.session_id = text(mapping(_beside(value)).get("sessionId"))
    declared = about.prompts[index] if index is not None and index < len(about.prompts) else None
    call.prompt_name = _prompt_name(mapping(declared)) or _prompt_name(prompt)
    variables = mapping(value.get("vars")) or mapping(mapping(value.get("testCase")).get("vars"))
    call.variables = {name: item for name, item in variables.items() if not name.startswith("_")} or None
    kept = {"eval_id": eval_id, "prompt_id": value.get("promptId"), "test_index": value.get("testIdx")}
    kept["description"] = value.get("description") or mapping(value.get("testCase")).get("description")
    kept.update(mapping(mapping(value.get("testCase")).get("metadata")))
    if mapping(value.get("response")).get("cached") is True:
        kept["cached"] = True
    call.metadata = {name: item for name, item in kept.items() if item is not None and item != ""}


def _beside(value: Mapping[str, Any]) -> object:
    """What a provider said beside its answer."""
    return mapping(value.get("metadata")) or mapping(value.get("response")).get("metadata")


def _prompt_name(prompt: Mapping[str, Any]) -> str | None:
    """The file of a prompt or the name that was given to it; a label that is the prompt's text itself is none."""
    label, raw = text(prompt.get("label")), text(prompt.get("raw"))
    if not label or label == raw:
        return None
    head = label.partition(": ")[0] if "\n" in label or "{{" in label or len(label) > _LONGEST_NAME else label
    return head if head and "\n" not in head and "{{" not in head and len(head) <= _LONGEST_NAME else None
