"""A span with the attributes of OpenTelemetry's GenAI conventions, old and new, or OpenLLMetry's, as a record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmctl.traffic.logged_call import LoggedCall, Message
from llmctl.traffic.readers.attributes import Attributes
from llmctl.traffic.readers.content import text_in
from llmctl.traffic.readers.endings import finish_reason_from, read_ending
from llmctl.traffic.readers.genai_messages import genai_messages, system_text
from llmctl.traffic.readers.messages import messages_from, tool_calls_from, tools_from
from llmctl.traffic.readers.notes import read_metadata
from llmctl.traffic.readers.openai_shapes import provider_of, response_format_from
from llmctl.traffic.readers.tracing import provider_from, read_asked, read_said
from llmctl.traffic.readers.values import count, decoded, mapping, number, text, texts

__all__ = [
    "CUT",
    "genai_kind",
    "is_openllmetry",
    "legacy_message",
    "read_genai",
    "read_genai_content",
    "read_message_answer",
    "read_origin",
]

CUT = "the messages were cut off when they were logged (OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT)"

_CALLS = frozenset(
    {"chat", "generate_content", "text_completion", "completion", "generate_text", "messages", "responses"}
)
_CALLS_OF_VERCEL = frozenset(
    {"ai.generateText.doGenerate", "ai.streamText.doStream", "ai.generateObject.doGenerate", "ai.streamObject.doStream"}
)
_PARAMS = {
    "temperature": ("gen_ai.request.temperature", "llm.temperature"),
    "top_p": ("gen_ai.request.top_p", "llm.top_p"),
    "top_k": ("gen_ai.request.top_k", "llm.top_k"),
    "max_tokens": ("gen_ai.request.max_tokens", "llm.request.max_tokens"),
    "seed": ("gen_ai.request.seed", "gen_ai.openai.request.seed"),
    "frequency_penalty": ("gen_ai.request.frequency_penalty", "llm.frequency_penalty"),
    "presence_penalty": ("gen_ai.request.presence_penalty", "llm.presence_penalty"),
    "stop": ("gen_ai.request.stop_sequences", "llm.chat.stop_sequences"),
    "n": ("gen_ai.request.choice.count", "gen_ai.openai.request.choice.count"),
    "reasoning_effort": ("gen_ai.request.reasoning_effort", "gen_ai.request.reasoning.effort"),
}
_OPENLLMETRY = (
    # With their numbers: `gen_ai.prompt.name` is OpenTelemetry's own.
    *("gen_ai.prompt.0", "gen_ai.completion.0", "llm.prompts", "llm.completions", "traceloop", "llm.request.type"),
    *("gen_ai.is_streaming", "llm.is_streaming", "llm.usage", "gen_ai.usage.total_tokens", "gen_ai.openai.api_base"),
    "gen_ai.request.structured_output_schema",
)
_INPUTS = ("gen_ai.input.messages", "gen_ai.prompt", "llm.prompts")
_OUTPUTS = ("gen_ai.output.messages", "gen_ai.completion", "llm.completions")


def genai_kind(found: Attributes) -> str | None:
    """`call` of a call of a model, the operation's name of anything else; None: no GenAI attributes."""
    operation = text(found.get("gen_ai.operation.name", "llm.request.type"))
    if operation:
        return "call" if operation.lower() in _CALLS else operation
    if vercel := text(found.get("ai.operationId")):
        return "call" if vercel in _CALLS_OF_VERCEL else vercel
    if kind := text(found.get("traceloop.span.kind")):
        return "call" if kind.lower() == "llm" else kind
    names = ("gen_ai.request.model", "gen_ai.response.model", "llm.request.model", *_INPUTS, *_OUTPUTS)
    return "call" if found.has(*names) else None


def is_openllmetry(found: Attributes) -> bool:
    """Whether OpenLLMetry wrote it rather than one of OpenTelemetry's own instrumentations."""
    return found.has(*_OPENLLMETRY)


