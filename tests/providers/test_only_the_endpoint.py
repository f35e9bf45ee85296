"""Nothing but the configured endpoint is contacted: no price list is fetched, no `.env` file is read, no proxy is used.

Each test runs a process of its own: what `litellm` does when it is imported happens once in a process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.openai_server import OpenAIServer, Reply

CALL = """
import asyncio, json, os, socket, sys

allowed, tried = json.loads(sys.argv[1]), []
connect, connect_ex, look_up = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo


def guarded(real):
    def call(self, address, *rest):
        if self.family != socket.AF_UNIX and address[1] not in allowed:
            tried.append(repr(address))
            raise OSError(f"blocked: {address}")
        return real(self, address, *rest)
    return call


def looked_up(host, *rest, **more):
    if host not in {"127.0.0.1", "localhost", None}:
        tried.append(repr(host))
        raise socket.gaierror(f"blocked: {host}")
    return look_up(host, *rest, **more)


socket.socket.connect, socket.socket.connect_ex = guarded(connect), guarded(connect_ex)
socket.getaddrinfo = looked_up

from llmctl.project.models import ModelConfig
from llmctl.providers.gateway import Gateway, GatewaySettings
from llmctl.providers.records import ChatRequest
from llmctl.providers.routes import resolve


async def ask(gateway, name, base, transport):
    model = ModelConfig("m", name, api_base=base, transport=transport, api_key_env="THE_KEY")
    request = ChatRequest(name, ({"role": "user", "content": "hello there"},), params={"max_tokens": 9})
    call = await gateway.ask(resolve(model), request)
    return [str(call.outcome), call.output]


async def main():
    async with Gateway(GatewaySettings(timeout_s=60, max_attempts=1), dict(os.environ)) as gateway:
        return [await ask(gateway, *route) for route in json.loads(sys.argv[2])]


print(json.dumps({"calls": asyncio.run(main()), "tried": tried, "env_file_read": "DOTENV_WAS_HERE" in os.environ}))
"""
ANTHROPIC = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "model": "x",
    "content": [{"type": "text", "text": "hello there"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 2},
}
ROUTES = (("openai/m", None), ("openai/m", "litellm"), ("hosted_vllm/m", "litellm"), ("anthropic/m", None))
BASES = ("OPENAI_API_BASE", "OPENAI_BASE_URL", "ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL", "HOSTED_VLLM_API_BASE")
PROXIES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
KEY = "canary-4f1c9a7e2b"


def run(directory: Path, server: OpenAIServer, environ: Mapping[str, str], allowed: list[int]) -> Any:
    """What came of a call over each route, what else was tried to be reached, and whether a `.env` was read."""
    server.script("/v1/messages", Reply(payload=ANTHROPIC))
    root = server.url.removesuffix("/v1")
    routes = [(name, root if name.startswith("anthropic") else server.url, transport) for name, transport in ROUTES]
    clean = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    done = subprocess.run(
        [sys.executable, "-c", CALL, json.dumps(allowed), json.dumps(routes)],
        cwd=directory,
        env={**clean, "THE_KEY": KEY, "PYTHONPATH": str(Path(__file__).parents[2]), **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def port(server: OpenAIServer) -> int:
    return int(server.url.rsplit(":", 1)[1].split("/")[0])


ALL_WELL = {"calls": [["answered", "hello there"]] * len(ROUTES), "tried": [], "env_file_read": False}


def test_no_env_file_and_no_price_list_is_read(server: OpenAIServer, tmp_path: Path) -> None:
    # `.env` files are searched for upward from the current directory, and a library would take endpoints from them.
    with OpenAIServer() as elsewhere:
        lines = [*(f"{name}={elsewhere.url}" for name in BASES), "DOTENV_WAS_HERE=yes", "OPENAI_API_KEY=from-the-file"]
        (tmp_path / ".env").write_text("\n".join(lines), encoding="utf-8")
        below = tmp_path / "a" / "b"
        below.mkdir(parents=True)
        assert run(below, server, {}, [port(server), port(elsewhere)]) == ALL_WELL
        assert elsewhere.seen == []
    assert len(server.seen) == len(ROUTES)
    assert all(KEY in str(seen.headers) for seen in server.seen)


def test_variables_and_proxies_do_not_move_a_call(server: OpenAIServer, tmp_path: Path) -> None:
    with OpenAIServer() as elsewhere:
        environ = dict.fromkeys(BASES, elsewhere.url) | dict.fromkeys(PROXIES, elsewhere.url.removesuffix("/v1"))
        assert run(tmp_path, server, environ, [port(server), port(elsewhere)]) == ALL_WELL
        assert elsewhere.seen == []
    assert len(server.seen) == len(ROUTES)


def test_the_guard_of_these_tests_sees_a_call_that_goes_elsewhere(server: OpenAIServer, tmp_path: Path) -> None:
    facts = run(tmp_path, server, {}, [])
    assert {outcome for outcome, _ in facts["calls"]} == {"provider_error"}
    assert set(facts["tried"]) == {f"('127.0.0.1', {port(server)})"}
