"""Everything that needs the real `litellm`, in one module: its import takes seconds."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from llmctl.outcome import Outcome
from llmctl.project.models import ModelConfig, Price
from llmctl.providers.endpoints import ENDPOINTS, KEY_VARIABLES
from llmctl.providers.gateway import Gateway, GatewaySettings
from llmctl.providers.records import Call, ChatRequest, Usage
from llmctl.providers.requests import call_key
from llmctl.providers.routes import resolve
from tests.providers.conftest import Waits, chat
from tests.support.openai_server import OpenAIServer, Reply

KEY = "canary-4f1c9a7e2b"


async def ask(model: ModelConfig, request: ChatRequest, **settings: Any) -> Call:
    environ = {"THE_KEY": KEY}
    async with Gateway(GatewaySettings(**settings), environ, clock=Waits().clock) as gateway:
        return await gateway.ask(resolve(model), request)


# --- parity -----------------------------------------------------------------------------------------------------------

TOOL_CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
TOOLS = ({"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}},)
ERROR = {"error": {"message": f"the key {KEY} did it", "code": "some_code"}}


@dataclass(frozen=True)
class Scene:
    """What the server does, and with what request."""

    replies: tuple[Reply, ...]
    params: Mapping[str, object] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


SCENES = {
    "echo": Scene((Reply(),), {"temperature": 0, "max_tokens": 7, "seed": 3}),
    "tool call": Scene(
        (Reply(message={"content": None, "tool_calls": [TOOL_CALL]}, finish_reason="tool_calls"),),
        more={"tools": TOOLS},
    ),
    "json": Scene((Reply('{"queue": "billing"}'),), more={"response_format": {"type": "json_object"}}),
    "options": Scene((Reply("x"),), more={"options": {"top_k": 3}}),
    "truncated": Scene((Reply("bil", finish_reason="length"),)),
    "empty": Scene((Reply(""),)),
    "refused": Scene((Reply(message={"content": None, "refusal": "I cannot."}),)),
    "filtered": Scene((Reply("", finish_reason="content_filter"),)),
    "no usage": Scene((Reply("x", usage=False),)),
    "no choices": Scene((Reply(payload={"choices": []}),)),
    "web page": Scene((Reply(body=b"<html>"),)),
    "cut JSON": Scene((Reply(body=b'{"choices": [{"mess'),)),
    "cut off": Scene((Reply("one two three", fault="cut"),)),
    "surrogate": Scene((Reply(payload={"choices": [{"message": {"content": "a\ud800"}, "finish_reason": "stop"}]}),)),
    "rate limit, then fine": Scene((Reply(status=429, payload=ERROR, headers={"retry-after": "3"}), Reply("x"))),
    "quota": Scene((Reply(status=429, payload={"error": {"message": "no", "code": "insufficient_quota"}}),)),
    "too long": Scene((Reply(status=400, payload={"error": {"message": "m", "code": "context_length_exceeded"}}),)),
    "filter error": Scene((Reply(status=400, payload={"error": {"message": "m", "code": "content_filter"}}),)),
    "redirect": Scene((Reply(status=307, body=b"", headers={"location": "/elsewhere"}),)),
    **{
        str(status): Scene((Reply(status=status, payload=ERROR),))
        for status in (400, 401, 403, 404, 422, 500, 503, 529)
    },
}


def facts(call: Call) -> dict[str, object]:
    """All of a record but times, ids and the name of the transport."""
    return {
        "key": call.key,
        "provider": call.provider,
        "model": call.model,
        "endpoint": call.endpoint,
        "outcome": call.outcome,
        "output": call.output,
        "tool_calls": call.tool_calls,
        "finish_reason": call.finish_reason,
        "served_model": call.served_model,
        "usage": call.usage,
        "cost": call.cost_usd,
        "error": call.error,
        "attempts": [
            (
                item.number,
                item.status,
                item.outcome,
                item.error,
                item.request_id,
                item.retry_after_s,
                item.response_body,
            )
            for item in call.attempts
        ],
        "requests": [json.loads(item.request_body) | {"stream": None} for item in call.attempts],
        "first token": call.ttft_ms is not None,
    }


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", SCENES)
async def test_both_transports_give_the_same_record(server: OpenAIServer, name: str, streamed: bool) -> None:
    scene = SCENES[name]
    model = ModelConfig("m", "openai/m", api_base=server.url, api_key_env="THE_KEY", price=Price(1.0, 2.0))
    request = replace(chat(model, "hello there", **scene.params), **scene.more)
    request = replace(request, params={**request.params, "stream": True}) if streamed else request
    calls = {}
    for transport in ("direct", "litellm"):
        server.script("m", *scene.replies)
        calls[transport] = await ask(replace(model, transport=transport), request)
        assert calls[transport].transport == transport
        assert KEY not in repr(calls[transport])
    assert facts(calls["litellm"]) == facts(calls["direct"])


@pytest.mark.parametrize("fault", ["reset", "hang", "drip"])
async def test_both_transports_fail_alike(server: OpenAIServer, fault: str) -> None:
    model = ModelConfig("m", "openai/m", api_base=server.url)
    server.script("m", Reply(fault=fault))
    calls = [
        await ask(
            replace(model, transport=transport),
            chat(model),
            timeout_s=20.0 if fault == "reset" else 0.4,
            max_attempts=2,
        )
        for transport in ("direct", "litellm")
    ]
    direct, other = [[(item.outcome, item.status) for item in call.attempts] for call in calls]
    assert direct == other
    assert len(direct) == 2


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_fake_gives_the_same_record_as_a_server(server: OpenAIServer, streamed: bool) -> None:
    real, fake = ModelConfig("m", "openai/m", api_base=server.url), ModelConfig("m", "fake/echo")
    records = [facts(await ask(model, chat(model, "hello there", stream=streamed))) for model in (real, fake)]
    for record in records:
        for name in ("key", "provider", "model", "endpoint", "served_model", "cost", "attempts", "requests"):
            del record[name]
    assert records[0] == records[1]


def test_a_call_has_one_key_whoever_carries_it() -> None:
    keys = {
        call_key(resolve(ModelConfig("m", "fireworks_ai/x", transport=transport)), ChatRequest("m", ()), 1)
        for transport in (None, "direct", "litellm")
    }
    assert len(keys) == 1


# --- the table of endpoints -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ENDPOINTS)
def test_endpoints_are_litellm_s(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    import litellm

    endpoint = ENDPOINTS[provider]
    wire_model, found, _, base = litellm.get_llm_provider(f"{provider}/some/model")
    assert (wire_model, found) == ("some/model", provider)
    if base is not None:
        assert endpoint.base_url in {base, f"{base}/v1"}
    if endpoint.key_required:
        missing = litellm.validate_environment(f"{provider}/some/model")["missing_keys"]
        assert missing == [endpoint.key_envs[0]]


@pytest.mark.parametrize("provider", KEY_VARIABLES)
def test_key_variables_are_litellm_s(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    import litellm

    missing = litellm.validate_environment(f"{provider}/some-model")["missing_keys"]
    assert set(KEY_VARIABLES[provider]) <= set(missing)


@pytest.mark.parametrize("provider", [name for name in ENDPOINTS if not name.startswith("ollama")])
async def test_litellm_sends_what_we_send(server: OpenAIServer, provider: str) -> None:
    model = ModelConfig("m", f"{provider}/m", api_base=server.url, api_key_env="THE_KEY")
    request = chat(model, "hello", temperature=0, max_completion_tokens=5)
    if provider not in {"perplexity", "deepinfra"}:
        request = replace(request, params={**request.params, "seed": 1})
    bodies = []
    for transport in ("direct", "litellm"):
        call = await ask(replace(model, transport=transport), request)
        assert call.outcome is Outcome.ANSWERED, call.error
        bodies.append(server.seen[-1].json)
        assert server.seen[-1].headers["Authorization"] == f"Bearer {KEY}"
    own = {"stream", "usage"}  # litellm says `stream: false`, and asks OpenRouter for costs
    direct, other = [{name: value for name, value in body.items() if name not in own} for body in bodies]
    assert direct == other


@pytest.mark.parametrize("name", ["gpt-4o", "gpt-5-mini", "o3", "ft:gpt-4o:acme", "claude-sonnet-4-5"])
def test_bare_names_are_litellm_s(name: str) -> None:
    import litellm

    assert resolve(ModelConfig("m", name)).provider == litellm.get_llm_provider(name)[1]


# --- other protocols --------------------------------------------------------------------------------------------------


def anthropic(server: OpenAIServer, **more: object) -> ModelConfig:
    base = server.url.removesuffix("/v1")
    return ModelConfig("m", "anthropic/claude-x", api_base=base, api_key_env="THE_KEY", **more)  # type: ignore[arg-type]


def message(text: str, stop_reason: str = "end_turn", **more: object) -> dict[str, object]:
    content = [{"type": "text", "text": text}]
    head = {"id": "m", "type": "message", "role": "assistant", "model": "claude-x-1", "content": content}
    return {**head, "stop_reason": stop_reason, "usage": {"input_tokens": 3, "output_tokens": 2}, **more}


async def test_anthropic(server: OpenAIServer) -> None:
    server.script("/v1/messages", Reply(payload=message("hi there")))
    model = anthropic(server, price=Price(1.0, 2.0))
    call = await ask(model, chat(model, "hello", max_tokens=9))
    assert (call.outcome, call.output, call.finish_reason) == (Outcome.ANSWERED, "hi there", "stop")
    assert (call.usage.input_tokens, call.usage.output_tokens, call.served_model) == (3, 2, "claude-x-1")
    assert call.cost_usd == pytest.approx(7e-6)
    (attempt,) = call.attempts
    assert attempt.request_body.encode() == server.seen[0].body
    assert json.loads(attempt.response_body) == message("hi there")
    assert attempt.status == 200
    assert server.seen[0].headers["x-api-key"] == KEY
    assert server.seen[0].headers["Accept-Encoding"] == "identity"  # what is recorded must be readable
    assert KEY not in repr(call)


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(payload=message("no", "refusal")), Outcome.REFUSED),
        (Reply(payload=message("bil", "max_tokens")), Outcome.TRUNCATED),
        (
            Reply(
                status=529, payload={"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
            ),
            Outcome.PROVIDER_ERROR,
        ),
        (
            Reply(
                status=400,
                payload={
                    "type": "error",
                    "error": {"type": "invalid_request_error", "message": "prompt is too long: 9 > 8"},
                },
            ),
            Outcome.CONTEXT_EXCEEDED,
        ),
        (
            Reply(status=400, payload={"type": "error", "error": {"type": "invalid_request_error", "message": "bad"}}),
            Outcome.BAD_REQUEST,
        ),
        (
            Reply(
                status=401, payload={"type": "error", "error": {"type": "authentication_error", "message": "bad key"}}
            ),
            Outcome.PROVIDER_ERROR,
        ),
        (Reply(body=b"<html>"), Outcome.MALFORMED),
        (Reply(body=b'{"id": "m", "ty'), Outcome.MALFORMED),
        (Reply(fault="reset"), Outcome.PROVIDER_ERROR),
        (Reply(payload=message("hi"), fault="cut"), Outcome.MALFORMED),
    ],
    ids=lambda value: str(value) if isinstance(value, Outcome) else "",
)
async def test_how_anthropic_ends(server: OpenAIServer, reply: Reply, outcome: Outcome) -> None:
    server.script("/v1/messages", reply)
    call = await ask(anthropic(server), chat(anthropic(server), max_tokens=9))
    assert call.outcome is outcome
    assert (call.error is None) == outcome.scored
    assert call.attempts[-1].status == (None if reply.fault == "reset" else reply.status)


async def test_usage_that_was_not_reported_is_unknown(server: OpenAIServer) -> None:
    server.script("/v1/messages", Reply(payload=message("hi", usage={"input_tokens": 0, "output_tokens": 0})))
    call = await ask(anthropic(server, price=Price(1.0, 1.0)), chat(anthropic(server), max_tokens=9))
    assert (call.usage, call.cost_usd) == (Usage(), None)


STREAM: list[dict[str, Any]] = [
    {"type": "message_start", "message": {**message(""), "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "there"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
]


def events(items: list[dict[str, Any]]) -> Reply:
    body = "".join(f"event: {item['type']}\ndata: {json.dumps(item)}\n\n" for item in items)
    return Reply(body=body.encode(), headers={"Content-Type": "text/event-stream"})


async def test_anthropic_streams(server: OpenAIServer) -> None:
    pieces: list[str] = []
    model = anthropic(server)
    server.script("/v1/messages", events(STREAM))
    async with Gateway(GatewaySettings(), {"THE_KEY": KEY}) as gateway:
        call = await gateway.ask(resolve(model), chat(model, max_tokens=9), on_delta=pieces.append)
    assert (call.outcome, call.output, "".join(pieces)) == (Outcome.ANSWERED, "hi there", "hi there"), call.error
    assert (call.usage.input_tokens, call.usage.output_tokens) == (3, 2)
    assert call.ttft_ms is not None
    assert '"message_stop"' in call.attempts[0].response_body


@pytest.mark.parametrize("length", [1, 3, 4])
async def test_a_stream_that_breaks_off_never_ends_well(server: OpenAIServer, length: int) -> None:
    server.script("/v1/messages", events(STREAM[:length]))
    call = await ask(anthropic(server), chat(anthropic(server), max_tokens=9, stream=True))
    assert (call.outcome, call.output, call.finish_reason) == (Outcome.MALFORMED, None, None)


async def test_gemini(server: OpenAIServer) -> None:
    model = ModelConfig("m", "gemini/gemini-x", api_base=server.url, api_key_env="THE_KEY")
    candidate = {"content": {"parts": [{"text": "hi"}], "role": "model"}, "finishReason": "STOP"}
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 1, "totalTokenCount": 4}
    server.script(":generateContent", Reply(payload={"candidates": [candidate], "usageMetadata": usage}))
    call = await ask(model, chat(model))
    assert (call.outcome, call.output, call.usage.input_tokens) == (Outcome.ANSWERED, "hi", 3)
    assert json.loads(call.attempts[0].response_body)["candidates"] == [candidate]
    assert KEY not in repr(call)


async def test_a_parameter_that_litellm_refuses_is_a_bad_request(server: OpenAIServer) -> None:
    model = anthropic(server)
    call = await ask(model, chat(model, max_tokens=9, logit_bias={"1": 2}))
    assert (call.outcome, server.seen, len(call.attempts)) == (Outcome.BAD_REQUEST, [], 1)
    assert call.error is not None and "logit_bias" in call.error and not call.error.startswith("litellm")


async def test_calls_side_by_side_do_not_mix(server: OpenAIServer) -> None:
    import asyncio

    model = ModelConfig("m", "openai/m", api_base=server.url, transport="litellm")
    async with Gateway(GatewaySettings(concurrency=8), {}) as gateway:
        calls = await asyncio.gather(*(gateway.ask(resolve(model), chat(model, f"n {n}")) for n in range(24)))
    assert [call.output for call in calls] == [f"n {n}" for n in range(24)]
    assert all(f"n {n}" in call.attempts[0].request_body for n, call in enumerate(calls))


async def test_nothing_in_the_environment_moves_an_endpoint(
    server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("OPENAI_API_BASE", "http://127.0.0.1:9")
    async with Gateway(GatewaySettings(), {**os.environ, "AWS_REGION_NAME": "x"}) as gateway:
        await gateway.start(resolve(anthropic(server)))
        assert {"ANTHROPIC_BASE_URL", "OPENAI_API_BASE"}.isdisjoint(os.environ)
        assert (os.environ["LITELLM_MODE"], os.environ["LITELLM_LOCAL_MODEL_COST_MAP"]) == ("PRODUCTION", "True")
        assert os.environ["AWS_REGION_NAME"] == "x"
    assert os.environ["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:9"
    assert "AWS_REGION_NAME" not in os.environ
