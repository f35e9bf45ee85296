"""A connection that was kept from an earlier call, and that the server has closed meanwhile without a word."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from llmctl.outcome import Outcome
from llmctl.project.models import ModelConfig
from llmctl.providers.gateway import Gateway, GatewaySettings
from llmctl.providers.routes import resolve
from tests.providers.conftest import Waits, chat
from tests.providers.faults.server import FaultServer, Reply


@pytest.fixture(scope="module")
def fault_server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def model(server: FaultServer, name: str, transport: str) -> ModelConfig:
    return ModelConfig("m", f"openai/{name}-{transport}", api_base=server.url, transport=transport)


@pytest.mark.parametrize("transport", ["direct", "litellm"])
async def test_it_is_used_again_at_once_with_a_new_connection(fault_server: FaultServer, transport: str) -> None:
    config, waits = model(fault_server, "kept", transport), Waits()
    name = config.model.removeprefix("openai/")
    fault_server.script(name, [Reply(stale=True)])
    async with Gateway(GatewaySettings(max_attempts=1), {}, clock=waits.clock) as gateway:
        first = await gateway.ask(resolve(config), chat(config, "one"))
        second = await gateway.ask(resolve(config), chat(config, "two"))
    assert (len(first.attempts), first.outcome) == (1, Outcome.ANSWERED)
    lost, answered = second.attempts
    assert (lost.outcome, lost.status, lost.response_body) == (Outcome.PROVIDER_ERROR, None, "")
    assert lost.error == "The server had closed the connection that was kept from an earlier call."
    assert (answered.outcome, second.outcome) == (Outcome.ANSWERED, Outcome.ANSWERED)
    # Every request of the record, and no other, reached the server: nothing was sent again behind our back.
    first_on, again_on, new = fault_server.connections[name]
    assert first_on == again_on != new
    assert not waits.seconds


@pytest.mark.parametrize("transport", ["direct", "litellm"])
async def test_other_kept_connections_are_not_tried(fault_server: FaultServer, transport: str) -> None:
    config, waits = model(fault_server, "many", transport), Waits()
    # All eight are under way at once, so that none can use the connection of another.
    fault_server.script(config.model.removeprefix("openai/"), [*[Reply(together=8)] * 8, Reply(stale=True)])
    async with Gateway(GatewaySettings(max_attempts=1, concurrency=8), {}, clock=waits.clock) as gateway:
        opened = await asyncio.gather(*(gateway.ask(resolve(config), chat(config, f"n {n}")) for n in range(8)))
        call = await gateway.ask(resolve(config), chat(config, "after"))
    assert {len(item.attempts) for item in opened} == {1}
    assert [attempt.outcome for attempt in call.attempts] == [Outcome.PROVIDER_ERROR, Outcome.ANSWERED]


@pytest.mark.parametrize("transport", ["direct", "litellm"])
async def test_it_is_forgiven_once_a_call(fault_server: FaultServer, transport: str) -> None:
    config, waits = model(fault_server, "twice", transport), Waits()
    fault_server.script(config.model.removeprefix("openai/"), [Reply(), Reply(stale=True), Reply(end="reset")])
    async with Gateway(GatewaySettings(max_attempts=1), {}, clock=waits.clock) as gateway:
        await gateway.ask(resolve(config), chat(config, "one"))
        call = await gateway.ask(resolve(config), chat(config, "two"))
    assert [attempt.outcome for attempt in call.attempts] == [Outcome.PROVIDER_ERROR, Outcome.PROVIDER_ERROR]
    assert call.error is not None and "connection failed" in call.error


@pytest.mark.parametrize("transport", ["direct", "litellm"])
async def test_a_byte_of_an_answer_makes_it_an_attempt_like_any_other(
    fault_server: FaultServer, transport: str
) -> None:
    config, waits = model(fault_server, "byte", transport), Waits()
    begun = Reply(raw="HTTP/1.1 200 OK\r\nContent-Le", end="close")
    fault_server.script(config.model.removeprefix("openai/"), [Reply(), begun])
    async with Gateway(GatewaySettings(max_attempts=1), {}, clock=waits.clock) as gateway:
        await gateway.ask(resolve(config), chat(config, "one"))
        call = await gateway.ask(resolve(config), chat(config, "two"))
    assert [attempt.outcome for attempt in call.attempts] == [Outcome.PROVIDER_ERROR]
