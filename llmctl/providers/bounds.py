"""The most that one attempt can cost, known before it is sent. Pure.

Input: no tokenizer in use makes more tokens than the text has bytes (byte-pair encoding merges bytes: Sennrich, Haddow
and Birch, 2016; SentencePiece falls back to bytes: Kudo and Richardson, 2018), and the JSON around each message is
longer than the few tokens that a chat template adds. What a provider adds unseen is bounded by constants: a system
header, the instructions for tools (Anthropic documents up to 700 tokens), a picture.
Output: `max_tokens`, or what the price table says that the model can make at most.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from llmctl.providers.prices import PriceTable, entry
from llmctl.providers.records import ChatRequest, Usage
from llmctl.providers.routes import Route

__all__ = [
    "InputRatio",
    "attempt_bound_usd",
    "input_bound",
    "input_bytes",
    "output_bound",
    "output_bound_stated",
    "price_of",
]

_HEADER_TOKENS = 64
_TOOLS_TOKENS = 1024
_PART_TOKENS = 50_000
"""Of a picture or a file: gpt-4o-mini counts up to 48,169 tokens for one picture."""
_OUTPUT_NAMES = ("max_tokens", "max_completion_tokens", "max_output_tokens")


@dataclass(slots=True)
class InputRatio:
    """The highest share of the bound that the input tokens of a model have reached in this run."""

    highest: float = 0.0
    seen: int = 0

    _ENOUGH = 20
    _HEAD_ROOM = 2.0

    def note(self, bound_tokens: int, usage: Usage) -> None:
        """Learn from what the provider counted for a request with this bound."""
        if usage.input_tokens is not None and bound_tokens > 0:
            self.seen += 1
            self.highest = max(self.highest, usage.input_tokens / bound_tokens)

    def tightened(self, bound_tokens: int) -> int:
        """The bound, lowered to twice the highest share once 20 answers have been seen."""
        if self.seen < self._ENOUGH:
            return bound_tokens
        return min(bound_tokens, int(bound_tokens * self.highest * self._HEAD_ROOM) + _HEADER_TOKENS)


def price_of(route: Route, request: ChatRequest) -> PriceTable | None:
    """The price of a call; None where it is unknown, as for a service tier that the table does not tell apart."""
    if route.price is None or route.price.free:
        return route.price
    return route.price if request.params.get("service_tier") in {None, "auto", "default"} else None


def input_bytes(request: ChatRequest) -> int:
    """The size of all that a model reads, as JSON in UTF-8."""
    if request.payload is not None:
        return len(orjson.dumps(request.payload, default=str))
    return len(orjson.dumps([request.messages, request.tools, request.response_format], default=str))


def input_bound(request: ChatRequest) -> int:
    """More input tokens than any model counts."""
    tokens = input_bytes(request) + _HEADER_TOKENS
    if request.tools:
        tokens += _TOOLS_TOKENS
    return tokens + _PART_TOKENS * sum(_parts(message) for message in request.messages)


def _parts(message: Mapping[str, object]) -> int:
    content = message.get("content")
    if not isinstance(content, list | tuple):
        return 0
    return sum(1 for part in content if not (isinstance(part, dict) and part.get("type") == "text"))


def output_bound_stated(request: ChatRequest) -> int | None:
    """The most output tokens that the request asks for; None where it does not say."""
    stated = [_count(source.get(name)) for source in (request.options, request.params) for name in _OUTPUT_NAMES]
    return max((count for count in stated if count is not None), default=None)


def output_bound(route: Route, request: ChatRequest) -> int | None:
    """The most output tokens that the model may make; None where nothing bounds them."""
    stated = output_bound_stated(request)
    if stated is not None:
        return stated
    found: Mapping[str, Any] = entry(route.provider, route.wire_model) or {}
    return _count(found.get("max_output_tokens")) or _count(found.get("max_tokens"))


def attempt_bound_usd(route: Route, request: ChatRequest, input_tokens: int) -> float | None:
    """The most that one attempt can cost with at most so many input tokens; None where nothing bounds it."""
    price = price_of(route, request)
    if price is None:
        return None
    if price.free:
        return 0.0
    made = output_bound(route, request)
    if made is None:
        return None
    tiers = [tier for tier in price.tiers if tier.above_tokens == 0 or input_tokens > tier.above_tokens]
    read_usd = max(max(tier.input, tier.cached or 0.0) for tier in tiers)
    made_usd = max(max(tier.output, tier.reasoning or 0.0) for tier in tiers)
    return input_tokens * read_usd + made * made_usd


def _count(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None
