"""The local server with the real model, and with children that misbehave."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from llmctl.errors import ModelError
from llmctl.providers.local.server import LocalEndpoint, LocalServer
from tests.providers.local_support import real_weights, short_tmp

__all__ = ["real_weights", "short_tmp"]

QUEUES = {
    "type": "object",
    "properties": {"queue": {"enum": ["billing", "shipping"]}},
    "required": ["queue"],
    "additionalProperties": False,
}
HANGS_ONCE = """
import json, pathlib, sys, time
seen = pathlib.Path(sys.argv[1])
if not seen.exists():
    seen.touch()
    time.sleep(3600)
print(json.dumps({"ready": "here"}), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A file for children that never look at it."""
    path = tmp_path / "w.gguf"
    path.write_bytes(b"GGUF")
    return path


@pytest.fixture
def server(real_weights: Path, short_tmp: Path) -> Iterator[LocalServer]:
    made = LocalServer(real_weights, "smollm2-135m")
    yield made
    made.kill()


def session(endpoint: LocalEndpoint) -> aiohttp.ClientSession:
    socket = endpoint.socket_path
    connector = aiohttp.UnixConnector(str(socket)) if socket else aiohttp.TCPConnector()
    headers = {"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {}
    return aiohttp.ClientSession(connector=connector, headers=headers, timeout=aiohttp.ClientTimeout(total=60))


def chat(text: str, **more: object) -> dict[str, object]:
    message = {"role": "user", "content": text}
    return {"model": "smollm2-135m", "messages": [message], "temperature": 0, "max_tokens": 40, **more}


async def answer(http: aiohttp.ClientSession, endpoint: LocalEndpoint, body: dict[str, object]) -> dict[str, Any]:
    async with http.post(f"{endpoint.base_url}/chat/completions", json=body) as response:
        assert response.status == 200, await response.text()
        result: dict[str, Any] = await response.json()
        return result


async def test_one_start_for_many_callers_constrained_json_and_a_clean_end(
    server: LocalServer, short_tmp: Path
) -> None:
    first, second = await asyncio.gather(server.start(), server.start())
    assert first == second
    assert server.alive
    assert [path.name for path in short_tmp.iterdir()] == [first.socket_path.parent.name]  # type: ignore[union-attr]
    schema = {"type": "json_schema", "json_schema": {"name": "answer", "schema": QUEUES}}
    async with session(first) as http:
        got = await answer(http, first, chat("My card was declined. Which queue?", response_format=schema))
    assert json.loads(got["choices"][0]["message"]["content"])["queue"] in {"billing", "shipping"}
    assert got["model"] == "smollm2-135m"
    assert got["usage"]["completion_tokens"] > 0
    await server.stop()
    assert (server.alive, server.pid) == (False, None)
    assert list(short_tmp.iterdir()) == []
    await server.stop()


async def test_fifty_requests_on_one_connection_and_streams(server: LocalServer, short_tmp: Path) -> None:
    endpoint = await server.start()
    async with session(endpoint) as http:
        for number in range(50):
            got = await answer(http, endpoint, chat(f"Say {number}", max_tokens=1))
            assert got["usage"]["completion_tokens"] == 1
        for _ in range(3):
            body = chat("Name a colour", stream=True, stream_options={"include_usage": True})
            headers = {"Connection": "close"}
            async with http.post(f"{endpoint.base_url}/chat/completions", json=body, headers=headers) as response:
                lines = [line async for line in response.content if line.strip()]
            assert lines[-1].strip() == b"data: [DONE]"
            assert b'"usage"' in lines[-2]
            await answer(http, endpoint, chat("Hello", max_tokens=1))
    await server.stop()


async def test_a_child_that_died_is_started_again(server: LocalServer, short_tmp: Path) -> None:
    await server.start()
    before = server.pid
    server.kill()
    assert not server.alive
    assert list(short_tmp.iterdir()) == []
    endpoint = await server.start()
    assert server.pid != before
    async with session(endpoint) as http:
        await answer(http, endpoint, chat("Hello", max_tokens=1))
    await server.stop()


async def test_a_start_that_hangs_is_ended_and_tried_once_more(short_tmp: Path, weights: Path) -> None:
    command = [sys.executable, "-c", HANGS_ONCE, str(weights.with_name("seen"))]
    server = LocalServer(weights, "x", command=command, start_timeout_s=4.0)
    endpoint = await server.start()
    assert server.alive
    assert [path.name for path in short_tmp.iterdir()] == [endpoint.socket_path.parent.name]  # type: ignore[union-attr]
    await server.stop()
    assert list(short_tmp.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import time; time.sleep(3600)", "it was not ready after 1 seconds"),
        ("import sys; sys.exit('GGML_ASSERT: no such tensor')", "GGML_ASSERT: no such tensor"),
        ("import os; os.close(0); os._exit(7)", "its process ended without a word"),
        ("print('not json')", "its process ended without a word"),
        ("print('[1]')", "its process ended without a word"),
        ('print(\'{"error": "no memory"}\')', "no memory"),
        # Without it an answer takes 7 to 15 s instead of 0.3 s on a machine with other work.
        ("import json, os; print(json.dumps({'error': os.environ['OMP_WAIT_POLICY']}))", "PASSIVE"),
    ],
)
async def test_a_child_that_never_gets_ready(short_tmp: Path, weights: Path, code: str, sentence: str) -> None:
    timeout_s = 1.0 if "sleep" in code else 30.0
    server = LocalServer(weights, "x", command=[sys.executable, "-c", code], start_timeout_s=timeout_s)
    with pytest.raises(ModelError, match="could not be started") as caught:
        await server.start()
    assert sentence in caught.value.message
    assert list(short_tmp.iterdir()) == []


async def test_weights_that_are_not_weights(short_tmp: Path, tmp_path: Path, real_weights: Path) -> None:
    damaged = tmp_path / "w.gguf"
    damaged.write_bytes(b"GGUF" + b"\xff" * 1000)
    with pytest.raises(ModelError, match="could not be started: RuntimeError") as caught:
        await LocalServer(damaged, "x").start()
    assert caught.value.hint is not None
    with pytest.raises(ModelError, match="There is no file"):
        await LocalServer(tmp_path / "none.gguf", "x").start()
    assert list(short_tmp.iterdir()) == []


async def test_a_start_that_is_cancelled_leaves_nothing(short_tmp: Path, weights: Path) -> None:
    server = LocalServer(weights, "x", command=[sys.executable, "-c", "import time; time.sleep(3600)"])
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(server.start(), 0.5)
    assert server.pid is None
    assert list(short_tmp.iterdir()) == []


async def test_a_server_that_is_killed_while_it_starts_stays_dead(short_tmp: Path, weights: Path) -> None:
    server = LocalServer(weights, "x", command=[sys.executable, "-c", "import time; time.sleep(3600)"])
    starting = asyncio.create_task(server.start())
    while server.pid is None:
        await asyncio.sleep(0)
    server.kill()
    with pytest.raises(ModelError, match="was ended while it started"):
        await starting
    assert list(short_tmp.iterdir()) == []


async def test_without_the_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match="xllamacpp, which is not installed") as caught:
        await LocalServer(tmp_path / "w.gguf", "x").start()
    assert "[local]" in str(caught.value.hint)