def read_genai(found: Attributes, call: LoggedCall) -> None:
    """Take all that stands in attributes into the record, but for how it ended."""
    call.provider = call.provider or provider_from(found.get("gen_ai.provider.name", "gen_ai.system", "llm.vendor"))
    call.model = text(found.get("gen_ai.request.model", "llm.request.model", "ai.model.id"))
    call.served_model = text(found.get("gen_ai.response.model", "llm.response.model"))
    call.provider = call.provider or provider_of(call.model)
    call.params = {name: value for name, places in _PARAMS.items() if (value := found.get(*places)) is not None}
    call.endpoint = text(found.get("gen_ai.openai.api_base", "server.address"))
    _read_format(found, call)
    _read_usage(found, call)
    _read_prompt(found, call)
    if response_id := text(found.get("gen_ai.response.id", "ai.response.id")):
        call.metadata = {**call.metadata, "response_id": response_id}
    first_s = number(found.get("gen_ai.response.time_to_first_chunk", "gen_ai.server.time_to_first_token"))
    if first_s is not None:
        call.ttft_ms = first_s * 1e3
    read_genai_content(found, call)


def read_origin(found: Attributes, resource: Attributes, call: LoggedCall) -> None:
    """Take who, where and in which conversation, of whichever convention."""
    own = "traceloop.association.properties."
    call.session_id = text(found.get("gen_ai.conversation.id", "session.id", f"{own}session_id", "langfuse.session.id"))
    call.user = text(found.get("user.id", "enduser.id", f"{own}user_id", "langfuse.user.id"))
    names = ("deployment.environment.name", "deployment.environment", "langfuse.environment")
    call.environment = text(found.get(*names)) or text(resource.get(*names))
    call.tags = texts(found.get("tag.tags", "tags", "langfuse.trace.tags"))
    if service := text(resource.get("service.name")):
        call.metadata = {**call.metadata, "service_name": service}
    for place in ("metadata", "traceloop.association.properties"):
        read_metadata(found.under(place), call)


def _read_format(found: Attributes, call: LoggedCall) -> None:
    schema = mapping(
        found.get("gen_ai.request.structured_output_schema", "gen_ai.openai.request.response_format_schema")
    )
    if schema:
        call.response_format = _format(schema)
        return
    kind = found.get("gen_ai.openai.request.response_format")
    if kind == "json_schema":
        call.not_replayable = "the JSON schema of its answer was not logged"
    elif kind == "json_object" or found.get("gen_ai.output.type") == "json":
        call.response_format = {"type": "json_object"}


def _format(schema: Mapping[str, Any]) -> Mapping[str, object] | None:
    if schema.get("type") in ("json_object", "json_schema", "text"):
        return response_format_from(schema)
    return {"type": "json_schema", "json_schema": {"name": "output", "schema": schema}}


def _read_usage(found: Attributes, call: LoggedCall) -> None:
    old, vercel = "llm.usage.", "ai.usage."
    call.input_tokens = count(
        found.get(
            "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", f"{old}prompt_tokens", f"{vercel}promptTokens"
        )
    )
    call.output_tokens = count(
        found.get(
            "gen_ai.usage.output_tokens",
            "gen_ai.usage.completion_tokens",
            f"{old}completion_tokens",
            f"{vercel}completionTokens",
        )
    )
    call.cached_tokens = count(
        found.get(
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_read_input_tokens",
            "gen_ai.usage.details.cached_tokens",
        )
    )
    call.reasoning_tokens = count(
        found.get(
            "gen_ai.usage.reasoning.output_tokens",
            "gen_ai.usage.reasoning_tokens",
            "gen_ai.usage.details.reasoning_tokens",
        )
    )
    call.cost_usd = number(found.get("gen_ai.usage.cost", "operation.cost", "gen_ai.usage.total_cost"))


def _read_prompt(found: Attributes, call: LoggedCall) -> None:
    call.prompt_name = text(found.get("gen_ai.prompt.name", "traceloop.prompt.key", "langfuse.observation.prompt.name"))
    call.prompt_version = text(
        found.get("gen_ai.prompt.version", "traceloop.prompt.version", "langfuse.observation.prompt.version")
    )
    call.variables = found.under("traceloop.prompt.template_variables") or None


# --- content ----------------------------------------------------------------------------------------------------------


def read_genai_content(found: Attributes, call: LoggedCall) -> None:
    """Take messages, tools and the answer into the record, wherever in the attributes they stand."""
    _read_input(found, call)
    definitions = found.get(
        "gen_ai.tool.definitions", "gen_ai.request.tools", "llm.request.functions", "ai.prompt.tools"
    )
    tools = tools_from(definitions) or tools_from(found.items("llm.request.functions"))
    if tools:
        call.tools = tools
    _read_output(found, call)


