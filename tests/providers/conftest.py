"""A loopback server for each test that asks for one, and a clock that does not wait."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from llmctl.project.models import ModelConfig
from llmctl.providers.gateway import Clock, Gateway, GatewaySettings
from llmctl.providers.records import Call, ChatRequest
from llmctl.providers.routes import resolve
from tests.support.openai_server import OpenAIServer


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as running:
        yield running


@dataclass
class Waits:
    """Waits for nothing, remembers how long it should have, and sets the monotonic clock on by that."""

    seconds: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)

    @property
    def clock(self) -> Clock:
        return Clock(monotonic=self._monotonic, sleep=self.sleep, jitter=lambda: 0.0)

    def _monotonic(self) -> float:
        return time.perf_counter() + sum(self.seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


def chat(model: ModelConfig, text: str = "hello there", **params: object) -> ChatRequest:
    return ChatRequest(model.model, ({"role": "user", "content": text},), params=params, options=model.options)


async def ask(
    model: ModelConfig, request: ChatRequest | None = None, *, waits: Waits | None = None, **more: object
) -> Call:
    """One call through a gateway of its own."""
    settings = GatewaySettings(**{"timeout_s": 20.0, **more})  # type: ignore[arg-type]
    async with Gateway(settings, {}, clock=(waits or Waits()).clock) as gateway:
        return await gateway.ask(resolve(model), request or chat(model))
