from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from llmctl.outcome import Outcome
from llmctl.project.models import ModelConfig
from llmctl.providers.circuit import Circuit
from llmctl.providers.gateway import Clock, Gateway, GatewaySettings
from llmctl.providers.openai_chat import read_error
from llmctl.providers.records import Call
from llmctl.providers.routes import resolve
from llmctl.providers.wire import Answer, Fault
from tests.providers.conftest import Waits, chat
from tests.support.openai_server import OpenAIServer, Reply


def circuit(name: str = "gpt", model: str = "openai/gpt-4o-mini") -> Circuit:
    return Circuit(resolve(ModelConfig(name, model)))


def error(status: int, message: str, code: str = "") -> Answer:
    return read_error(status, {"error": {"message": message, "code": code}})


@pytest.mark.parametrize(
    ("status", "code", "message", "fault"),
    [
        (401, "", "Incorrect API key provided: sk-x", Fault.AUTH),
        (403, "", "Your project has no access to this model", Fault.AUTH),
        (403, "", "Your input was flagged by moderation", None),
        (400, "API_KEY_INVALID", "API key not valid. Please pass a valid API key.", Fault.AUTH),
        (400, "", "Your credit balance is too low to access the API", Fault.QUOTA),
        (402, "", "Payment required", Fault.QUOTA),
        (429, "insufficient_quota", "You exceeded your current quota", Fault.QUOTA),
        (429, "rate_limit_exceeded", "Slow down", Fault.RATE),
        (503, "", "Busy", Fault.RATE),
        (529, "overloaded_error", "Overloaded", Fault.RATE),
        (200, "overloaded_error", "Overloaded", Fault.RATE),
        (500, "", "Oops", None),
        (400, "", "No such parameter", None),
        (404, "", "No such model", None),
        (422, "", "The invalid api value", None),
    ],
)
def test_what_a_failure_says_of_the_account(status: int, code: str, message: str, fault: Fault | None) -> None:
    assert error(status, message, code).fault is fault


def test_a_firewall_s_page_is_no_wrong_key() -> None:
    assert read_error(403, None).fault is None


def test_a_wrong_key_opens_at_once_and_says_what_to_do() -> None:
    one = circuit()
    assert one.note(error(401, "Incorrect API key provided."), 401)
    assert one.reason == (
        'The model "gpt" (openai/gpt-4o-mini) is not asked any more: HTTP 401: Incorrect API key provided. '
        "Check the key in OPENAI_API_KEY, and that it may use this model."
    )
    assert not one.note(error(401, "Incorrect API key provided."), 401)  # it is open already


def test_an_empty_account_opens_at_once() -> None:
    one = circuit()
    assert one.note(error(429, "You exceeded your current quota.", "insufficient_quota"), 429)
    assert one.reason is not None and "Add credit or raise the limit at the provider." in one.reason


def test_ten_equal_failures_open_and_nine_do_not() -> None:
    one = circuit("openai/gpt-4o-mini")
    opened = [one.note(error(500, f'Request "req-{n}" failed after {n} ms.'), 500) for n in range(10)]
    assert opened == [False] * 9 + [True]
    assert one.reason is not None and one.reason.startswith(
        'The model "openai/gpt-4o-mini" is not asked any more: 10 calls in a row failed alike: HTTP 500: Request'
    )


@pytest.mark.parametrize(
    "between",
    [
        Answer(Outcome.ANSWERED, output="fine"),
        Answer(Outcome.CONTEXT_EXCEEDED, error="too long"),
        Answer(Outcome.TIMEOUT, error="No complete answer within 60 s."),
        error(502, "Bad gateway."),
        error(500, "Another cause."),
    ],
)
def test_what_stands_between_failures_counts(between: Answer) -> None:
    one = circuit()
    for n in range(30):
        answer = between if n % 9 == 8 else error(500, "Oops.")
        assert not one.note(answer, 502 if answer.error and "502" in answer.error else 500)


async def _all(gateway: Gateway, config: ModelConfig, count: int) -> list[Call]:
    return [await gateway.ask(resolve(config), chat(config, f"n {n}")) for n in range(count)]


