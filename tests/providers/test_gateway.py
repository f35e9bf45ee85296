from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time

import pytest

from llmctl.outcome import Outcome
from llmctl.project.models import ModelConfig, Price
from llmctl.providers import wire
from llmctl.providers.gateway import Clock, Gateway, GatewaySettings
from llmctl.providers.records import Attempt
from llmctl.providers.requests import call_key
from llmctl.providers.routes import resolve
from tests.providers.conftest import Waits, ask, chat
from tests.support.openai_server import OpenAIServer, Reply

CANARY = "canary-4f1c9a7e2b"


def model(server: OpenAIServer, name: str = "echo", **more: object) -> ModelConfig:
    return ModelConfig("m", f"openai/{name}", api_base=server.url, **more)  # type: ignore[arg-type]


async def test_the_record_of_a_call(server: OpenAIServer) -> None:
    config = model(server, price=Price(1.0, 10.0))
    request = chat(config, temperature=0)
    call = await ask(config, request)
    assert (call.outcome, call.output, call.finish_reason) == (Outcome.ANSWERED, "hello there", "stop")
    assert (call.provider, call.model, call.transport) == ("openai", "openai/echo", "direct")
    assert (call.endpoint, call.served_model) == (f"{server.url}/chat/completions", "echo-served")
    assert call.key == call_key(resolve(config), request, 1)
    assert (call.usage.input_tokens, call.usage.output_tokens) == (2, 2)
    assert call.cost_usd == pytest.approx(22e-6)
    (attempt,) = call.attempts
    assert (attempt.number, attempt.status, attempt.request_id) == (1, 200, "req-1")
    assert attempt.request_body.encode() == server.seen[0].body
    assert json.loads(attempt.response_body)["id"] == "chatcmpl-1"
    assert attempt.response_headers["content-type"].startswith("application/json")
    assert "server" not in attempt.response_headers
    assert attempt.ttft_ms is None
    assert 0 < attempt.latency_ms == call.latency_ms


async def test_failures_that_pass_are_asked_again(server: OpenAIServer, waits: Waits) -> None:
    error = {"error": {"message": "boom"}}
    server.script("m", Reply(status=500, payload=error), Reply(status=529, payload=error), Reply("fine"))
    call = await ask(model(server, "m"), waits=waits)
    assert (call.outcome, call.output) == (Outcome.ANSWERED, "fine")
    assert [(attempt.number, attempt.status, attempt.error) for attempt in call.attempts] == [
        (1, 500, "HTTP 500: boom"),
        (2, 529, "HTTP 529: boom"),
        (3, 200, None),
    ]
    assert waits.seconds == [0.25, 0.5]
    assert call.error is None


async def test_after_the_last_attempt_the_failure_stands(server: OpenAIServer, waits: Waits) -> None:
    server.script("m", Reply(status=503, body=b"busy"))
    call = await ask(model(server, "m"), waits=waits)
    assert (call.outcome, len(call.attempts), call.status) == (Outcome.PROVIDER_ERROR, 3, 503)
    assert (call.output, call.cost_usd) == (None, 0.0)


async def test_retry_after_is_obeyed(server: OpenAIServer, waits: Waits) -> None:
    limit = {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}
    server.script("m", Reply(status=429, payload=limit, headers={"Retry-After": "17"}), Reply("fine"))
    call = await ask(model(server, "m"), waits=waits)
    assert (call.outcome, waits.seconds, call.attempts[0].retry_after_s) == (Outcome.ANSWERED, [17.0], 17.0)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_mistakes_are_not_repeated(server: OpenAIServer, status: int, waits: Waits) -> None:
    server.script("m", Reply(status=status, payload={"error": {"message": "no"}}))
    call = await ask(model(server, "m"), waits=waits)
    assert (len(call.attempts), len(server.seen), waits.seconds, call.cost_usd) == (1, 1, [], 0.0)


