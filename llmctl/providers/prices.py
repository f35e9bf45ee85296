"""What a call costs: the price table inside the installed `litellm` package, read as a file.

A price with a rule that is not understood here (per second, per request, by the hour ...) is unknown, never estimated.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from llmctl.project.models import Price
from llmctl.providers.records import Usage

__all__ = ["FREE", "PriceTable", "Tier", "cost_usd", "entry", "from_config", "lookup", "price_table"]

_FILE = "model_prices_and_context_window_backup.json"
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Tier:
    """Prices in USD per token for calls with more than `above_tokens` input tokens."""

    above_tokens: int
    input: float
    output: float
    cached: float | None = None
    """None: cached tokens cost what other input tokens cost."""
    reasoning: float | None = None
    """None: reasoning tokens cost what other output tokens cost."""


@dataclass(frozen=True, slots=True)
class PriceTable:
    """The prices of one model, lowest tier first; the first tier begins at 0 tokens."""

    tiers: tuple[Tier, ...]

    @property
    def input_per_million(self) -> float:
        """USD per million input tokens in the lowest tier."""
        return self.tiers[0].input * _MILLION

    @property
    def output_per_million(self) -> float:
        """USD per million output tokens in the lowest tier."""
        return self.tiers[0].output * _MILLION

    @property
    def free(self) -> bool:
        """Whether nothing costs anything, so that a call's cost is known without its tokens."""
        return all(not (tier.input or tier.output or tier.cached or tier.reasoning) for tier in self.tiers)


FREE = PriceTable((Tier(0, 0.0, 0.0),))
"""Of models that run on this machine, and of the fake one."""


def from_config(price: Price) -> PriceTable:
    """The price that `llmctl.toml` states."""
    return PriceTable((Tier(0, price.input / _MILLION, price.output / _MILLION),))


def cost_usd(usage: Usage, price: PriceTable | None) -> float | None:
    """The cost of one attempt; None where price or tokens are unknown."""
    if price is None:
        return None
    if price.free:
        return 0.0
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    tier = [tier for tier in price.tiers if usage.input_tokens > tier.above_tokens or tier.above_tokens == 0][-1]
    cached = min(usage.cached_tokens or 0, usage.input_tokens)
    reasoning = min(usage.reasoning_tokens or 0, usage.output_tokens)
    return (
        (usage.input_tokens - cached) * tier.input
        + cached * (tier.input if tier.cached is None else tier.cached)
        + (usage.output_tokens - reasoning) * tier.output
        + reasoning * (tier.output if tier.reasoning is None else tier.reasoning)
    )


@lru_cache(maxsize=1)
def price_table() -> Mapping[str, Mapping[str, Any]]:
    """Every model that the installed `litellm` knows a price of; empty where the file is not there.

    `litellm` itself is not imported: that takes seconds.
    """
    spec = importlib.util.find_spec("litellm")
    if spec is None or spec.origin is None:
        return {}
    file = Path(spec.origin).parent / _FILE
    if not file.is_file():
        return {}
    table: dict[str, dict[str, Any]] = orjson.loads(file.read_bytes())
    table.pop("sample_spec", None)
    return table


def entry(provider: str, wire_model: str) -> Mapping[str, Any] | None:
    """The table's entry: by full name, else by the bare name where its provider is the same."""
    table = price_table()
    full = table.get(f"{provider}/{wire_model}")
    if full is not None:
        return full
    bare = table.get(wire_model)
    return bare if bare is not None and _same_provider(str(bare.get("litellm_provider")), provider) else None


def lookup(provider: str, wire_model: str) -> PriceTable | None:
    """The price of a model; None where it is unknown or follows a rule that is not understood here."""
    found = entry(provider, wire_model)
    if found is None or any(_unknown_rule(key, provider) for key in found):
        return None
    tiers = [_tier(found, suffix) for suffix in ("", *sorted(_suffixes(found), key=_threshold))]
    return None if any(tier is None for tier in tiers) else PriceTable(tuple(tier for tier in tiers if tier))


def _same_provider(named: str, provider: str) -> bool:
    return named == provider or (provider == "vertex_ai" and named.startswith("vertex_ai"))


_READ = re.compile(
    r"^(?:input_cost_per_token|output_cost_per_token|cache_read_input_token_cost|output_cost_per_reasoning_token)"
    r"(?P<tier>_above_\d+k?_tokens)?$"
)
_ELSEWHERE = re.compile(
    # Service tiers that a call does not ask for, other modalities, cache writes and tools that no prompt here uses.
    r"_(?:batches|priority|flex|balanced|ultrafast|decisions)$|audio|image|video|pixel|cache_creation|_dbu_"
    r"|search_context_cost_per_query|google_maps|code_interpreter|computer_use|file_search|vector_store"
    r"|input_cost_per_token_cache_hit|explicit_cache_read"
)
_MONEY = re.compile(r"cost|pric")


def _unknown_rule(key: str, provider: str) -> bool:
    if not _MONEY.search(key) or _READ.match(key):
        return False
    # Perplexity's models always search, so the fee for a search is part of every call.
    return provider == "perplexity" if key == "search_context_cost_per_query" else not _ELSEWHERE.search(key)


def _suffixes(found: Mapping[str, Any]) -> set[str]:
    matches = (_READ.match(key) for key in found)
    return {match["tier"] for match in matches if match and match["tier"]}


def _threshold(suffix: str) -> int:
    match = re.search(r"(\d+)(k?)", suffix)
    if match is None:
        return 0
    return int(match[1]) * (1000 if match[2] else 1)


def _tier(found: Mapping[str, Any], suffix: str) -> Tier | None:
    """The prices that hold above a threshold; what the tier does not name costs as in the lowest one."""

    def price(name: str) -> float | None:
        value = found.get(name + suffix, found.get(name))
        return float(value) if isinstance(value, int | float) else None

    price_input, price_output = price("input_cost_per_token"), price("output_cost_per_token")
    if price_input is None or price_output is None:
        return None
    return Tier(
        _threshold(suffix),
        price_input,
        price_output,
        price("cache_read_input_token_cost"),
        price("output_cost_per_reasoning_token"),
    )
