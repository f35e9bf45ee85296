from __future__ import annotations

import pytest

from llmctl.project.models import ModelConfig, Price
from llmctl.providers.bounds import input_bytes
from llmctl.providers.estimate import Estimate, Seen, estimate
from llmctl.providers.records import ChatRequest
from llmctl.providers.routes import resolve

MODEL = ModelConfig("m", "openai/x", price=Price(1.0, 10.0))


def request(**params: object) -> ChatRequest:
    return ChatRequest(MODEL.model, ({"role": "user", "content": "x" * 400},), params=params)


SIZE = input_bytes(request())


@pytest.mark.parametrize(
    ("params", "seen", "tokens"),
    [
        ({}, None, (SIZE // 4, 256)),
        ({"max_tokens": 50}, None, (SIZE // 4, 50)),
        ({"max_tokens": 50}, Seen(), (SIZE // 4, 50)),
        ({"max_tokens": 50}, Seen(0.5, 12.4), (SIZE // 2, 12)),
        ({"max_tokens": 50}, Seen(None, 900.0), (SIZE // 4, 50)),
        ({}, Seen(None, 900.0), (SIZE // 4, 900)),
        ({}, Seen(0.5, None), (SIZE // 2, 256)),
    ],
)
def test_expected_tokens(params: dict[str, object], seen: Seen | None, tokens: tuple[int, int]) -> None:
    found = estimate(request(**params), resolve(MODEL), seen)
    assert (found.input_tokens, found.output_tokens) == pytest.approx(tokens, abs=1)
    assert found.cost_usd == pytest.approx(found.input_tokens * 1e-6 + found.output_tokens * 10e-6)


def test_an_unknown_price_is_unknown() -> None:
    assert estimate(request(), resolve(ModelConfig("m", "openai/unheard-of"))).cost_usd is None


def test_a_model_of_this_machine_is_free() -> None:
    config = ModelConfig("m", "fake/echo")
    assert estimate(ChatRequest(config.model, ()), resolve(config)) == Estimate(3, 256, 0.0)


def test_an_application_s_payload_counts() -> None:
    config = ModelConfig("m", "fake/echo")
    small = estimate(ChatRequest(config.model, (), payload={"body": "x"}), resolve(config))
    large = estimate(ChatRequest(config.model, (), payload={"body": "x" * 4000}), resolve(config))
    assert 990 <= large.input_tokens - small.input_tokens <= 1010
