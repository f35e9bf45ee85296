from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable

import pytest

from llmctl.outcome import Outcome
from llmctl.project.models import ModelConfig, Price
from llmctl.providers import bounds
from llmctl.providers.bounds import InputRatio, attempt_bound_usd, input_bound, output_bound
from llmctl.providers.budget import Budget, price_problem, unbounded, unpriced
from llmctl.providers.gateway import Gateway, GatewaySettings
from llmctl.providers.records import ChatRequest, Usage
from llmctl.providers.routes import Route, resolve
from tests.providers.conftest import Waits, chat
from tests.support.limit_server import LimitServer
from tests.support.openai_server import OpenAIServer, Reply

PRICE = Price(3.0, 15.0)
LEAST_CHARGED = 1e-12


def model(url: str | None = None, **more: object) -> ModelConfig:
    more = {"price": PRICE, "params": {"max_tokens": 40}, **more}
    return ModelConfig("m", "openai/x", api_base=url, **more)  # type: ignore[arg-type]


def request(config: ModelConfig, text: str = "hello", **params: object) -> ChatRequest:
    return ChatRequest(config.model, ({"role": "user", "content": text},), params={**config.params, **params})


def most(body: bytes) -> tuple[int, int]:
    """Every byte of the messages a token, and an answer as long as it may be."""
    sent = json.loads(body)
    text = json.dumps(sent["messages"], ensure_ascii=False, separators=(",", ":"))
    return len(text.encode()) + 64, sent["max_tokens"]


def charged_usd(server: LimitServer) -> float:
    return server.served.input_tokens * 3e-6 + server.served.output_tokens * 15e-6


async def spend(server: LimitServer, limit_usd: float, count: int, texts: Callable[[int], str]) -> Gateway:
    config = model(server.url)
    route, numbers = resolve(config), iter(range(count))
    outcomes: Counter[Outcome] = Counter()
    async with Gateway(GatewaySettings(concurrency=64, max_cost_usd=limit_usd), {}) as gateway:

        async def work() -> None:
            for n in numbers:
                call = await gateway.ask(route, request(config, texts(n)))
                outcomes[call.outcome] += 1

        await asyncio.gather(*(work() for _ in range(64)))
    assert sum(outcomes.values()) == count
    assert outcomes[Outcome.SKIPPED] > 0
    return gateway


def _texts(n: int) -> str:
    return "né " * (n * 7 % 50)


@pytest.mark.parametrize("limit_usd", [0.0005, 0.01, 0.1])
async def test_the_budget_is_never_passed(limit_usd: float) -> None:
    """At concurrency 64, with retries, against a server that charges the most that it may."""
    with LimitServer(latency_s=0.005, tokens=most, spoil=lambda n: n % 5 == 0) as server:
        gateway = await spend(server, limit_usd, 400, _texts)
        assert charged_usd(server) <= limit_usd
    assert charged_usd(server) - LEAST_CHARGED <= gateway.spent_usd <= limit_usd
    assert gateway.budget_spent
    if limit_usd >= 0.01:
        assert gateway.spent_usd >= limit_usd - 0.0016  # less than the most that one call can cost is left


async def test_the_budget_is_used_where_little_is_charged() -> None:
    with LimitServer(latency_s=0.002, tokens=lambda _: (10, 1)) as server:
        gateway = await spend(server, 0.02, 700, _texts)
    # 10 x 3 + 1 x 15 = 45 millionths a call: 444 calls, though 60 calls at most can be reserved for at a time.
    assert server.served.answered > 400
    assert charged_usd(server) <= 0.02
    assert gateway.budget_spent


async def test_calls_wait_for_what_others_may_leave(server: OpenAIServer) -> None:
    """A budget for little more than one call at a time: two calls at once go one after the other."""
    config = model(server.url)
    bound = attempt_bound_usd(resolve(config), request(config), input_bound(request(config)))
    assert bound is not None
    async with Gateway(GatewaySettings(max_cost_usd=1.5 * bound), {}) as gateway:
        calls = await asyncio.gather(*(gateway.ask(resolve(config), request(config)) for _ in range(3)))
        assert [call.outcome for call in calls] == [Outcome.ANSWERED] * 3
        assert not gateway.budget_spent
        assert gateway.spent_usd == pytest.approx(3 * 18e-6)