async def test_a_malformed_answer_is_asked_for_once_more(server: OpenAIServer, waits: Waits) -> None:
    server.script("m", Reply(body=b"<html>"))
    call = await ask(model(server, "m"), waits=waits)
    assert (call.outcome, len(call.attempts)) == (Outcome.MALFORMED, 2)
    assert call.attempts[0].response_body == "<html>"


async def test_every_attempt_that_was_charged_counts(server: OpenAIServer, waits: Waits) -> None:
    nothing = {"choices": [], "usage": {"prompt_tokens": 1_000_000, "completion_tokens": 0}}
    server.script("m", Reply(payload=nothing), Reply("x", usage=True))
    call = await ask(model(server, "m", price=Price(3.0, 0.0)), waits=waits)
    assert call.cost_usd == pytest.approx(3.0, rel=1e-4)
    server.script("n", Reply("x", usage=False))
    assert (await ask(model(server, "n", price=Price(3.0, 0.0)))).cost_usd is None


@pytest.mark.parametrize("fault", ["hang", "drip"])
async def test_the_deadline_holds_for_the_whole_attempt(server: OpenAIServer, fault: str, waits: Waits) -> None:
    server.script("m", Reply(fault=fault))
    call = await ask(model(server, "m"), waits=waits, timeout_s=0.15)
    assert (call.outcome, len(call.attempts)) == (Outcome.TIMEOUT, 3)
    assert call.latency_ms >= 145
    assert call.error is not None and call.error.startswith("No complete answer within 0.15 s")
    # What had come is kept.
    assert ("bytes had come" in call.error) == (fault == "drip") == bool(call.attempts[-1].response_body)


async def test_a_call_ends_within_its_total_deadline(server: OpenAIServer) -> None:
    server.script("m", Reply(fault="hang"))
    config = model(server, "m")
    async with Gateway(
        GatewaySettings(timeout_s=0.3, total_timeout_s=0.7), {}, clock=Clock(jitter=lambda: 0.0)
    ) as gateway:
        began = time.monotonic()
        call = await gateway.ask(resolve(config), chat(config))
        took = time.monotonic() - began
    # 0.3 s, a wait of 0.25 s, and what is left for the second attempt.
    assert (call.outcome, len(call.attempts)) == (Outcome.TIMEOUT, 2)
    assert call.attempts[1].latency_ms < 200 < call.attempts[0].latency_ms
    assert took < 1.0


async def test_a_wait_beyond_the_total_deadline_ends_the_call_at_once(server: OpenAIServer, waits: Waits) -> None:
    limit = {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}
    server.script("m", Reply(status=429, payload=limit, headers={"Retry-After": "3600"}))
    call = await ask(model(server, "m"), waits=waits)
    assert (call.outcome, len(call.attempts), waits.seconds) == (Outcome.PROVIDER_ERROR, 1, [])
    assert call.error == (
        "HTTP 429: slow down. The next attempt would have to wait 3600 s, and of this call's 90 s 90 s are left."
    )


async def test_the_key_of_a_caller_is_taken(server: OpenAIServer) -> None:
    config = model(server)
    async with Gateway(GatewaySettings(), {}) as gateway:
        assert (await gateway.ask(resolve(config), chat(config), key="made before")).key == "made before"


