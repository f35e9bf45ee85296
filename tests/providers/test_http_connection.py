"""One connection, byte by byte: what is read, however the bytes are cut up, and when it may be used again."""

from __future__ import annotations

import asyncio
import zlib

import pytest

from llmctl.providers.wire import MAX_BODY_BYTES, Retry
from tests.providers.wire_bytes import Line, Received, receive

OK = b"HTTP/1.1 200 OK\r\n"
NOT_HTTP = "What came back is not HTTP."


def said(status: int, body: bytes, *, kept: bool = True) -> Received:
    return Received(status, body, None, kept)


ANSWERS = {
    "length": (OK + b"Content-Length: 4\r\n\r\nfine", said(200, b"fine")),
    "no body": (b"HTTP/1.1 204 No Content\r\n\r\n", said(204, b"")),
    "empty": (OK + b"Content-Length: 0\r\n\r\n", said(200, b"")),
    "chunks": (OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nfin\r\n1;x=y\r\ne\r\n0\r\n\r\n", said(200, b"fine")),
    "trailers": (OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\nX-Sum: 1\r\n\r\n", said(200, b"fine")),
    "to the end": (OK + b"\r\nfine", said(200, b"fine", kept=False)),
    "to the end, 1.0": (b"HTTP/1.0 200 OK\r\n\r\nfine", said(200, b"fine", kept=False)),
    "close": (OK + b"Connection: close\r\nContent-Length: 4\r\n\r\nfine", said(200, b"fine", kept=False)),
    "interim": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\nContent-Length: 9\r\n\r\n"
        + OK
        + b"Content-Length: 4\r\n\r\nfine",
        said(200, b"fine"),
    ),
    "switching": (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        said(101, b"", kept=False),
    ),
    "bare line feeds": (b"HTTP/1.1 200 OK\nA: b\nContent-Length: 4\n\nfine", said(200, b"fine")),
    "error": (b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy", said(503, b"busy")),
    "gzip": (
        OK + b"Content-Encoding: gzip\r\nContent-Length: 24\r\n\r\n" + zlib.compress(b"fine", wbits=31),
        said(200, b"fine"),
    ),
    "nothing in gzip": (OK + b"Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n", said(200, b"")),
    "another packing": (
        OK + b"Content-Encoding: br\r\nContent-Length: 4\r\n\r\nfine",
        Received(200, b"fine", "The answer cannot be unpacked: its Content-Encoding is 'br'.", True),
    ),
    "an error in another packing": (
        b"HTTP/1.1 503 Busy\r\nContent-Encoding: br\r\nContent-Length: 4\r\n\r\nbusy",
        said(503, b"busy"),
    ),
    "no gzip": (
        OK + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nfine",
        Received(200, b"", "The answer cannot be unpacked: its Content-Encoding is 'gzip'.", False),
    ),
    "half of a gzip": (
        OK + b"Content-Encoding: gzip\r\nContent-Length: 20\r\n\r\n" + zlib.compress(b"fine", wbits=31)[:20],
        Received(200, b"fine", "The answer cannot be unpacked: its Content-Encoding is 'gzip'.", True),
    ),
    "cut": (
        OK + b"Content-Length: 5\r\n\r\nfine",
        Received(200, b"fine", "The connection broke off after 4 bytes of the answer.", False),
    ),
    "cut in a chunk": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nfine",
        Received(200, b"fine", "The connection broke off after 4 bytes of the answer.", False),
    ),
    "cut before the last chunk": (
        OK + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n",
        Received(200, b"fine", "The connection broke off after 4 bytes of the answer.", False),
    ),
    "cut head": (OK + b"Content-Length", Received(None, b"", "The connection failed: Server disconnected.", False)),
    "nothing": (b"", Received(None, b"", "The connection failed: Server disconnected.", False)),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_an_answer_is_read_however_it_is_cut_up(name: str) -> None:
    data, expected = ANSWERS[name]
    assert await receive([data]) == expected
    assert await receive([data[at : at + 1] for at in range(len(data))]) == expected
    for at in range(1, len(data)):
        assert await receive([data[:at], data[at:]]) == expected, at


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        OK + OK + b"Content-Length: 4\r\n\r\nfine",
        OK + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nfine",
        OK + b"Content-Length: -4\r\n\r\nfine",
        OK + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n",
        OK + b"X: a\0b\r\nContent-Length: 4\r\n\r\nfine",
        OK + b"no colon\r\n\r\nfine",
        b"HTTP/7.0 200 OK\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_kept_as_it_came(data: bytes) -> None:
    whole = await receive([data])
    assert (whole.status, whole.error, whole.kept) == (None, NOT_HTTP, False)
    assert whole.body == data
    for at in range(1, len(data)):
        halves = await receive([data[:at], data[at:]])
        assert (halves.error, halves.kept) == (NOT_HTTP, False), at
        assert data.startswith(halves.body) and halves.body


async def test_bad_chunks_are_no_http_wherever_the_bytes_are_cut() -> None:
    head = OK + b"Transfer-Encoding: chunked\r\n\r\n"
    data = head + b"4\r\nfine\r\nzz\r\nmore"
    assert await receive([data]) == Received(200, data, NOT_HTTP, False)
    assert await receive([head, data[len(head) :]]) == Received(200, data[len(head) :], NOT_HTTP, False)
    thirds = [head[:9], head[9:], data[len(head) :]]
    assert await receive(thirds) == Received(200, thirds[2], NOT_HTTP, False)
    for at in range(1, len(data)):
        received = await receive([data[:at], data[at:]])
        assert (received.status, received.error) == (200, NOT_HTTP), at


@pytest.mark.parametrize(
    "more", [b"x", b"garbage\r\n\r\n", OK + b"Content-Length: 4\r\n\r\nevil", b"HTTP/1.1 ", b"\r\n\r\nHT", b"\0"]
)
async def test_what_comes_after_the_answer_ends_the_connection_and_is_nobody_s(more: bytes) -> None:
    data = OK + b"Content-Length: 4\r\n\r\nfine"
    assert await receive([data + more]) == said(200, b"fine", kept=False)
    line = Line()
    first, _ = line.ask()
    line.connection.data_received(data)
    assert line.shelf.kept == [line.connection] and line.connection.usable
    line.connection.data_received(more)
    assert [line.connection.usable, line.wire.closed] == [False, True]
    assert bytes(first.tape.body) == b"fine"


async def test_one_connection_carries_many_requests() -> None:
    line = Line()
    for number, name in enumerate(("length", "chunks", "interim", "empty", "gzip", "no body", "trailers", "length")):
        data, expected = ANSWERS[name]
        response, done = line.ask()
        for at in range(0, len(data), 7):
            line.connection.data_received(data[at : at + 7])
        assert done.done() and response.failure is None
        assert (response.tape.status, bytes(response.tape.body)) == (expected.status, expected.body)
        assert response.times.reused == (number > 0)
    assert len(line.shelf.kept) == 8


async def test_a_request_that_asks_for_the_end_gets_it() -> None:
    line = Line()
    response, done = line.ask(keep_alive=False)
    line.connection.data_received(OK + b"Content-Length: 4\r\n\r\nfine")
    assert done.done() and response.failure is None
    assert line.wire.closed and not line.shelf.kept


async def test_an_answer_before_all_was_sent_ends_the_connection() -> None:
    """The rest of the request would reach the server as another one."""
    line = Line()
    _, done = line.ask()
    line.wire.unsent = 1
    line.connection.data_received(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    assert done.done() and line.wire.closed and not line.shelf.kept


async def test_a_server_that_speaks_first_is_heard() -> None:
    line = Line()
    line.connection.data_received(b"SSH-2.0-")
    line.connection.data_received(b"OpenSSH_9.6\r\n")
    response, done = line.ask()
    await done
    assert response.failure is not None and response.failure.error == NOT_HTTP
    assert bytes(response.tape.body) == b"SSH-2.0-OpenSSH_9.6\r\n"


async def test_a_server_that_never_stops_speaking_first() -> None:
    line = Line()
    for _ in range(9):
        line.connection.data_received(b"x" * 8192)
    assert line.wire.closed


@pytest.mark.parametrize("reused", [False, True])
async def test_a_connection_that_ends_without_a_byte(reused: bool) -> None:
    line = Line()
    if reused:
        line.ask()
        line.connection.data_received(OK + b"Content-Length: 4\r\n\r\nfine")
    response, done = line.ask()
    line.connection.connection_lost(ConnectionResetError(104, "Connection reset by peer"))
    assert done.done() and response.failure is not None
    assert line.shelf.stale is reused
    assert response.failure.retry is (Retry.AT_ONCE if reused else Retry.AGAIN)
    assert response.failure.sent
    assert reused or "Connection reset by peer" in (response.failure.error or "")


async def test_a_body_without_a_length_ends_with_the_connection_but_not_with_a_reset() -> None:
    line = Line()
    response, done = line.ask()
    line.connection.data_received(OK + b"\r\nfine")
    line.connection.connection_lost(ConnectionResetError(104, "Connection reset by peer"))
    assert done.done() and response.failure is not None
    assert response.failure.error == "The connection broke off after 4 bytes of the answer."


async def test_a_connection_that_ended_before_it_was_asked() -> None:
    line = Line()
    line.connection.connection_lost(None)
    response, done = line.ask()
    assert done.done() and response.failure is not None and not response.failure.sent
    assert not line.wire.written


async def test_nobody_waits_any_more() -> None:
    line = Line()
    response, _ = line.ask()
    line.connection.data_received(OK + b"Content-Length: 4\r\n\r\nfi")
    line.connection.give_up(response)
    assert line.wire.closed
    line.connection.connection_lost(None)
    assert line.shelf.stale is False and not line.shelf.kept


async def test_giving_up_an_answer_that_has_come_does_not_harm_the_next_one() -> None:
    line = Line()
    first, _ = line.ask()
    line.connection.data_received(OK + b"Content-Length: 4\r\n\r\nfine")
    second, done = line.ask()
    line.connection.give_up(first)
    line.connection.data_received(OK + b"Content-Length: 4\r\n\r\nmore")
    assert done.done() and bytes(second.tape.body) == b"more" and not line.wire.closed


async def test_a_cancelled_wait_does_not_break_the_connection_s_reading() -> None:
    line = Line()
    response, done = line.ask()
    done.cancel()
    line.connection.data_received(OK + b"Content-Length: 4\r\n\r\nfine")  # before whoever waited could give it up
    line.connection.give_up(response)
    assert line.shelf.kept == [line.connection] and not line.wire.closed


async def test_whoever_watches_may_break() -> None:
    line = Line()
    response, done = line.ask(streamed=True)

    def broken(text: str) -> None:
        raise RuntimeError(f"cannot show {text}")

    response.tape.on_delta = broken
    event = b'data: {"choices": [{"delta": {"content": "hi"}}]}\n\n'
    head = b"Content-Type: text/event-stream; charset=utf-8\r\nContent-Length: 5000\r\n\r\n"
    line.connection.data_received(OK + head + event)
    with pytest.raises(RuntimeError, match="cannot show hi"):
        await done
    assert line.wire.closed


async def test_a_stream_is_shown_as_it_comes_with_the_time_of_each_piece() -> None:
    line = Line()
    response, done = line.ask(streamed=True)
    shown: list[str] = []
    response.tape.on_delta = shown.append
    line.connection.data_received(OK + b"Content-Type: Text/Event-Stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for word in ("one", "two"):
        event = b'data: {"choices": [{"delta": {"content": "%s"}, "finish_reason": "stop"}]}\n\n' % word.encode()
        line.connection.data_received(b"%x\r\n%b\r\n" % (len(event), event))
        assert shown[-1] == word and not done.done()
        await asyncio.sleep(0)
    first_at = response.tape.first_token_at
    assert first_at is not None and response.times.last_at is not None and first_at < response.times.last_at
    line.connection.connection_lost(None)  # without the last chunk, but the end was said
    assert done.done() and response.failure is None and response.reader is not None
    assert response.reader.answer().output == "onetwo" and response.tape.ended_at is None


async def test_a_stream_that_ends_in_bad_chunks_after_its_end_was_said() -> None:
    event = b'data: {"choices": [{"delta": {"content": "hi"}, "finish_reason": "stop"}]}\n\n'
    data = OK + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    data += b"%x\r\n%b\r\nzz\r\n" % (len(event), event)
    for pieces in ([data], [data[:90], data[90:]], [data[at : at + 1] for at in range(len(data))]):
        line = Line()
        response, done = line.ask(streamed=True)
        for piece in pieces:
            if not done.done():
                line.connection.data_received(piece)
        assert done.done() and response.failure is None and response.reader is not None
        assert response.reader.answer().output == "hi"


LIMIT = {
    "one header": OK + b"X: " + b"y" * 70_000,
    "one name": OK + b"y" * 70_000,
    "many headers": OK + b"X: y\r\n" * 12_000,
    "a whole head": OK + b"X: yyyyyyy\r\n" * 9_000 + b"Content-Length: 4\r\n\r\nfine",
    "interim answers": b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" * 3_000,
    "empty lines": b"\r\n" * 40_000,
    "a trailer": OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\nX: " + b"y" * 200_000,
    "trailers": OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n" + b"X: y\r\n" * 30_000,
    "beside a chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n4;" + b"y" * 200_000,
}


@pytest.mark.parametrize("size", [1_000, 60_000])
@pytest.mark.parametrize("name", LIMIT)
async def test_what_is_no_body_has_its_limit(name: str, size: int) -> None:
    data = LIMIT[name]
    received = await receive([data[at : at + size] for at in range(0, len(data), size)], ended=False)
    assert (received.error, received.kept) == (NOT_HTTP, False)


async def test_a_long_head_is_read() -> None:
    data = OK + b"X: " + b"y" * 60_000 + b"\r\nContent-Length: 4\r\n\r\nfine"
    for size in (1_000, len(data)):
        assert await receive([data[at : at + size] for at in range(0, len(data), size)]) == said(200, b"fine")


async def test_a_body_has_its_limit_after_unpacking() -> None:
    packed = zlib.compress(b"\0" * (MAX_BODY_BYTES + 1), wbits=31)
    data = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed
    received = await receive([data], ended=False)
    assert received.error == "The answer is too large: more than 64 MB." and not received.kept
    assert received.body == b"\0" * 2**20
    exact = zlib.compress(b"\0" * MAX_BODY_BYTES, wbits=31)
    data = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(exact) + exact
    assert (await receive([data])).error is None


async def test_headers_are_found_in_any_case_and_the_first_one_counts() -> None:
    line = Line()
    response, _ = line.ask()
    line.connection.data_received(
        OK
        + b"X-RateLimit-Remaining:  7 \r\nx-ratelimit-remaining: 8\r\nNone:\r\nX-Raw: \xff\r\nContent-Length: 0\r\n\r\n"
    )
    headers = response.tape.headers
    assert headers["X-RATELIMIT-remaining"] == headers["x-ratelimit-remaining"] == "7"
    assert dict(headers.items()) == {"x-ratelimit-remaining": "7", "none": "", "x-raw": "\udcff", "content-length": "0"}
    assert "X-Raw" in headers and headers.get("x-other") is None and len(headers) == 4
