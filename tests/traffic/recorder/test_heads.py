"""Which headers go on, and which stay: those of one connection alone, and llmctl's own."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from llmctl.providers.local.server import LocalEndpoint
from llmctl.traffic.recorder.exchange import KEPT_BODY_BYTES
from llmctl.traffic.recorder.heads import Field, request_head, response_head
from llmctl.traffic.recorder.local import local_upstream
from llmctl.traffic.recorder.records import _unpacked
from llmctl.traffic.recorder.upstream import upstream_of

UPSTREAM = upstream_of("http://up.example:81/v1")
FIRST = b"POST /v1/x HTTP/1.1\r\nHost: up.example:81\r\n"


@pytest.mark.parametrize(
    ("fields", "passed_on"),
    [
        ([(b"Accept", b"*/*"), (b"X-B", b"1")], b"Accept: */*\r\nX-B: 1\r\n"),
        ([(b"HOST", b"client"), (b"X-B", b"1")], b"X-B: 1\r\n"),
        ([(b"X-Llmctl-Prompt", b"a"), (b"x-llmctl-variables", b"{}")], b""),
        ([(b"Keep-Alive", b"9"), (b"TE", b"gzip"), (b"Proxy-Authorization", b"b"), (b"Upgrade", b"h2c")], b""),
        ([(b"Connection", b"X-Gone, x-too"), (b"X-Gone", b"1"), (b"X-Too", b"2"), (b"X-Kept", b"3")], b"X-Kept: 3\r\n"),
        ([(b"Connection", b"Keep-Alive")], b"Connection: keep-alive\r\n"),
        ([(b"CONNECTION", b"close"), (b"Connection", b"keep-alive")], b"Connection: close\r\n"),
        ([(b"Connection", b"Content-Length"), (b"Content-Length", b"3")], b"Content-Length: 3\r\n"),
        ([(b"Transfer-Encoding", b"chunked"), (b"Trailer", b"X")], b"Transfer-Encoding: chunked\r\nTrailer: X\r\n"),
    ],
)
def test_of_a_request(fields: list[Field], passed_on: bytes) -> None:
    assert request_head(b"POST", b"/v1/x", "1.1", fields, UPSTREAM) == FIRST + passed_on + b"\r\n"


def test_a_local_model_gets_its_own_key_in_place_of_the_clients(tmp_path: Path) -> None:
    upstream = local_upstream("m", LocalEndpoint(tmp_path / "s", "http://localhost/v1", "own"))
    head = request_head(b"POST", b"/v1/x", "1.1", [(b"authorization", b"Bearer client"), (b"A", b"1")], upstream)
    assert head == (
        b"POST /v1/x HTTP/1.1\r\nHost: localhost\r\nA: 1\r\nAuthorization: Bearer own\r\nConnection: close\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("sent", "passed_on"),
    [
        (b"Server: x\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n", None),
        (b"Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nA: 1\r\n", b"Connection: keep-alive\r\nA: 1\r\n"),
        (b"Connection: close, X-Gone\r\nX-Gone: 1\r\nA: 1\r\n", b"Connection: close\r\nA: 1\r\n"),
        (b"Connection: x-gone\r\nX-Gone: 1\r\nA: 1\r\n", b"A: 1\r\n"),
        (b"Keep-Alive: timeout=5\r\nA:1\r\n", b"A:1\r\n"),
        (b"A: 1\r\n folded\r\nConnection: keep-alive\r\n", b"A: 1\r\n folded\r\nConnection: keep-alive\r\n"),
    ],
)
def test_of_a_response(sent: bytes, passed_on: bytes | None) -> None:
    status = b"HTTP/1.1 200 OK\r\n"
    head = response_head(status + sent + b"\r\n")
    assert head is not None
    assert head.passed_on == status + (sent if passed_on is None else passed_on) + b"\r\n"


@pytest.mark.parametrize(
    ("asked", "target"),
    [
        (b"/v1/chat", b"/v1/chat"),
        (b"/chat", b"/v1/chat"),
        (b"/v1", b"/v1"),
        (b"/v1?a=1", b"/v1?a=1"),
        (b"/v10/chat", b"/v1/v10/chat"),
        (b"*", b"*"),
        (b"http://elsewhere/v1/chat?a=1", b"/v1/chat?a=1"),
    ],
)
def test_what_the_upstream_is_asked_for(asked: bytes, target: bytes) -> None:
    assert UPSTREAM.target(asked) == target


def test_a_small_body_that_holds_more_than_memory_may_is_not_unpacked() -> None:
    assert _unpacked(gzip.compress(b"x" * 1000), "gzip") == b"x" * 1000
    assert _unpacked(gzip.compress(b"\0" * (KEPT_BODY_BYTES + 1), 1), "gzip") is None