def _read_input(found: Attributes, call: LoggedCall) -> None:
    if request := found.get("request_data"):  # Logfire keeps the request itself
        model = call.model
        read_asked(request, call)
        call.model = call.model or model
    if call.messages is None:
        given = found.get("gen_ai.input.messages", "pydantic_ai.all_messages", "ai.prompt.messages")
        asked = (
            _cut(given, call) or genai_messages(given)
            if given is not None
            else _flat(found, "gen_ai.prompt", "llm.prompts")
        )
        call.messages = tuple(asked) or None
    if call.messages is None:
        read_asked(found.get("gen_ai.prompt", "langfuse.observation.input"), call)
    said = system_text(found.get("gen_ai.system_instructions", "gen_ai.system.instructions"))
    if said and call.messages and call.messages[0].get("role") not in ("system", "developer"):
        call.messages = ({"role": "system", "content": said}, *call.messages)


def _cut(given: object, call: LoggedCall) -> tuple[Message, ...]:
    """Notes messages whose JSON ends in the middle."""
    if isinstance(given, str) and given.lstrip()[:1] in ("[", "{") and isinstance(decoded(given), str):
        call.not_replayable = CUT
        return ({"role": "user", "content": given},)
    return ()


def _flat(found: Attributes, *names: str) -> tuple[Message, ...]:
    """OpenLLMetry's `gen_ai.prompt.0.role`, `gen_ai.prompt.0.content` ..."""
    for name in names:
        spread = [_unpacked(one) for one in found.items(name) if isinstance(one, dict) and not _is_template(one)]
        if spread:
            return genai_messages(spread)
    return ()


def _is_template(one: Mapping[str, Any]) -> bool:
    """`gen_ai.prompt.name` and the like, which are no messages."""
    return "role" not in one and "content" not in one and "parts" not in one and "tool_calls" not in one


def _unpacked(one: dict[str, Any]) -> dict[str, Any]:
    """A message whose parts are written as JSON in a text."""
    content = one.get("content")
    parts = decoded(content)
    if (
        isinstance(content, str)
        and isinstance(parts, list)
        and parts
        and all(isinstance(part, dict) and "type" in part for part in parts)
    ):
        return {**one, "content": parts}
    return one


def _read_output(found: Attributes, call: LoggedCall) -> None:
    finish = finish_reason_from(decoded(found.get("gen_ai.response.finish_reasons", "ai.response.finishReason")))
    given = found.get("gen_ai.output.messages")
    if given is not None:
        messages = decoded(given)
        choices = messages if isinstance(messages, list) else [messages]
    else:
        choices = found.items("gen_ai.completion") or found.items("llm.completions")
    if choices and isinstance(choices[0], Mapping):
        read_message_answer(choices[0], call, finish)
    elif isinstance(given, str):
        read_ending(call, given, (), finish)
    elif found.get("ai.response.text", "ai.response.toolCalls", "ai.response.object") is not None:
        _read_vercel(found, call, finish)
    elif (body := found.get("response_data", "gen_ai.completion", "langfuse.observation.output")) is not None:
        read_said(body, call)
        call.finish_reason = call.finish_reason or finish
    else:
        call.finish_reason = finish


def read_message_answer(one: Mapping[str, Any], call: LoggedCall, finish: str | None = None) -> None:
    """Take one output message into the record, with the finish reason of the call where it has none of its own."""
    own = finish_reason_from(one.get("finish_reason"))
    turns = genai_messages([{"role": "assistant", **_unpacked(dict(one))}])
    said = text_in(turns[-1].get("content")) if turns else None
    calls = tuple(turns[-1].get("tool_calls", ())) if turns else ()  # type: ignore[arg-type]
    read_ending(call, said, calls, own or finish, text(one.get("refusal")))


def _read_vercel(found: Attributes, call: LoggedCall, finish: str | None) -> None:
    calls = decoded(found.get("ai.response.toolCalls"))
    used = [
        {"id": one.get("toolCallId"), "name": one.get("toolName"), "arguments": one.get("args", one.get("input"))}
        for one in (calls if isinstance(calls, list) else [])
        if isinstance(one, Mapping)
    ]
    finish = "tool_calls" if finish == "tool-calls" else finish
    read_ending(call, text(found.get("ai.response.text", "ai.response.object")), tool_calls_from(used), finish)


def legacy_message(name: str, body: Mapping[str, Any]) -> tuple[Message, ...]:
    """The message of an event `gen_ai.user.message`, `gen_ai.tool.message` ..."""
    role = name.split(".")[1]
    message = {"role": role, **body}
    if role == "tool" and "id" in body:
        message["tool_call_id"] = body["id"]
    return messages_from([message]) or ()
