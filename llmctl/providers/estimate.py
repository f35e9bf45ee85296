"""What a call will probably take: tokens and cost, for `--dry-run` and for the reservation of rate limits. Pure.

Expected values, not bounds (those are in `bounds`): from what this project's own runs have shown of the target, else
from the size of the request: 4 bytes a token, and an answer as long as it may be (`max_tokens`), else 256 tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

from llmctl.providers.bounds import input_bytes, output_bound_stated, price_of
from llmctl.providers.prices import cost_usd
from llmctl.providers.records import ChatRequest, Usage
from llmctl.providers.routes import Route

__all__ = ["BYTES_PER_TOKEN", "OUTPUT_TOKENS", "Estimate", "Seen", "estimate"]

BYTES_PER_TOKEN = 4.0
"""Of English text in UTF-8, by OpenAI's rule of thumb; other languages have fewer."""
OUTPUT_TOKENS = 256
"""Where nothing is known of the answer."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What earlier calls of a target have shown; None where they say nothing."""

    tokens_per_byte: float | None = None
    """Input tokens over `input_bytes` of the request."""
    output_tokens: float | None = None
    """Mean of a call."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of one call."""

    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    """None: the model's price is unknown."""


def estimate(request: ChatRequest, route: Route, seen: Seen | None = None) -> Estimate:
    """What one attempt of this request will probably take."""
    seen = seen or Seen()
    ratio = 1 / BYTES_PER_TOKEN if seen.tokens_per_byte is None else seen.tokens_per_byte
    read = max(1, round(input_bytes(request) * ratio))
    most = output_bound_stated(request)
    if seen.output_tokens is not None:
        made = round(seen.output_tokens) if most is None else min(round(seen.output_tokens), most)
    else:
        made = OUTPUT_TOKENS if most is None else most
    return Estimate(read, made, cost_usd(Usage(read, made), price_of(route, request)))
