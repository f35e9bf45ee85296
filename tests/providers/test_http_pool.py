"""Connections to real servers of this machine: kept, found closed, given up, over TCP, TLS and Unix sockets."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from llmctl.providers.http import pool as http_pool
from llmctl.providers.http.pool import HttpPool
from llmctl.providers.http.request import request_head
from llmctl.providers.http.response import Response
from llmctl.providers.wire import Retry
from tests.providers.raw_server import RawServer, answer
from tests.providers.wire_bytes import new_response

SECONDS = 10


@asynccontextmanager
async def opened(*, kept_s: float = 15.0) -> AsyncIterator[HttpPool]:
    pool = HttpPool(kept_s=kept_s)
    try:
        yield pool
    finally:
        await pool.close()


async def fetch(pool: HttpPool, url: str, body: bytes = b"{}", *, path: Path | None = None) -> Response:
    head = request_head("POST", url, {"X-Key": "k"}, socket=path)
    response = new_response()
    await pool.server(head.origin).fetch(head, body, response)
    return response


def text(response: Response) -> str:
    assert response.failure is None, response.failure
    return bytes(response.tape.body).decode()


async def test_what_is_sent() -> None:
    async with RawServer() as server, opened() as pool:
        response = await fetch(pool, f"{server.url}a b?c=d#e", b'{"x":1}')
    assert text(response) == "fine"
    host = server.url.removeprefix("http://").removesuffix("/")
    assert server.requests == [
        f'POST /a%20b?c=d HTTP/1.1\r\nHost: {host}\r\nX-Key: k\r\nContent-Length: 7\r\n\r\n{{"x":1}}'.encode()
    ]


async def test_one_connection_for_many_requests_one_after_the_other() -> None:
    async with RawServer() as server, opened() as pool:
        for number in range(20):
            assert text(await fetch(pool, f"{server.url}{number}")) == "fine"
    assert server.used == [0] * 20


async def test_as_many_connections_as_requests_at_once_and_the_last_one_is_used_first() -> None:
    async with RawServer() as server, opened() as pool:
        await asyncio.gather(*(fetch(pool, server.url) for _ in range(8)))
        assert server.opened == 8
        again = [await fetch(pool, server.url) for _ in range(4)]
        assert [text(response) for response in again] == ["fine"] * 4
        assert server.opened == 8 and len(set(server.used[8:])) == 1


async def test_servers_do_not_share_connections() -> None:
    async with RawServer(answer(b"one")) as first, RawServer(answer(b"two")) as second, opened() as pool:
        for _ in range(2):
            assert text(await fetch(pool, first.url)) == "one"
            assert text(await fetch(pool, second.url)) == "two"
        assert (first.opened, second.opened) == (1, 1)


async def test_a_connection_that_was_closed_meanwhile_is_not_used() -> None:
    async with RawServer() as server, opened() as pool:
        await fetch(pool, server.url)
        server.connections[0].close()
        await asyncio.wait_for(server.ended.wait(), SECONDS)
        for _ in range(3):
            await asyncio.sleep(0)  # the end reaches this side
        assert text(await fetch(pool, server.url)) == "fine"
        assert server.used == [0, 1]


async def test_a_connection_that_is_about_to_end_is_not_used() -> None:
    async with RawServer() as server, opened() as pool:
        await fetch(pool, server.url)
        (kept,) = pool.server(request_head("POST", server.url, {}).origin)._idle
        kept.abort()  # its end is told in the next turn of the loop
        assert text(await fetch(pool, server.url)) == "fine"
        assert server.used == [0, 1]


@pytest.mark.parametrize("said", [answer(b"fine") + b"HTTP/1.1 200", answer(b"fine", "Connection: close")])
async def test_a_connection_of_no_more_use_is_closed(said: bytes) -> None:
    async with RawServer(said) as server, opened() as pool:
        for number in range(2):
            assert text(await fetch(pool, server.url)) == "fine"
            await asyncio.wait_for(server.ended.wait(), SECONDS)
            server.ended.clear()
            assert server.lost == list(range(number + 1))
        assert server.used == [0, 1]


async def test_idle_connections_are_closed_after_a_time() -> None:
    async with RawServer() as server, opened(kept_s=0.05) as pool:
        await asyncio.gather(*(fetch(pool, server.url) for _ in range(3)))
        while len(server.lost) < 3:
            server.ended.clear()
            await asyncio.wait_for(server.ended.wait(), SECONDS)
        assert text(await fetch(pool, server.url)) == "fine"
        assert server.used[3:] == [3]


async def test_a_cancelled_request_closes_its_connection() -> None:
    async with RawServer(None) as server, opened() as pool:
        task = asyncio.create_task(fetch(pool, server.url))
        await asyncio.wait_for(server.asked.wait(), SECONDS)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.ended.wait(), SECONDS)
        assert server.lost == [0]


async def test_closing_the_pool_ends_what_is_under_way() -> None:
    async with RawServer(None) as server:
        pool = HttpPool()
        task = asyncio.create_task(fetch(pool, server.url))
        await asyncio.wait_for(server.asked.wait(), SECONDS)
        await pool.close()
        response = await task
        assert response.failure is not None and response.failure.retry is Retry.AGAIN
        await asyncio.wait_for(server.ended.wait(), SECONDS)


async def test_a_large_request_and_a_large_answer() -> None:
    body = b"x" * 20_000_000
    async with RawServer(answer(body)) as server, opened() as pool:
        for _ in range(2):
            response = await fetch(pool, server.url, body)
            assert response.failure is None and response.tape.body == body
        assert server.used == [0, 0] and server.requests[1].endswith(body)


async def test_an_unknown_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    async with opened() as pool:
        failure = (await fetch(pool, "http://no-such-host.invalid/")).failure
    assert failure is not None and not failure.sent and failure.retry is Retry.AGAIN
    where = "Cannot connect to host no-such-host.invalid:80 [Name or service not known]"
    assert failure.error == f"The connection failed: {where}."


CALL = """
import asyncio, sys, time
from llmctl.providers.gateway import Gateway, GatewaySettings, build_request
from llmctl.project.models import ModelConfig
from llmctl.providers.records import ChatRequest
from llmctl.providers.routes import resolve

