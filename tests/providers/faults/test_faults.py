"""Every row of the fault table, through `direct` and through `litellm`: what becomes of it, and what is kept of it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmctl.outcome import Outcome
from llmctl.project.models import ModelConfig, Price
from llmctl.providers.gateway import Gateway, GatewaySettings
from llmctl.providers.records import Call, Usage
from llmctl.providers.routes import resolve
from llmctl.providers.wire import visible_text
from tests.providers.conftest import Waits, chat
from tests.providers.faults.server import FaultServer, Reply

TABLE = {
    f"{path.stem}: {row['name']}": row
    for path in sorted((Path(__file__).parent / "cases").glob("*.yaml"))
    for row in yaml.safe_load(path.read_text(encoding="utf-8"))
}
LATE_S = 5.0
"""How much later than its deadlines a call may end on a machine that is busy."""


@pytest.fixture(scope="module")
def fault_server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


async def ask(server: FaultServer, row: Mapping[str, Any], model: ModelConfig, waits: Waits) -> Call:
    server.script(model.model.removeprefix("openai/"), [Reply(**reply) for reply in row["replies"]])
    settings = GatewaySettings(timeout_s=row.get("timeout_s", 20.0), max_attempts=row.get("max_attempts", 3))
    request = chat(model, "hello", **({"stream": True} if row.get("stream") else {}))
    async with Gateway(settings, {}, clock=waits.clock) as gateway:
        return await gateway.ask(resolve(model), request)


@pytest.mark.parametrize("transport", ["direct", "litellm"])
@pytest.mark.parametrize("name", TABLE)
async def test_fault(fault_server: FaultServer, name: str, transport: str) -> None:
    row, waits = TABLE[name], Waits()
    expect = row["expect"]
    wire_model = f"{name} {transport}".replace(" ", "-").replace("/", "-")
    model = ModelConfig("m", f"openai/{wire_model}", api_base=fault_server.url, transport=transport, price=Price(1, 1))
    began = time.perf_counter()
    call = await ask(fault_server, row, model, waits)
    took_s = time.perf_counter() - began

    assert (str(call.outcome), len(call.attempts)) == (expect["outcome"], expect["attempts"]), call.error
    assert fault_server.requests[wire_model] == len(call.attempts), "an attempt that the record does not show"
    assert took_s < len(call.attempts) * row.get("timeout_s", 20.0) + LATE_S
    check_answer(call, expect)
    check_waits(waits, expect)
    for attempt, reply in zip(call.attempts, replies(row, len(call.attempts)), strict=True):
        check_kept(attempt.response_body, reply, expect)


def replies(row: Mapping[str, Any], count: int) -> list[Reply]:
    given = [Reply(**reply) for reply in row["replies"]]
    return [given[min(number, len(given) - 1)] for number in range(count)]


def check_answer(call: Call, expect: Mapping[str, Any]) -> None:
    """The answer, and nothing in it that the provider did not say."""
    assert (call.error is None) == call.outcome.scored
    assert expect.get("error", "") in (call.error or "")
    if "output_length" in expect:
        assert len(call.output or "") == expect["output_length"]
    elif call.outcome is Outcome.ANSWERED:
        assert call.output == expect.get("output", "fine")
    assert call.finish_reason == expect.get("finish_reason")
    counted = (call.usage.input_tokens, call.usage.output_tokens)
    assert counted == tuple(expect.get("usage", (None, None))) and (counted[0] or call.usage == Usage())
    assert (call.ttft_ms is not None) == expect.get("first_token", False)
    if call.outcome.scored and "usage" not in expect:
        assert call.cost_usd is None


def check_waits(waits: Waits, expect: Mapping[str, Any]) -> None:
    if "waits" in expect:
        # Never before the time that was asked for; a little later, as the whole model slows down.
        assert expect["waits"] <= sum(waits.seconds) + 0.001 <= expect["waits"] * 1.1 + 0.5


def check_kept(kept: str, reply: Reply, expect: Mapping[str, Any]) -> None:
    """Exactly what came, within the cap."""
    came = visible_text(reply.sent)
    match expect.get("kept"):
        case _ if "kept_bytes" in expect:
            assert len(kept) == expect["kept_bytes"] and came.startswith(kept)
        case "prefix":
            assert came.startswith(kept)
        case "some":
            assert kept
        case "wire":
            assert kept and reply.on_the_wire().decode().startswith(kept)
        case str() as text:
            assert kept == text
        case _:
            assert kept == came


@pytest.mark.parametrize("transport", ["direct", "litellm"])
async def test_an_answer_that_was_not_streamed_is_passed_on_all_the_same(
    fault_server: FaultServer, transport: str
) -> None:
    pieces: list[str] = []
    model = ModelConfig("m", f"openai/whole-{transport}", api_base=fault_server.url, transport=transport)
    async with Gateway(GatewaySettings(), {}) as gateway:
        call = await gateway.ask(resolve(model), chat(model), on_delta=pieces.append)
    assert (call.output, pieces, call.ttft_ms) == ("fine", ["fine"], None)


@pytest.mark.parametrize("transport", ["direct", "litellm"])
async def test_nobody_listens(transport: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    model = ModelConfig("m", "openai/x", api_base=f"http://127.0.0.1:{port}/v1", transport=transport, price=Price(1, 1))
    async with Gateway(GatewaySettings(), {}, clock=Waits().clock) as gateway:
        call = await gateway.ask(resolve(model), chat(model))
    assert (call.outcome, len(call.attempts), call.status) == (Outcome.PROVIDER_ERROR, 3, None)
    assert call.cost_usd == 0.0  # nothing left this machine
    assert call.error is not None and f"Cannot connect to host 127.0.0.1:{port}" in call.error
