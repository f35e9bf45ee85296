"""The latency of a call is the provider's: not the time that its answer waited for this process."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from llmctl.project.models import ModelConfig
from llmctl.providers.direct import DirectTransport
from llmctl.providers.litellm_transport import LitellmTransport
from llmctl.providers.routes import Route, resolve
from llmctl.providers.wire import Answer, Asked, Tape, Transport
from tests.providers.conftest import chat
from tests.support.openai_server import OpenAIServer, Reply

LATENCY_MS = 50.0


@contextmanager
def timed_server() -> Iterator[str]:
    command = [sys.executable, str(Path(__file__).with_name("timed_server.py")), str(LATENCY_MS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
        server.communicate("")


@asynccontextmanager
async def started(name: str) -> AsyncIterator[Transport]:
    transport: Transport = DirectTransport(256) if name == "direct" else LitellmTransport(256, {}, timeout_s=60)
    await transport.start()
    try:
        yield transport
    finally:
        await transport.close()


def asked(route: Route, *, streamed: bool = False) -> Asked:
    return Asked(route, chat(route.config), "key", streamed=streamed)


@dataclass
class Times:
    """Latencies in ms: as recorded, as the waiting task saw them, as the server says."""

    recorded: list[float] = field(default_factory=list)
    seen: list[float] = field(default_factory=list)
    served: list[float] = field(default_factory=list)

    async def measure(self, transport: Transport, route: Route, calls: int) -> None:
        for _ in range(calls):
            tape = Tape(time.perf_counter)
            began = tape.sent_at = time.perf_counter()
            answer = await transport.send(asked(route), tape)
            assert answer.output == "fine", answer
            assert tape.ended_at is not None and began <= tape.sent_at <= tape.ended_at <= time.perf_counter()
            self.recorded.append((tape.ended_at - tape.sent_at) * 1000)
            self.seen.append((time.perf_counter() - began) * 1000)
            self.served.append(float(tape.headers["x-ratelimit-took-ms"]))


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)]


@pytest.mark.parametrize(("name", "at_once", "calls"), [("direct", 256, 8), ("litellm", 64, 5)])
async def test_many_calls_at_once_do_not_add_to_their_latency(name: str, at_once: int, calls: int) -> None:
    times = Times()
    with timed_server() as url:
        route = resolve(ModelConfig("m", "hosted_vllm/m", api_base=url, transport=name))
        async with started(name) as transport:
            await asyncio.gather(*(times.measure(transport, route, calls) for _ in range(at_once)))
    for share in (0.5, 0.95):
        served = percentile(times.served, share)
        queue = percentile(times.seen, share) - served
        print(
            f"p{share * 100:.0f}: server {served:.1f} ms, recorded {percentile(times.recorded, share):.1f}, "
            f"task {percentile(times.seen, share):.1f}"
        )
        assert served - 5 <= percentile(times.recorded, share) <= served + max(15.0, queue / 2)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says when bytes reached the kernel")
async def test_a_process_that_is_busy_does_not_add_to_the_latency() -> None:
    with timed_server() as url:
        route = resolve(ModelConfig("m", "openai/m", api_base=url))
        async with started("direct") as transport:
            await transport.send(asked(route), Tape(time.perf_counter))  # opens the connection
            tape = Tape(time.perf_counter)
            task = asyncio.create_task(transport.send(asked(route), tape))
            while not tape.request_body:
                await asyncio.sleep(0)
            for _ in range(3):
                await asyncio.sleep(0)  # until the bytes have left
            until = time.perf_counter() + 0.5
            while time.perf_counter() < until:
                pass
            await task
    assert tape.ended_at is not None
    assert LATENCY_MS <= (tape.ended_at - tape.sent_at) * 1000 < 250


async def test_connecting_is_not_the_answer_s_time(server: OpenAIServer) -> None:
    route = resolve(ModelConfig("m", "openai/m", api_base=server.url))
    tape = Tape(time.perf_counter, sent_at=-1.0)
    async with started("direct") as transport:
        await transport.send(asked(route), tape)
    assert tape.sent_at > 0 and tape.ended_at is not None and tape.ended_at > tape.sent_at


async def test_the_first_token_is_timed_at_the_socket(server: OpenAIServer) -> None:
    route = resolve(ModelConfig("m", "openai/m", api_base=server.url))
    tape = Tape(time.perf_counter)
    async with started("direct") as transport:
        await transport.send(asked(route, streamed=True), tape)
    assert tape.first_token_at is not None and tape.ended_at is not None
    assert tape.sent_at <= tape.first_token_at <= tape.ended_at


@pytest.mark.parametrize("name", ["direct", "litellm"])
@pytest.mark.parametrize("fault", ["reset", "cut"])
async def test_an_answer_that_did_not_end_has_no_end(server: OpenAIServer, name: str, fault: str) -> None:
    server.script("m", Reply("one two", fault=fault))
    route = resolve(ModelConfig("m", "openai/m", api_base=server.url, transport=name))
    tape = Tape(time.perf_counter)
    async with started(name) as transport:
        answer = await transport.send(asked(route), tape)
    assert tape.ended_at is None and answer.sent


@pytest.mark.parametrize("name", ["direct", "litellm"])
async def test_a_request_that_never_left_says_so(name: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    route = resolve(ModelConfig("m", "openai/m", api_base=url, transport=name))
    async with started(name) as transport:
        answer: Answer = await transport.send(asked(route), Tape(time.perf_counter))
    assert not answer.sent and answer.error is not None and "Cannot connect to host" in answer.error
