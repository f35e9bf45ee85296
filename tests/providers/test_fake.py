from __future__ import annotations

import pytest

from llmctl.errors import UsageError
from llmctl.outcome import Outcome
from llmctl.project.models import ModelConfig, Price
from llmctl.providers.fake_script import FAULTS
from llmctl.providers.gateway import Gateway, GatewaySettings
from llmctl.providers.records import Call, ChatRequest
from llmctl.providers.routes import resolve
from tests.providers.conftest import Waits, ask, chat


def fake(name: str = "script", **options: object) -> ModelConfig:
    return ModelConfig("m", f"fake/{name}", options=options)


async def test_echo() -> None:
    call = await ask(fake("echo"))
    assert (call.outcome, call.output, call.finish_reason) == (Outcome.ANSWERED, "hello there", "stop")
    assert (call.provider, call.transport, call.endpoint, call.model) == ("fake", "fake", "fake", "fake/echo")
    assert (call.usage.input_tokens, call.usage.output_tokens, call.cost_usd, call.status) == (2, 2, 0.0, 200)
    assert '"content":"hello there"' in call.attempts[0].request_body
    assert '"content":"hello there"' in call.attempts[0].response_body


async def test_the_first_answer_that_matches_wins() -> None:
    model = fake(
        answer="other",
        answers=[{"match": "refund|money", "answer": {"queue": "billing"}}, {"match": "lawyer", "fault": "refused"}],
    )
    assert (await ask(model, chat(model, "my money"))).output == '{"queue":"billing"}'
    assert (await ask(model, chat(model, "my lawyer"))).outcome is Outcome.REFUSED
    assert (await ask(model, chat(model, "hello"))).output == "other"


async def test_a_message_that_nothing_matches_is_an_error() -> None:
    call = await ask(fake(answers=[{"match": "^x$", "answer": "y"}]))
    assert (call.outcome, call.status) == (Outcome.BAD_REQUEST, 400)


OUTCOMES = {
    "ok": Outcome.ANSWERED,
    "timeout": Outcome.TIMEOUT,
    "reset": Outcome.PROVIDER_ERROR,
    "malformed": Outcome.MALFORMED,
    "html": Outcome.MALFORMED,
    "no_choices": Outcome.MALFORMED,
    "cut": Outcome.MALFORMED,
    "no_usage": Outcome.ANSWERED,
    "empty": Outcome.EMPTY,
    "truncated": Outcome.TRUNCATED,
    "refused": Outcome.REFUSED,
    "filtered": Outcome.FILTERED,
    "context_exceeded": Outcome.CONTEXT_EXCEEDED,
    "quota": Outcome.PROVIDER_ERROR,
    "429": Outcome.PROVIDER_ERROR,
    "500": Outcome.PROVIDER_ERROR,
    "401": Outcome.PROVIDER_ERROR,
    "404": Outcome.BAD_REQUEST,
}


def test_every_fault_is_tried_here() -> None:
    assert set(OUTCOMES) >= FAULTS


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("fault", OUTCOMES)
async def test_faults(fault: str, streamed: bool) -> None:
    model = fake(answers=[{"match": "", "fault": fault}])
    call = await ask(
        model, chat(model, stream=streamed), timeout_s=0.05 if fault == "timeout" else 20.0, max_attempts=1
    )
    assert call.outcome is OUTCOMES[fault]


async def test_faults_come_in_turn_and_retries_count(waits: Waits) -> None:
    model = fake(answer="fine", faults=[429, "reset", "ok", "500"])
    async with Gateway(GatewaySettings(), {}, clock=waits.clock) as gateway:
        calls = [await gateway.ask(resolve(model), chat(model)) for _ in range(3)]
    assert [[attempt.status for attempt in call.attempts] for call in calls] == [[429, None, 200], [500, 200], [200]]
    assert {call.output for call in calls} == {"fine"}


async def flaky(seed: int, repeats: int) -> list[Call]:
    model = fake(answer="right", flake_answer="wrong", flake_rate=0.3, seed=seed)
    async with Gateway(GatewaySettings(), {}) as gateway:
        return [await gateway.ask(resolve(model), chat(model), repeat=repeat + 1) for repeat in range(repeats)]


async def test_flakes_depend_on_key_and_seed_only() -> None:
    first, again, other = [[call.output for call in await flaky(seed, 200)] for seed in (1, 1, 2)]
    assert first == again != other
    assert 35 <= first.count("wrong") <= 85


async def test_a_stream_shows_words_as_they_come() -> None:
    pieces: list[str] = []
    model = fake("echo")
    async with Gateway(GatewaySettings(), {}) as gateway:
        call = await gateway.ask(resolve(model), chat(model, "a  b c"), on_delta=pieces.append)
    assert (pieces, call.output) == (["a", " ", " b", " c"], "a  b c")
    assert call.ttft_ms is not None and call.ttft_ms <= call.latency_ms
    assert call.usage.output_tokens == 3


async def test_latency() -> None:
    assert (await ask(fake(answer="x", latency_ms=30))).latency_ms >= 29


async def test_a_price_of_the_config() -> None:
    call = await ask(ModelConfig("m", "fake/echo", price=Price(1.0, 2.0)))
    assert call.cost_usd == pytest.approx(6e-6)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"answer": "x", "answr": "y"},
        {"answers": "x"},
        {"answers": [{"answer": "x"}]},
        {"answers": [{"match": "(", "answer": "x"}]},
        {"answers": [{"match": "x", "answer": "x", "default": "ok"}]},
        {"answers": [{"match": "x"}]},
        {"answer": "x", "faults": ["explode"]},
        {"answer": "x", "faults": [200]},
        {"answer": "x", "flake_rate": 2},
        {"answer": "x", "flake_rate": True},
        {"answer": "x", "latency_ms": -1},
    ],
)
def test_mistakes_in_options(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        resolve(ModelConfig("m", "fake/script", options=options))


def test_echo_has_no_answers() -> None:
    with pytest.raises(UsageError, match="last user message"):
        resolve(fake("echo", answer="x"))


async def test_of_a_message_in_parts_the_text_is_echoed() -> None:
    model = ModelConfig("m", "fake/echo")
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    content = [{"type": "text", "text": "what is"}, image, {"type": "text", "text": "this?"}]
    call = await ask(model, ChatRequest(model.model, ({"role": "user", "content": content},)))
    assert (call.output, call.usage.input_tokens) == ("what is this?", 3)