async def test_the_rest_is_not_sent_and_other_models_go_on(server: OpenAIServer, waits: Waits) -> None:
    server.script("bad", Reply(status=401, payload={"error": {"message": "Wrong key."}}))
    bad = ModelConfig("bad", "openai/bad", api_base=server.url)
    good = ModelConfig("good", "openai/good", api_base=server.url)
    async with Gateway(GatewaySettings(), {}, clock=waits.clock) as gateway:
        calls = await _all(gateway, bad, 5)
        others = await _all(gateway, good, 3)
        reasons: Mapping[str, str] = gateway.open_circuits
    assert [call.outcome for call in calls] == [Outcome.PROVIDER_ERROR] + [Outcome.SKIPPED] * 4
    assert (len(server.bodies("bad")), [len(call.attempts) for call in calls]) == (1, [1, 0, 0, 0, 0])
    assert calls[4].error == f"Not sent: {reasons['bad']}"
    assert {call.outcome for call in others} == {Outcome.ANSWERED}
    assert list(reasons) == ["bad"]


async def test_failures_are_counted_after_their_attempts(server: OpenAIServer, waits: Waits) -> None:
    server.script("m", Reply(status=500, payload={"error": {"message": "Oops."}}))
    config = ModelConfig("m", "openai/m", api_base=server.url)
    async with Gateway(GatewaySettings(), {}, clock=waits.clock) as gateway:
        calls = await _all(gateway, config, 12)
    assert [len(call.attempts) for call in calls] == [3] * 10 + [0, 0]
    assert len(server.seen) == 30


async def test_retries_in_progress_stop(server: OpenAIServer) -> None:
    """One call waits for its retry when another finds the key wrong; a third model goes on."""
    retrying = asyncio.Event()

    async def sleep(seconds: float) -> None:
        retrying.set()
        await asyncio.Event().wait()

    server.script("m", Reply(status=500, payload={"error": {"message": "Oops."}}), Reply(status=401, payload={}))
    config = ModelConfig("m", "openai/m", api_base=server.url)
    other = ModelConfig("other", "fake/echo")
    async with Gateway(GatewaySettings(), {}, clock=Clock(sleep=sleep)) as gateway:
        first = asyncio.create_task(gateway.ask(resolve(config), chat(config)))
        await asyncio.wait_for(retrying.wait(), 10)
        second = await gateway.ask(resolve(config), chat(config))
        retried = await asyncio.wait_for(first, 10)
        assert (await gateway.ask(resolve(other), chat(other))).outcome is Outcome.ANSWERED
    assert (second.status, retried.status) == (401, 500)
    assert (len(retried.attempts), len(server.seen)) == (1, 2)
    assert retried.error is not None and retried.error.startswith("HTTP 500: Oops. Not asked again: The model")


async def test_those_who_wait_for_their_turn_are_told(server: OpenAIServer) -> None:
    server.script("m", Reply(status=401, payload={"error": {"message": "Wrong key."}}))
    config = ModelConfig("m", "openai/m", api_base=server.url, requests_per_minute=1)
    async with Gateway(GatewaySettings(), {}) as gateway:
        calls = await asyncio.wait_for(
            asyncio.gather(*(gateway.ask(resolve(config), chat(config, f"n {n}")) for n in range(20))), 10
        )
    assert sorted(call.outcome for call in calls) == [Outcome.PROVIDER_ERROR] + [Outcome.SKIPPED] * 19
    assert len(server.seen) == 1


async def test_they_are_told_even_behind_another_model_that_goes_on(server: OpenAIServer) -> None:
    """Two names of one model share its limit; only one of them fails."""
    server.script("m", Reply(status=401, payload={"error": {"message": "Wrong key."}}), Reply("fine"))
    config = ModelConfig("a", "openai/m", api_base=server.url, requests_per_minute=1)
    other = ModelConfig("b", "openai/m", api_base=server.url)
    async with Gateway(GatewaySettings(), {}) as gateway:
        first = asyncio.create_task(gateway.ask(resolve(config), chat(config)))
        waiting = asyncio.create_task(gateway.ask(resolve(other), chat(other)))
        last = asyncio.create_task(gateway.ask(resolve(config), chat(config)))
        assert (await asyncio.wait_for(first, 10)).status == 401
        assert (await asyncio.wait_for(last, 10)).outcome is Outcome.SKIPPED
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def test_what_is_in_flight_ends_normally(server: OpenAIServer) -> None:
    server.script("m", Reply("one two", fault="hold"), Reply(status=401, payload={"error": {"message": "Wrong key."}}))
    config = ModelConfig("m", "openai/m", api_base=server.url)
    shown = asyncio.Event()
    async with Gateway(GatewaySettings(timeout_s=0.5), {}) as gateway:
        held = asyncio.create_task(gateway.ask(resolve(config), chat(config), on_delta=lambda _: shown.set()))
        await asyncio.wait_for(shown.wait(), 10)
        assert (await gateway.ask(resolve(config), chat(config))).status == 401
        assert list(gateway.open_circuits) == ["m"]
        assert (await held).outcome is Outcome.TIMEOUT  # its own deadline ended it, not the circuit