async def test_after_that_nothing_is_sent(server: OpenAIServer) -> None:
    config = model(server.url)
    async with Gateway(GatewaySettings(max_cost_usd=0.0001), {}) as gateway:
        calls = [await gateway.ask(resolve(config), request(config)) for _ in range(3)]
        free = ModelConfig("free", "fake/echo")
        assert (await gateway.ask(resolve(free), chat(free))).outcome is Outcome.ANSWERED
    assert {call.outcome for call in calls} == {Outcome.SKIPPED}
    assert calls[0].error == "Not sent: what is left of the budget of 0.0001 USD does not cover the call."
    assert (server.seen, gateway.budget_spent, gateway.spent_usd) == ([], True, 0.0)


async def test_a_retry_that_does_not_fit_is_not_sent(server: OpenAIServer, waits: Waits) -> None:
    server.script("x", Reply(fault="reset"), Reply("fine"))
    config = model(server.url)
    bound = attempt_bound_usd(resolve(config), request(config), input_bound(request(config)))
    assert bound is not None
    async with Gateway(GatewaySettings(max_cost_usd=1.5 * bound), {}, clock=waits.clock) as gateway:
        call = await gateway.ask(resolve(config), request(config))
    # Nobody knows whether the first attempt was charged, so what was reserved for it counts.
    assert (call.outcome, len(call.attempts), gateway.budget_spent) == (Outcome.PROVIDER_ERROR, 1, True)
    assert gateway.spent_usd == pytest.approx(bound, abs=1e-12)
    assert call.error is not None and "Not asked again: what is left of the budget" in call.error


async def test_what_never_left_costs_nothing(waits: Waits) -> None:
    config = model("http://127.0.0.1:9/v1")
    async with Gateway(GatewaySettings(max_cost_usd=1.0), {}, clock=waits.clock) as gateway:
        call = await gateway.ask(resolve(config), request(config))
    assert (call.outcome, len(call.attempts), gateway.spent_usd) == (Outcome.PROVIDER_ERROR, 3, 0.0)
    assert call.cost_usd == 0.0


@pytest.mark.parametrize("status", [400, 429, 500])
async def test_an_error_status_costs_nothing(server: OpenAIServer, status: int, waits: Waits) -> None:
    server.script("x", Reply(status=status, payload={"error": {"message": "no"}}))
    config = model(server.url)
    async with Gateway(GatewaySettings(max_cost_usd=1.0), {}, clock=waits.clock) as gateway:
        await gateway.ask(resolve(config), request(config))
    assert gateway.spent_usd == 0.0


async def test_a_call_that_is_cancelled_counts_as_charged(server: OpenAIServer) -> None:
    server.script("x", Reply("one two", fault="hold"))
    config = model(server.url)
    shown = asyncio.Event()
    async with Gateway(GatewaySettings(max_cost_usd=1.0), {}) as gateway:
        call = asyncio.create_task(gateway.ask(resolve(config), request(config), on_delta=lambda _: shown.set()))
        await asyncio.wait_for(shown.wait(), 10)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        bound = attempt_bound_usd(resolve(config), request(config), input_bound(request(config)))
        assert gateway.spent_usd == pytest.approx(bound, abs=1e-12)


async def test_without_a_budget_spending_is_still_counted(server: OpenAIServer) -> None:
    config = model(server.url)
    async with Gateway(GatewaySettings(), {}) as gateway:
        await gateway.ask(resolve(config), request(config))
        assert gateway.spent_usd == pytest.approx(18e-6)


def test_many_small_sums_add_up() -> None:
    async def scene() -> float:
        budget, config = Budget(1.0), model()
        for _ in range(3000):
            reservation = await budget.reserve(resolve(config), request(config), InputRatio())
            assert reservation is not None
            budget.settle(reservation, 0.0001)
        return budget.spent_usd

    assert asyncio.run(scene()) == 0.3


# --- bounds -----------------------------------------------------------------------------------------------------------


