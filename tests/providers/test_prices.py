from __future__ import annotations

from typing import Any

import pytest

from llmctl.project.models import Price
from llmctl.providers import prices
from llmctl.providers.prices import FREE, PriceTable, Tier, cost_usd, from_config, lookup
from llmctl.providers.records import Usage


def test_a_price_of_the_installed_table() -> None:
    price = lookup("openai", "gpt-4o-mini")
    assert price is not None
    assert price.input_per_million == pytest.approx(0.15)
    assert price.output_per_million == pytest.approx(0.60)
    assert cost_usd(Usage(1_000_000, 1_000_000), price) == pytest.approx(0.75)
    assert cost_usd(Usage(1_000_000, 0, cached_tokens=400_000), price) == pytest.approx(0.6 * 0.15 + 0.4 * 0.075)


def test_the_full_name_comes_before_the_bare_one() -> None:
    assert lookup("deepseek", "deepseek-chat") == lookup("deepseek", "deepseek-chat")
    found = prices.entry("deepseek", "deepseek-chat")
    assert found is prices.price_table()["deepseek/deepseek-chat"]


def test_a_bare_name_of_another_provider_does_not_count() -> None:
    assert prices.entry("openai", "gpt-4o-mini") is not None
    assert prices.entry("groq", "gpt-4o-mini") is None


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    entries: dict[str, dict[str, Any]] = {}
    monkeypatch.setattr(prices, "price_table", lambda: entries)
    return entries


def entry(**more: object) -> dict[str, Any]:
    return {"litellm_provider": "p", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, **more}


def test_tiers(table: dict[str, dict[str, Any]]) -> None:
    table["p/m"] = entry(
        input_cost_per_token_above_200k_tokens=9e-6,
        input_cost_per_token_above_128k_tokens=3e-6,
        output_cost_per_token_above_128k_tokens=4e-6,
    )
    price = lookup("p", "m")
    assert price is not None
    assert [tier.above_tokens for tier in price.tiers] == [0, 128_000, 200_000]
    assert cost_usd(Usage(128_000, 10), price) == pytest.approx(128_000 * 1e-6 + 10 * 2e-6)
    assert cost_usd(Usage(128_001, 10), price) == pytest.approx(128_001 * 3e-6 + 10 * 4e-6)
    assert cost_usd(Usage(200_001, 10), price) == pytest.approx(200_001 * 9e-6 + 10 * 2e-6)


def test_reasoning_tokens_have_their_own_price(table: dict[str, dict[str, Any]]) -> None:
    table["p/m"] = entry(output_cost_per_reasoning_token=5e-6)
    assert cost_usd(Usage(0, 10, reasoning_tokens=4), lookup("p", "m")) == pytest.approx(6 * 2e-6 + 4 * 5e-6)


@pytest.mark.parametrize(
    "rule",
    [
        {"input_cost_per_second": 1.0},
        {"output_cost_per_character": 1.0},
        {"input_cost_per_request": 0.1},
        {"tiered_pricing": []},
        {"off_peak_pricing": {}},
        {"citation_cost_per_token": 1.0},
        {"some_new_cost": 1.0},
        {"input_cost_per_token": None},
        {"output_cost_per_token": "free"},
    ],
)
def test_a_rule_that_is_not_understood_is_unknown(table: dict[str, dict[str, Any]], rule: dict[str, object]) -> None:
    table["p/m"] = entry(**rule)
    assert lookup("p", "m") is None


def test_prices_of_other_kinds_do_not_matter(table: dict[str, dict[str, Any]]) -> None:
    table["p/m"] = entry(
        input_cost_per_token_batches=1, output_cost_per_image=1, search_context_cost_per_query={}, max_tokens=9
    )
    assert lookup("p", "m") == PriceTable((Tier(0, 1e-6, 2e-6),))


def test_a_search_is_part_of_every_call_to_perplexity(table: dict[str, dict[str, Any]]) -> None:
    table["perplexity/sonar"] = entry(search_context_cost_per_query={}, litellm_provider="perplexity")
    assert lookup("perplexity", "sonar") is None


def test_unknown_is_not_zero() -> None:
    assert lookup("openai", "no-such-model") is None
    assert cost_usd(Usage(1, 1), None) is None
    assert cost_usd(Usage(1, None), from_config(Price(1, 1))) is None
    assert cost_usd(Usage(), FREE) == 0.0


def test_most_chat_models_of_the_table_have_a_price() -> None:
    chat = {name: item for name, item in prices.price_table().items() if item.get("mode") == "chat"}
    known = [
        name
        for name, item in chat.items()
        if lookup(
            str(item["litellm_provider"]),
            name.rpartition("/")[2] if not name.startswith(f"{item['litellm_provider']}/") else name.partition("/")[2],
        )
    ]
    assert len(chat) > 2000
    assert len(known) > len(chat) / 2
