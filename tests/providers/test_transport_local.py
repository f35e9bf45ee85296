"""Calls of the real local model through the gateway; its server has tests of its own."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from llmctl.errors import ModelError
from llmctl.outcome import Outcome
from llmctl.project.models import ModelConfig
from llmctl.providers.gateway import Gateway, GatewaySettings
from llmctl.providers.local import weights
from llmctl.providers.local_transport import LocalTransport
from llmctl.providers.routes import Route, TransportName, resolve
from llmctl.providers.wire import Asked, Tape
from tests.providers.conftest import Waits, ask, chat

MODEL = ModelConfig("small", "local/smollm2-135m")


def pulled() -> bool:
    try:
        weights.find("smollm2-135m")
    except ModelError:
        return False
    return True


needs_weights = pytest.mark.skipif(not pulled(), reason="the weights are not here: run `llmctl models pull`")


@needs_weights
async def test_the_local_model_gives_the_same_kind_of_record() -> None:
    route = resolve(MODEL)
    request = chat(MODEL, "Say hello.", temperature=0, max_tokens=4)
    schema = {"type": "object", "properties": {"queue": {"enum": ["billing"]}}, "required": ["queue"]}
    constrained = replace(
        request,
        params={"temperature": 0, "max_tokens": 40},
        response_format={"type": "json_schema", "json_schema": {"name": "output", "strict": True, "schema": schema}},
    )
    pieces: list[str] = []
    async with Gateway(GatewaySettings(offline=True), {}) as gateway:
        await gateway.start(route)
        whole, same, shaped = await asyncio.gather(
            *(gateway.ask(route, one) for one in (request, request, constrained))
        )
        streamed = await gateway.ask(route, request, on_delta=pieces.append)
        after = await gateway.ask(route, request)
    assert (route.identity, route.transport) == (weights.find("smollm2-135m").sha256, TransportName.LOCAL)
    assert (whole.provider, whole.transport, whole.endpoint, whole.cost_usd) == ("local", "local", "local", 0.0)
    assert (whole.outcome, whole.finish_reason, whole.usage.output_tokens) == (Outcome.TRUNCATED, "length", 4)
    assert whole.output == same.output == streamed.output == after.output == "".join(pieces)
    assert [whole.usage.input_tokens, 4] == [streamed.usage.input_tokens, streamed.usage.output_tokens]
    assert streamed.ttft_ms is not None
    assert json.loads(shaped.output or "") == {"queue": "billing"}
    assert [len(call.attempts) for call in (whole, same, shaped, streamed, after)] == [1] * 5


@needs_weights
async def test_a_prompt_that_is_too_long() -> None:
    call = await ask(MODEL, chat(MODEL, "word " * 5000, max_tokens=4))
    assert (call.outcome, len(call.attempts)) == (Outcome.CONTEXT_EXCEEDED, 1)


@needs_weights
async def test_a_child_that_has_died_is_started_again() -> None:
    route = resolve(MODEL)
    asked = Asked(route, chat(MODEL, "Say hello.", temperature=0, max_tokens=2), "key")
    transport = LocalTransport(weights.find("smollm2-135m").path, route.wire_model)
    outputs = []
    for _ in range(2):
        await transport.start()
        answer = await transport.send(asked, Tape(time.monotonic))
        outputs.append(answer.output)
        assert transport._server is not None
        transport._server.kill()
    await transport.close()
    assert outputs[0] and outputs[0] == outputs[1]


async def test_weights_that_cannot_be_loaded_fail_each_call_at_once(tmp_path: Path, waits: Waits) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    route = Route(MODEL, "local", TransportName.LOCAL, MODEL.model, "broken", "local", weights=broken)
    async with Gateway(GatewaySettings(), {}, clock=waits.clock) as gateway:
        calls = [await gateway.ask(route, chat(MODEL)) for _ in range(3)]
    assert {(call.outcome, call.attempts) for call in calls} == {(Outcome.PROVIDER_ERROR, ())}
    assert all(call.error for call in calls)
    assert waits.seconds == []


@needs_weights
async def test_after_a_timeout_the_child_is_started_again() -> None:
    """A slot goes on with an answer that nobody waits for: the next call gets a new child, not the queue."""
    route = resolve(MODEL)
    transport = LocalTransport(weights.find("smollm2-135m").path, "smollm2-135m")
    long = Asked(route, chat(MODEL, "Tell a long story.", max_tokens=1500), "long", None, False)
    short = Asked(route, chat(MODEL, "Say hello.", temperature=0, max_tokens=4), "short", None, False)
    try:
        await transport.start()
        first = transport.pid
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await transport.send(long, Tape(time.monotonic))
        answer = await transport.send(short, Tape(time.monotonic))
        assert answer.output
        assert transport.pid not in {None, first}
        second = transport.pid
        await transport.send(short, Tape(time.monotonic))
        assert transport.pid == second
    finally:
        await transport.close()
