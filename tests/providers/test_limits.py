"""The limits in virtual time, against servers that count in all the usual ways; and for a moment in real time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from llmctl.outcome import Outcome
from llmctl.project.models import ModelConfig
from llmctl.providers.gateway import Gateway, GatewaySettings
from llmctl.providers.limits import Limits
from llmctl.providers.ratelimit_headers import Allowance, read_allowance
from llmctl.providers.records import Call
from llmctl.providers.routes import resolve
from tests.providers.conftest import chat
from tests.support.limit_server import Counter, FixedWindow, LimitServer, NoLimit, SlidingWindow, TokenBucket
from tests.support.virtual_time import run_virtual, virtual_clock

COUNTERS = [TokenBucket, FixedWindow, SlidingWindow]


@dataclass
class Provider:
    """A provider in virtual time: refuses at once, answers after a while."""

    counter: Counter = field(default_factory=NoLimit)
    latency_s: float = 2.0
    tokens: Callable[[int], int] | None = None
    """What call n takes; None: requests are counted."""
    hints: bool = False
    status: int = 429
    tells: Callable[[float], Allowance] | None = None
    """What is left at a time, as its headers say."""
    sent_at: list[float] = field(default_factory=list)
    refused_at: list[float] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def one(self, limits: Limits, n: int, reserve: int = 0) -> None:
        """One call, again and again until it is answered."""
        loop, again = asyncio.get_running_loop(), False
        while True:
            ticket = await limits.enter(reserve, again=again)
            assert ticket is not None
            now, again = loop.time(), True
            self.sent_at.append(now)
            amount = self.tokens(n) if self.tokens else 1
            if self.counter.admit(now, amount):
                left = self.tells(now) if self.tells else None
                break
            self.refused_at.append(now)
            await asyncio.sleep(0.05)
            wait_s = self.counter.retry_after_s(now) if self.hints else None
            limits.refuse(ticket, wait_s, rate=self.status == 429)
            await asyncio.sleep(wait_s or 0.5)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(self.latency_s)
        self.at_once -= 1
        limits.leave(ticket, amount if self.tokens else None, left=left)

    async def run(self, limits: Limits, calls: int, workers: int, reserve: int = 0) -> None:
        """So many calls by so many workers."""
        numbers = iter(range(calls))

        async def work() -> None:
            for n in numbers:
                await self.one(limits, n, reserve)

        await asyncio.gather(*(work() for _ in range(workers)))

    @property
    def refused_share(self) -> float:
        return len(self.refused_at) / len(self.sent_at)

    @property
    def per_second(self) -> float:
        """Answered requests a second."""
        return (len(self.sent_at) - len(self.refused_at) - 1) / (self.sent_at[-1] - self.sent_at[0])


@pytest.mark.parametrize("counter", COUNTERS)
@pytest.mark.parametrize("window_s", [1.0, 10.0, 60.0])
def test_requests_a_minute_are_kept_and_used(counter: Callable[[float, float], Counter], window_s: float) -> None:
    provider = Provider(counter(600 * window_s / 60, window_s))

    async def scene() -> None:
        limits = Limits(32, virtual_clock())
        limits.configure(600, None)
        await provider.run(limits, 1500, 32)

    run_virtual(scene)
    assert provider.refused_at == []
    assert 0.85 * 10 <= provider.per_second <= 10
    # From the first second: no burst of a minute's requests at the start.
    assert sum(at < provider.sent_at[0] + 1.0 for at in provider.sent_at) <= 10


@pytest.mark.parametrize("counter", COUNTERS)
@pytest.mark.parametrize("reserve", [60, 100, 300])
def test_tokens_a_minute_are_kept_and_used(counter: Callable[[float, float], Counter], reserve: int) -> None:
    """Whether more or less was reserved than is counted in the end: 50 to 149 tokens a call."""
    provider = Provider(counter(60_000, 60.0), tokens=lambda n: 50 + n * 37 % 100)

    async def scene() -> None:
        limits = Limits(32, virtual_clock())
        limits.configure(None, 60_000)
        await provider.run(limits, 2000, 32, reserve)

    run_virtual(scene)
    assert provider.refused_share <= 0.02
    assert 0.85 * 1000 <= provider.per_second * 99.5 <= 1020


@pytest.mark.parametrize("counter", COUNTERS)
@pytest.mark.parametrize("hints", [False, True])
@pytest.mark.parametrize(("allowed", "window_s"), [(100, 1.0), (200, 5.0), (300, 60.0)])
def test_an_unknown_limit_is_learned(
    counter: Callable[[float, float], Counter], hints: bool, allowed: int, window_s: float
) -> None:
    provider = Provider(counter(allowed, window_s), latency_s=0.5, hints=hints)

    async def scene() -> None:
        await provider.run(Limits(128, virtual_clock()), 3000, 128)

    run_virtual(scene)
    assert provider.refused_share <= 0.02
    assert provider.per_second >= 0.6 * allowed / window_s


def test_headers_that_say_what_is_left_spare_refusals() -> None:
    bucket = TokenBucket(200, 60.0)

    def tells(now: float) -> Allowance:
        remaining = float(int(bucket.level))
        reset_s = (bucket.size - bucket.level) * bucket.window_s / bucket.size
        return Allowance(remaining, (bucket.size - remaining) / reset_s)

    told, untold = Provider(bucket, tells=tells), Provider(TokenBucket(200, 60.0))

    def scene(provider: Provider) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            await provider.run(Limits(64, virtual_clock()), 600, 64)

        return run

    run_virtual(scene(told))
    run_virtual(scene(untold))
    assert len(told.refused_at) <= 4
    assert len(untold.refused_at) >= 12
    assert told.per_second >= 200 / 60 * 0.9


@pytest.mark.parametrize(
    ("limit", "remaining", "reset", "allowance"),
    [
        ("60", "59", "1s", Allowance(59, 1.0)),
        ("14400", "14370", "2m59.56s", Allowance(14370, 30 / 179.56)),
        ("100", "0", "120ms", Allowance(0, 100 / 0.12)),
        ("100", "40", "1h1m", Allowance(40, 60 / 3660)),
        ("100", "40", "30", Allowance(40, 2.0)),
        ("100", "100", "0s", Allowance(100)),
        (None, "7", None, Allowance(7)),
        ("100", "7", "soon", Allowance(7)),
        ("100", "-1", "1s", None),
        ("100", "many", "1s", None),
        ("100", None, "1s", None),
    ],
)
def test_ratelimit_headers(limit: str | None, remaining: str | None, reset: str | None, allowance: object) -> None:
    named = {"limit": limit, "remaining": remaining, "reset": reset}
    headers = {f"x-ratelimit-{name}-requests": text for name, text in named.items() if text is not None}
    assert read_allowance(headers) == allowance


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("per_minute", [None, 100_000])
def test_everybody_waits_when_one_is_told_to(status: int, per_minute: int | None) -> None:
    provider = Provider(FixedWindow(40, 60.0), hints=True, status=status)

    async def scene() -> None:
        limits = Limits(64, virtual_clock())
        limits.configure(per_minute, None)
        await provider.run(limits, 60, 64)

    run_virtual(scene)
    first = provider.refused_at[0]
    # 50 ms pass until the refusal is known; then nobody sends before the time that was said.
    assert not [at for at in provider.sent_at if first + 0.05 < at < 60.0]
    assert provider.sent_at[-1] >= 60.0


@pytest.mark.parametrize("status", [503, 529])
def test_an_overloaded_provider_gets_fewer_at_once_and_more_again_later(status: int) -> None:
    seen: list[int] = []

    async def scene() -> None:
        limits = Limits(100, virtual_clock())
        tickets = [await limits.enter() for _ in range(20)]
        assert tickets[0] is not None and limits.places == 32
        for ticket in tickets:
            assert ticket is not None
            limits.refuse(ticket, None, rate=False)
        seen.append(limits.places)
        await Provider().run(limits, 3000, 100)
        seen.append(limits.places)

    run_virtual(scene)
    assert seen == [14, 100]  # one cut by 0.7 for all that were under way


def test_concurrency_is_reached_quickly_where_answers_take_long() -> None:
    provider = Provider(latency_s=20.0)

    async def scene() -> float:
        await provider.run(Limits(256, virtual_clock()), 512, 256)
        return asyncio.get_running_loop().time()

    assert run_virtual(scene) < 43
    assert provider.most_at_once == 256


def test_retries_go_first() -> None:
    order: list[str] = []

    async def scene() -> None:
        limits = Limits(1, virtual_clock())
        first = await limits.enter()
        assert first is not None

        async def wait(name: str, again: bool) -> None:
            ticket = await limits.enter(again=again)
            assert ticket is not None
            order.append(name)
            limits.leave(ticket, None)

        tasks = [asyncio.create_task(wait(name, name == "retry")) for name in ("a", "b", "retry")]
        await asyncio.sleep(1)
        limits.leave(first, None)
        await asyncio.gather(*tasks)

    run_virtual(scene)
    assert order == ["retry", "a", "b"]


def test_who_gives_up_or_is_cancelled_holds_up_nobody() -> None:
    async def scene() -> None:
        limits = Limits(1, virtual_clock())
        closed = False
        first = await limits.enter()
        assert first is not None
        cancelled = asyncio.create_task(limits.enter())
        patient = asyncio.create_task(limits.enter())
        giving_up = asyncio.create_task(limits.enter(given_up=lambda: closed))
        await asyncio.sleep(1)
        cancelled.cancel()
        closed = True
        limits.recheck()
        assert await giving_up is None
        limits.leave(first, None)
        assert await patient is not None
        assert (limits.in_flight, cancelled.cancelled()) == (1, True)

    run_virtual(scene)


def test_the_lowest_of_several_limits_holds() -> None:
    provider = Provider()

    async def scene() -> None:
        limits = Limits(32, virtual_clock())
        for per_minute in (600, 60, None, 6000):
            limits.configure(per_minute, None)
        await provider.run(limits, 60, 32)

    run_virtual(scene)
    assert provider.per_second <= 1.0


async def _calls(server: LimitServer, config: ModelConfig, count: int, concurrency: int) -> list[Call]:
    route, numbers, calls = resolve(config), iter(range(count)), []
    async with Gateway(GatewaySettings(concurrency=concurrency), {}) as gateway:

        async def work() -> None:
            for n in numbers:
                calls.append(await gateway.ask(route, chat(config, f"n {n}")))

        await asyncio.gather(*(work() for _ in range(concurrency)))
    assert len(calls) == count
    return calls


@pytest.mark.parametrize("counter", COUNTERS)
async def test_the_gateway_keeps_a_limit_in_real_time(counter: Callable[[float, float], Counter]) -> None:
    with LimitServer(counter(100, 0.5), latency_s=0.05) as server:
        config = ModelConfig("m", "openai/x", api_base=server.url, requests_per_minute=12_000)
        calls = await _calls(server, config, 250, 32)
    assert all(call.outcome is Outcome.ANSWERED for call in calls)
    assert server.served.refused_share <= 0.02
    assert server.served.per_second <= 1.02 * 200
    # Waiting for the limit is in no call's latency: 32 workers wait 160 ms for their turn.
    assert sorted(call.latency_ms for call in calls)[125] < 120