async def test_a_connection_that_the_server_closed_is_replaced_at_once(waits: Waits) -> None:
    """A kept-alive connection that the server closes when it is used again, without a word."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
        body = b'{"choices":[{"message":{"content":"fine"},"finish_reason":"stop"}]}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await reader.read(1)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        config = ModelConfig("m", "openai/x", api_base=url)
        async with Gateway(GatewaySettings(max_attempts=1), {}, clock=waits.clock) as gateway:
            calls = [await gateway.ask(resolve(config), chat(config)) for _ in range(2)]
    assert [call.outcome for call in calls] == [Outcome.ANSWERED] * 2
    assert [len(call.attempts) for call in calls] == [1, 2]
    assert (calls[1].attempts[0].outcome, waits.seconds) == (Outcome.PROVIDER_ERROR, [])


async def test_a_connection_that_is_reset(server: OpenAIServer, waits: Waits) -> None:
    server.script("m", Reply(fault="reset"), Reply("fine"))
    call = await ask(model(server, "m"), waits=waits)
    assert [attempt.outcome for attempt in call.attempts] == [Outcome.PROVIDER_ERROR, Outcome.ANSWERED]


async def test_nobody_listens(waits: Waits) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    call = await ask(ModelConfig("m", "openai/x", api_base=f"http://127.0.0.1:{port}/v1"), waits=waits)
    assert (call.outcome, len(call.attempts), call.status) == (Outcome.PROVIDER_ERROR, 3, None)
    assert call.error is not None and "connection failed" in call.error


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_that_breaks_off(server: OpenAIServer, streamed: bool, waits: Waits) -> None:
    server.script("m", Reply("one two three", fault="cut"))
    config = model(server, "m")
    call = await ask(config, chat(config, stream=streamed), waits=waits)
    assert (call.outcome, call.output, call.finish_reason) == (Outcome.MALFORMED, None, None)
    assert "chatcmpl-1" in call.attempts[0].response_body


async def test_an_answer_that_is_too_large(server: OpenAIServer, monkeypatch: pytest.MonkeyPatch, waits: Waits) -> None:
    monkeypatch.setattr(wire, "MAX_BODY_BYTES", 1000)
    monkeypatch.setattr(wire, "KEPT_BYTES", 100)
    server.script("m", Reply("x" * 2000))
    call = await ask(model(server, "m"), waits=waits)
    assert (call.outcome, len(call.attempts)) == (Outcome.MALFORMED, 1)
    assert call.error is not None and "too large" in call.error
    assert len(call.attempts[0].response_body) <= 1000


async def test_streaming(server: OpenAIServer) -> None:
    pieces: list[str] = []
    config = model(server)
    async with Gateway(GatewaySettings(), {}) as gateway:
        call = await gateway.ask(resolve(config), chat(config, "one two three"), on_delta=pieces.append)
    assert "".join(pieces) == call.output == "one two three"
    assert len(pieces) > 1
    assert call.ttft_ms is not None and 0 < call.ttft_ms <= call.latency_ms
    assert call.usage.output_tokens == 3
    assert server.seen[0].json["stream_options"] == {"include_usage": True}
    assert call.attempts[0].response_body.count("data: ") == call.attempts[0].response_body.count("\n\n")


async def test_text_that_stands_on_a_screen_is_not_asked_for_again(server: OpenAIServer, waits: Waits) -> None:
    pieces: list[str] = []
    server.script("m", Reply("one two three", fault="cut"))
    config = model(server, "m")
    async with Gateway(GatewaySettings(), {}, clock=waits.clock) as gateway:
        call = await gateway.ask(resolve(config), chat(config), on_delta=pieces.append)
    assert (call.outcome, len(call.attempts), bool(pieces)) == (Outcome.MALFORMED, 1, True)


async def test_a_server_that_does_not_stream(server: OpenAIServer) -> None:
    server.script("m", Reply(payload={"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}))
    config = model(server, "m")
    assert (await ask(config, chat(config, stream=True))).output == "x"


async def test_bodies_are_kept_as_they_came(server: OpenAIServer, waits: Waits) -> None:
    surrogate = rb'{"choices":[{"message":{"content":"a\ud800"},"finish_reason":"stop"}]}'
    server.script("m", Reply(body=surrogate))
    call = await ask(model(server, "m"))
    assert (call.output, call.attempts[0].response_body) == ("a\ufffd", surrogate.decode())
    server.script("n", Reply(body=b"\xff{"))
    assert (await ask(model(server, "n"), waits=waits)).attempts[0].response_body == "\\udcff{"


async def test_no_key_in_any_record(server: OpenAIServer, waits: Waits) -> None:
    echo = {"error": {"message": f"Incorrect API key provided: {CANARY}"}}
    server.script("m", Reply(status=500, payload=echo, headers={"X-Request-Id": CANARY}), Reply(f"it is {CANARY}"))
    config = model(server, "m", api_key_env="MY_VARIABLE")
    async with Gateway(GatewaySettings(), {"MY_VARIABLE": CANARY}, clock=waits.clock) as gateway:
        call = await gateway.ask(resolve(config), chat(config, f"my key is {CANARY}"))
    assert server.seen[0].headers["Authorization"] == f"Bearer {CANARY}"
    assert CANARY not in repr(call)
    assert call.output == "it is [redacted]"


async def test_a_redirect_is_not_followed(server: OpenAIServer) -> None:
    server.script("m", Reply(status=307, body=b"", headers={"Location": f"{server.url}/elsewhere"}))
    call = await ask(model(server, "m"))
    assert (call.outcome, len(server.seen)) == (Outcome.BAD_REQUEST, 1)


async def test_a_key_with_a_line_end_works_and_a_strange_one_is_told(server: OpenAIServer) -> None:
    config = model(server, api_key_env="K")
    async with Gateway(GatewaySettings(), {"K": " abcdefgh\n"}) as gateway:
        assert (await gateway.ask(resolve(config), chat(config))).outcome is Outcome.ANSWERED
    assert server.seen[0].headers["Authorization"] == "Bearer abcdefgh"
    async with Gateway(GatewaySettings(), {"K": "abc\ndefgh"}) as gateway:
        call = await gateway.ask(resolve(config), chat(config))
    assert (call.outcome, call.error) == (Outcome.PROVIDER_ERROR, "K holds characters that no key has.")


async def test_proxies_of_the_environment_are_not_used(server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert (await ask(model(server))).outcome is Outcome.ANSWERED


async def test_offline_sends_nothing_away(server: OpenAIServer) -> None:
    call = await ask(model(server), offline=True)
    assert (call.outcome, call.attempts, server.seen) == (Outcome.SKIPPED, (), [])
    assert call.error is not None and "openai/echo" in call.error
    assert (await ask(ModelConfig("m", "fake/echo"), offline=True)).outcome is Outcome.ANSWERED


async def test_cancelling_goes_through(server: OpenAIServer, waits: Waits) -> None:
    server.script("m", Reply("one two", fault="hold"))
    config = model(server, "m")
    showed = asyncio.Event()
    async with Gateway(GatewaySettings(), {}, clock=waits.clock) as gateway:
        task = asyncio.create_task(gateway.ask(resolve(config), chat(config), on_delta=lambda _: showed.set()))
        await asyncio.wait_for(showed.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (len(server.seen), waits.seconds) == (1, [])


async def test_no_more_calls_at_once_than_allowed() -> None:
    config = ModelConfig("m", "fake/echo", options={"latency_ms": 30})
    async with Gateway(GatewaySettings(concurrency=2), {}) as gateway:
        calls = await asyncio.gather(*(gateway.ask(resolve(config), chat(config)) for _ in range(6)))
    began = sorted(call.started_at for call in calls)
    assert all(later - earlier >= 0.025 for earlier, later in zip(began, began[2:], strict=False))


async def test_waiting_for_a_place_is_not_the_deadline_s_time() -> None:
    config = ModelConfig("m", "fake/echo", options={"latency_ms": 60})
    async with Gateway(GatewaySettings(concurrency=1, timeout_s=0.15), {}) as gateway:
        calls = await asyncio.gather(*(gateway.ask(resolve(config), chat(config)) for _ in range(4)))
    assert {call.outcome for call in calls} == {Outcome.ANSWERED}


async def test_many_calls_over_one_session(server: OpenAIServer) -> None:
    config = model(server)
    async with Gateway(GatewaySettings(concurrency=16), {}) as gateway:
        calls = await asyncio.gather(*(gateway.ask(resolve(config), chat(config, f"n {n}")) for n in range(200)))
    assert [call.output for call in calls] == [f"n {n}" for n in range(200)]
    assert all(isinstance(call.attempts[0], Attempt) and len(call.attempts) == 1 for call in calls)


def test_no_heavy_library_is_imported_before_it_is_needed() -> None:
    heavy = "{'litellm', 'aiohttp', 'httpx', 'openai', 'torch', 're2'}"
    code = f"import sys; import llmctl.providers.gateway; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