def test_the_bound_of_input_tokens_follows_the_bytes() -> None:
    config = model()
    assert input_bound(request(config, "x" * 1000)) - input_bound(request(config, "")) == 1000
    assert input_bound(request(config, "é" * 1000)) - input_bound(request(config, "")) == 2000
    tools = ChatRequest(config.model, request(config).messages, tools=({"type": "function"},))
    assert input_bound(tools) > input_bound(request(config)) + 1000
    picture = {"role": "user", "content": [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {}}]}
    assert input_bound(ChatRequest(config.model, (picture,))) > 50_000


@pytest.mark.parametrize(
    ("params", "tokens"),
    [({"max_tokens": 7}, 7), ({"max_completion_tokens": 9}, 9), ({}, 16384), ({"max_tokens": 0}, 16384)],
)
def test_the_bound_of_output_tokens(params: dict[str, object], tokens: int) -> None:
    config = ModelConfig("m", "openai/gpt-4o-mini")
    assert output_bound(resolve(config), ChatRequest(config.model, (), params=params)) == tokens


def test_the_bound_is_tightened_by_what_the_model_has_shown() -> None:
    ratio = InputRatio()
    for _ in range(19):
        ratio.note(1000, Usage(200, 5))
    assert ratio.tightened(1000) == 1000
    ratio.note(1000, Usage(None, None))
    assert ratio.tightened(1000) == 1000
    ratio.note(1000, Usage(250, 5))
    assert ratio.tightened(1000) == 564  # twice a quarter, and 64
    ratio.note(1000, Usage(900, 5))
    assert ratio.tightened(1000) == 1000


def test_the_bound_uses_the_dearest_price_that_may_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    from llmctl.providers.prices import PriceTable, Tier

    tiers = (Tier(0, 1e-6, 2e-6, cached=5e-6), Tier(1000, 3e-6, 4e-6, reasoning=9e-6))
    config = model()
    route: Route = resolve(config)
    tiered = Route(config, "openai", route.transport, "openai/x", "x", "", price=PriceTable(tiers))
    assert attempt_bound_usd(tiered, request(config), 1000) == pytest.approx(1000 * 5e-6 + 40 * 2e-6)
    assert attempt_bound_usd(tiered, request(config), 1001) == pytest.approx(1001 * 5e-6 + 40 * 9e-6)


# --- problems ---------------------------------------------------------------------------------------------------------


def test_a_model_without_a_price() -> None:
    route = resolve(ModelConfig("my model", "openai/unheard-of"))
    assert unpriced(route)
    assert price_problem(route) == (
        'The price of the model "my model" (openai/unheard-of) is unknown, so no budget can be kept: add its USD per '
        'million tokens to llmctl.toml under [models."my model"]: price = {input = 0.15, output = 0.60}'
    )


@pytest.mark.parametrize(
    ("config", "params", "words"),
    [
        (ModelConfig("gpt", "openai/gpt-4o-mini"), {}, None),
        (ModelConfig("gpt", "openai/gpt-4o-mini"), {"service_tier": "flex"}, 'in the service tier "flex" is unknown'),
        (ModelConfig("gpt", "openai/unheard-of", price=PRICE), {}, "params = {max_tokens = 512}"),
        (ModelConfig("gpt", "openai/unheard-of", price=PRICE), {"max_tokens": 5}, None),
        (ModelConfig("gpt", "fake/echo"), {}, None),
    ],
)
def test_a_call_whose_cost_nothing_bounds(config: ModelConfig, params: dict[str, object], words: str | None) -> None:
    route, asked = resolve(config), ChatRequest(config.model, (), params=params)
    problem = price_problem(route, asked)
    assert (words is None) == (problem == "") == (not unbounded(route, asked))
    assert words is None or words in problem
    assert price_problem(route) == ""


async def test_a_call_without_a_bound_is_not_sent(server: OpenAIServer) -> None:
    config = model(server.url, params={})
    async with Gateway(GatewaySettings(max_cost_usd=1.0), {}) as gateway:
        call = await gateway.ask(resolve(config), request(config))
    assert (call.outcome, server.seen, gateway.budget_spent) == (Outcome.SKIPPED, [], False)
    assert call.error is not None and "max_tokens" in call.error
    assert bounds.output_bound(resolve(config), request(config)) is None
