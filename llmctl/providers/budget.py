"""The most that a run may spend: what an attempt can cost is reserved before it is sent, so that it is never passed."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass

from llmctl.providers.bounds import InputRatio, attempt_bound_usd, input_bound, price_of
from llmctl.providers.records import ChatRequest
from llmctl.providers.routes import Route

__all__ = ["Budget", "Reservation", "price_problem", "unbounded", "unpriced"]

_UNITS_PER_USD = 10**12
"""Money is counted in whole numbers, so that a million small sums add up."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """Money set aside for one attempt."""

    units: int
    input_bound: int
    """The bound of its input tokens, before it was tightened."""


class Budget:
    """All models of a run together."""

    def __init__(self, limit_usd: float | None) -> None:
        self.spent_up = False
        """Whether a call was kept back because what is left does not cover it. Then all further ones are."""
        self._limit = None if limit_usd is None else math.floor(limit_usd * _UNITS_PER_USD)
        self._spent = 0
        self._reserved = 0
        self._bell: asyncio.Future[None] | None = None

    @property
    def limited(self) -> bool:
        """Whether there is a limit."""
        return self._limit is not None

    @property
    def spent_usd(self) -> float:
        """What was counted or, where nothing was counted though it may have been charged, reserved."""
        return self._spent / _UNITS_PER_USD

    async def reserve(self, route: Route, request: ChatRequest, ratio: InputRatio) -> Reservation | None:
        """Set aside the most that the next attempt can cost; None where the budget is used up.

        Waits while other attempts are under way that may cost less than was set aside for them.
        """
        if self._limit is None or (route.price is not None and route.price.free):
            return Reservation(0, 0)
        bound = input_bound(request)
        while not self.spent_up:
            cost_usd = attempt_bound_usd(route, request, ratio.tightened(bound))
            if cost_usd is None:
                return None
            units = math.ceil(cost_usd * _UNITS_PER_USD)
            if self._spent + self._reserved + units <= self._limit:
                self._reserved += units
                return Reservation(units, bound)
            if not self._reserved:
                self.spent_up = True
                break
            await self._change()
        return None

    def settle(self, reservation: Reservation, cost_usd: float | None) -> None:
        """The attempt is over. `cost_usd` None: it may have been charged, nobody knows how much."""
        self._reserved -= reservation.units
        self._spent += reservation.units if cost_usd is None else math.ceil(cost_usd * _UNITS_PER_USD)
        if self._bell is not None:
            bell, self._bell = self._bell, None
            if not bell.done():
                bell.set_result(None)

    async def _change(self) -> None:
        """Until an attempt is settled."""
        if self._bell is None:
            self._bell = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._bell)


def unpriced(route: Route) -> bool:
    """Whether the price of the model is unknown, so that no budget can be kept."""
    return route.price is None


def unbounded(route: Route, request: ChatRequest) -> bool:
    """Whether nothing says what one call can cost at most, though the model's price may be known."""
    return attempt_bound_usd(route, request, 0) is None


def price_problem(route: Route, request: ChatRequest | None = None) -> str:
    """One sentence on why no budget can be kept with this model, with the line to add; empty where it can.

    With a request it also says whether the length of the answer is bounded.
    """
    name = route.config.name
    if route.app is not None:
        return (
            "What a call of your own application costs is not known before it is made, so no budget can be kept: "
            f"leave the target `{name}` out, or run it without --max-cost and without [eval] max_cost."
        )
    if unpriced(route):
        return (
            f'The price of the model "{name}" ({route.model}) is unknown, so no budget can be kept: add its USD per '
            f"million tokens to llmctl.toml under [models.{_key(name)}]: price = {{input = 0.15, output = 0.60}}"
        )
    if request is None or not unbounded(route, request):
        return ""
    if price_of(route, request) is None:
        tier = request.params.get("service_tier")
        return f'The price of the model "{name}" in the service tier "{tier}" is unknown, so no budget can be kept.'
    return (
        f'Nothing bounds the length of an answer of the model "{name}" ({route.model}), so no budget can be kept: '
        "add max_tokens to the prompt's params, or to llmctl.toml under "
        f"[models.{_key(name)}]: params = {{max_tokens = 512}}"
    )


def _key(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() and name.isascii() else f'"{name}"'