async def main():
    model = ModelConfig("m", "openai/m", api_base=sys.argv[1])
    async with Gateway(GatewaySettings(), {}) as gateway:
        call = await gateway.ask(resolve(model), ChatRequest(model.model, ({"role": "user", "content": "hi"},)))
    print(call.attempts[0].status, *sorted(set(sys.argv[2:]) & set(sys.modules)))

asyncio.run(main())
"""


async def test_a_call_imports_no_other_http_library() -> None:
    heavy = ("aiohttp", "yarl", "multidict", "httpx", "http.client", "email.message", "litellm", "encodings.idna")
    async with RawServer(answer(b"{}")) as server:
        command = [sys.executable, "-c", CALL, server.url, *heavy]
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        out, _ = await process.communicate()
    assert out.split() == [b"200"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no Unix sockets here")
async def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with RawServer(socket=path) as server, opened() as pool:
        for _ in range(2):
            assert text(await fetch(pool, "http://localhost/v1", path=path)) == "fine"
        assert server.used == [0, 0]
        assert server.requests[0].startswith(b"POST /v1 HTTP/1.1\r\nHost: localhost\r\n")
    async with opened() as pool:
        failure = (await fetch(pool, "http://localhost/v1", path=tmp_path / "none")).failure
        assert failure is not None and "No such file or directory" in (failure.error or "")


# TLS, with a certificate authority of these tests.

EXTENSIONS = "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here to make certificates with")
    folder = tmp_path_factory.mktemp("tls")
    (folder / "san").write_text(EXTENSIONS, encoding="utf-8")
    key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    for line in (
        f"req -x509 {key} -days 2 -subj /CN=ca -keyout ca.key -out ca.pem",
        f"req {key} -subj /CN=server -keyout server.key -out server.csr",
        "x509 -req -days 2 -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile san -out server.pem",
    ):
        subprocess.run(["openssl", *line.split()], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def server_side(certificates: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    return context


@pytest.fixture
def trusted(certificates: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "ca.pem"))
    http_pool.tls_context.cache_clear()
    yield
    http_pool.tls_context.cache_clear()


@pytest.mark.usefixtures("trusted")
async def test_https(server_side: ssl.SSLContext) -> None:
    body = b"x" * 3_000_000
    async with RawServer(answer(body), tls=server_side) as server, opened() as pool:
        for _ in range(3):
            response = await fetch(pool, server.url, body)
            assert response.failure is None and response.tape.body == body
            assert response.times.sent_at is not None and response.times.last_at is not None
        await asyncio.gather(*(fetch(pool, server.url) for _ in range(4)))
        assert server.used[:3] == [0, 0, 0] and server.opened == 4


async def test_a_certificate_that_nobody_vouches_for_is_not_tried_again(server_side: ssl.SSLContext) -> None:
    http_pool.tls_context.cache_clear()
    async with RawServer(tls=server_side) as server, opened() as pool:
        failure = (await fetch(pool, server.url)).failure
        assert failure is not None and failure.retry is Retry.NEVER and not failure.sent
        assert "unable to get local issuer certificate" in (failure.error or "")
        assert not server.requests


@pytest.mark.usefixtures("trusted")
async def test_a_certificate_of_another_host(server_side: ssl.SSLContext) -> None:
    async with RawServer(tls=server_side) as server, opened() as pool:
        failure = (await fetch(pool, server.url.replace("127.0.0.1", "localhost"))).failure
        assert failure is not None and failure.retry is Retry.NEVER
        assert "Hostname mismatch" in (failure.error or "")


async def test_a_server_that_speaks_no_tls() -> None:
    async with RawServer(answer(b"fine")) as server, opened() as pool:
        task = asyncio.create_task(fetch(pool, server.url.replace("http://", "https://")))
        while not server.connections:
            await asyncio.sleep(0)
        server.connections[0].write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        failure = (await task).failure
        assert failure is not None and failure.retry is Retry.NEVER and not failure.sent


async def test_a_request_that_is_cancelled_before_its_connection_stands() -> None:
    """The other end says nothing, so that TLS is never agreed upon."""
    async with RawServer() as server, opened() as pool:
        task = asyncio.create_task(fetch(pool, server.url.replace("http://", "https://")))
        while not server.connections:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.ended.wait(), SECONDS)
