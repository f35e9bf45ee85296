"""What passes through the recorder is what the other side sent, whatever that is; and it is written down."""

from __future__ import annotations

import asyncio
import gzip
import re
import socket
import struct

import orjson
import pytest

from llmctl.outcome import Outcome
from llmctl.traffic.recorder.connection import ClientConnection

from .conftest import ANSWER, CHAT, Started, answer, post, read_request

CLOSE = "Connection: close"


async def _drain(writer: asyncio.StreamWriter, *pieces: bytes) -> None:
    for piece in pieces:
        writer.write(piece)
        await writer.drain()


async def test_a_call_passes_and_is_recorded_with_its_exact_payloads(recording: Started) -> None:
    got: list[bytes] = []
    sent = b'{ "id":"chatcmpl-7", "choices":[{"message":{"content":"Gr\xc3\xbc\xc3\x9fe"},"finish_reason":"stop"}] }'

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await read_request(reader))
        await _drain(writer, answer(sent, "X-Request-Id: r-1", CLOSE))

    asked = b'{"model": "gpt-5-mini",  "messages": [{"role": "user", "content": "Hi"}], "temperature": 0.50}'
    headers = ("Authorization: Bearer my-own-token-0123456789", "X-Llmctl-Prompt: triage@3", CLOSE)
    async with recording(serve) as bench:
        found = await bench.send(post(asked, *headers, 'X-Llmctl-Variables: {"ticket": "T1"}'))
        stored = await bench.call()
        raw = bench.raw(stored)
    assert found == answer(sent, "X-Request-Id: r-1", CLOSE)
    head, _, body = got[0].partition(b"\r\n\r\n")
    assert body == asked
    assert b"Authorization: Bearer my-own-token-0123456789" in head
    assert b"llmctl" not in head.lower()
    assert re.search(rb"\r\nHost: 127\.0\.0\.1:\d+\r\n", head)
    assert (raw["request"], raw["response"]) == (asked.decode(), sent.decode())
    assert raw["headers"] == {"content-type": "application/json", "x-request-id": "r-1"}
    call = stored.call
    assert (call.format, call.source_id, call.status, call.endpoint) == (
        "recorded",
        "chatcmpl-7",
        200,
        "/v1/chat/completions",
    )
    assert (call.output, call.outcome, call.model) == ("Grüße", Outcome.ANSWERED, "gpt-5-mini")
    assert (call.prompt_name, call.prompt_version, call.variables) == ("triage", "3", {"ticket": "T1"})
    assert call.latency_ms is not None and call.latency_ms > 0
    assert call.ttft_ms is None, "only a stream has a first token"
    journal = b"".join(path.read_bytes() for path in (bench.store / "traffic").iterdir())
    assert b"my-own-token" not in journal


async def test_a_stream_passes_chunk_by_chunk(recording: Started) -> None:
    said = [b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n']
    said += [b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % word for word in (b"Hel", b"lo")]
    said += [b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n', b"data: [DONE]\n\n"]
    go_on = asyncio.Event()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

    def chunk(data: bytes) -> bytes:
        return b"%X;ext=1\r\n%s\r\n" % (len(data), data)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await _drain(writer, head, chunk(said[0]))
        for one in said[1:]:
            await go_on.wait()
            go_on.clear()
            await _drain(writer, chunk(one))
        await _drain(writer, b"0\r\nX-Trailer: 1\r\n\r\n")

    async with recording(serve) as bench:
        reader, writer = await bench.connect()
        writer.write(post({**CHAT, "stream": True}))
        assert await reader.readexactly(len(head)) == head
        for number, one in enumerate(said):
            if number:
                go_on.set()  # nothing is held back: the next piece is made when this one has been read
            assert await reader.readexactly(len(chunk(one))) == chunk(one)
        assert await reader.readuntil(b"\r\n\r\n") == b"0\r\nX-Trailer: 1\r\n\r\n"
        writer.close()
        stored = await bench.call()
        raw = bench.raw(stored)
    assert raw["response"] == b"".join(said).decode()
    call = stored.call
    assert (call.output, call.finish_reason, call.outcome) == ("Hello", "stop", Outcome.ANSWERED)
    assert call.ttft_ms is not None and call.latency_ms is not None and 0 < call.ttft_ms < call.latency_ms


async def test_anthropic_and_responses_are_read_too(recording: Started) -> None:
    bodies = iter(
        [
            {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "claude-x",
                "content": [{"type": "text", "text": "Bonjour"}],
                "stop_reason": "end_turn",
                "usage": {"input_tokens": 5, "output_tokens": 2},
            },
            {
                "id": "resp_1",
                "object": "response",
                "status": "completed",
                "model": "gpt-x",
                "output": [
                    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hola"}]}
                ],
            },
        ]
    )

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for body in bodies:
            await read_request(reader)
            await _drain(writer, answer(body))

    messages = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    async with recording(serve) as bench:
        reader, writer = await bench.connect()
        for body, path in ((messages, "/v1/messages"), ({"model": "gpt-x", "input": "Hi"}, "/v1/responses")):
            writer.write(post(body, path=path))
            await read_request(reader)
        writer.close()
        found = [(one.call.output, one.call.endpoint, one.call.messages) for one in await bench.calls()]
    asked = ({"role": "user", "content": "Hi"},)
    assert found == [("Bonjour", "/v1/messages", asked), ("Hola", "/v1/responses", asked)]


async def test_gzip_is_untouched_on_the_way_and_readable_in_the_record(recording: Started) -> None:
    packed = gzip.compress(orjson.dumps(ANSWER))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await _drain(writer, answer(packed, "Content-Encoding: gzip", CLOSE))

    async with recording(serve) as bench:
        found = await bench.send(post(CHAT, "Accept-Encoding: gzip"))
        stored = await bench.call()
    assert found == answer(packed, "Content-Encoding: gzip", CLOSE)
    assert stored.call.output == "Hello"


@pytest.mark.parametrize("encoding", ["br", "gzip"])
async def test_what_cannot_be_unpacked_is_kept_as_it_came(recording: Started, encoding: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await _drain(writer, answer(b"\xff\xfe\x00", f"Content-Encoding: {encoding}", CLOSE))

    async with recording(serve) as bench:
        await bench.send(post())
        stored = await bench.call()
        raw = bench.raw(stored)
    assert raw["response_base64"] == "//4A"
    assert (stored.call.outcome, stored.call.output) == (None, None)
    assert stored.call.messages == ({"role": "user", "content": "Hi"},)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("429 Too Many Requests", Outcome.PROVIDER_ERROR),
        ("500 Internal Server Error", Outcome.PROVIDER_ERROR),
        ("400 Bad Request", Outcome.BAD_REQUEST),
        ("504 Gateway Timeout", Outcome.TIMEOUT),
    ],
)
async def test_an_error_of_the_upstream_passes_unchanged(recording: Started, status: str, outcome: Outcome) -> None:
    sent = answer({"error": {"message": "No.", "type": "x"}}, "Retry-After: 7", CLOSE, status=status)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await _drain(writer, sent)

    async with recording(serve) as bench:
        assert await bench.send(post()) == sent
        call = (await bench.call()).call
    assert (call.status, call.outcome, call.error) == (int(status[:3]), outcome, "No.")
    assert call.messages == ({"role": "user", "content": "Hi"},)


async def test_a_reset_in_the_middle_is_a_reset(recording: Started) -> None:
    read = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await _drain(writer, answer()[:-10])
        await read.wait()
        found = writer.get_extra_info("socket")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with recording(serve) as bench:
        reader, writer = await bench.connect()
        writer.write(post())
        assert await reader.readexactly(len(answer()) - 10) == answer()[:-10]
        read.set()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        call = (await bench.call()).call
    assert (call.outcome, call.tags, call.status) == (Outcome.PROVIDER_ERROR, ("reset",), 200)


async def test_an_answer_that_is_cut_off_ends_as_it_did(recording: Started) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await _drain(writer, answer()[:-10])

    async with recording(serve) as bench:
        assert await bench.send(post()) == answer()[:-10]
        call = (await bench.call()).call
    assert (call.outcome, call.tags) == (Outcome.MALFORMED, ("cut",))


async def test_what_is_no_http_passes_unchanged(recording: Started) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await _drain(writer, b"SSH-2.0-x\r\n\xff")

    async with recording(serve) as bench:
        assert await bench.send(post()) == b"SSH-2.0-x\r\n\xff"
        call = (await bench.call()).call
    assert (call.outcome, call.tags, call.status) == (Outcome.MALFORMED, ("not_http",), None)


async def test_a_body_without_a_length_ends_with_the_connection(recording: Started) -> None:
    sent = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + orjson.dumps(ANSWER)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await _drain(writer, sent)

    async with recording(serve) as bench:
        assert await bench.send(post()) == sent
        call = (await bench.call()).call
    assert (call.outcome, call.output, call.tags) == (Outcome.ANSWERED, "Hello", ())


async def test_an_upstream_that_cannot_be_reached(recording: Started) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # and nobody listens
        port = held.getsockname()[1]
        async with recording.at(f"http://127.0.0.1:{port}") as bench:  # type: ignore[attr-defined]
            found = await bench.send(post())
            call = (await bench.call()).call
    head, _, body = found.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 502 ")
    assert orjson.loads(body)["error"]["code"] == "upstream_unreachable"
    assert (call.status, call.outcome, call.tags) == (None, Outcome.PROVIDER_ERROR, ("unreachable",))


async def test_a_client_that_goes_away_calls_the_upstream_off(recording: Started) -> None:
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await _drain(writer, answer()[:-10])
        assert await reader.read() == b""
        gone.set()

    async with recording(serve) as bench:
        reader, writer = await bench.connect()
        writer.write(post())
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await asyncio.wait_for(gone.wait(), 5)
        call = (await bench.call()).call
    assert (call.tags, call.status) == (("client_gone",), 200)


async def test_pipelined_requests_are_answered_in_order_one_at_a_time(recording: Started) -> None:
    seen: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(3):
            request = await read_request(reader)
            seen.append(orjson.loads(request.partition(b"\r\n\r\n")[2])["n"])
            with pytest.raises(TimeoutError):  # the next one does not come before this one is answered
                await asyncio.wait_for(reader.read(1), 0.02)
            await _drain(writer, answer({**ANSWER, "id": str(number)}, *([CLOSE] if number == 2 else [])))

    async with recording(serve) as bench:
        found = await bench.send(b"".join(post({**CHAT, "n": number}) for number in range(3)))
        ids = [one.call.source_id for one in await bench.calls()]
    assert seen == [0, 1, 2]
    assert re.findall(rb'"id":"(\d)"', found) == [b"0", b"1", b"2"]
    assert ids == ["0", "1", "2"]


async def test_head_continue_and_early_hints(recording: Started) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert (await read_request(reader)).startswith(b"HEAD /v1/models HTTP/1.1\r\n")
        await _drain(writer, b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Expect: 100-continue" in head
        await _drain(writer, b"HTTP/1.1 100 Continue\r\n\r\n")
        await reader.readexactly(len(orjson.dumps(CHAT)))
        await _drain(writer, b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + answer(ANSWER, CLOSE))

    async with recording(serve) as bench:
        reader, writer = await bench.connect()
        writer.write(b"HEAD /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"
        head, _, body = post(CHAT, "Expect: 100-continue").partition(b"\r\n\r\n")
        writer.write(head + b"\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        rest = await reader.read()
        writer.close()
        assert rest == b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + answer(ANSWER, CLOSE)
        assert (await bench.call()).call.output == "Hello"
        assert bench.writer.passed == {"HEAD /v1/models": 1}


async def test_a_large_body_in_chunks_passes_whole(recording: Started) -> None:
    text = "x" * 20_000_000
    got: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Transfer-Encoding: chunked" in head
        length = 0
        while size := int(await reader.readline(), 16):
            length += len(await reader.readexactly(size))
            await reader.readline()
        await reader.readline()
        got.append(length)
        await _drain(writer, answer(ANSWER, CLOSE))

    body = orjson.dumps({**CHAT, "messages": [{"role": "user", "content": text}]})
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with recording(serve) as bench:
        found = await bench.send(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        stored = await bench.call()
    assert found == answer(ANSWER, CLOSE)
    assert got == [len(body)]
    assert stored.call.messages == ({"role": "user", "content": text},)


async def test_another_protocol_that_is_offered_is_not_taken_up(recording: Started) -> None:
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await read_request(reader))
        await _drain(writer, answer(ANSWER, CLOSE))

    headers = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAA")  # as Java's client does
    async with recording(serve) as bench:
        assert await bench.send(post(CHAT, *headers)) == answer(ANSWER, CLOSE)
        assert (await bench.call()).call.output == "Hello"
    assert b"h2c" not in got[0] and b"http2" not in got[0].lower()


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x00\x00garbage\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"])
async def test_what_is_no_request_is_refused(recording: Started, sent: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise AssertionError("nothing is passed on")

    async with recording(serve) as bench:
        assert (await bench.send(sent)).startswith(b"HTTP/1.1 400 ")
        assert await bench.calls() == []


async def test_a_client_slower_than_the_upstream_holds_it_back(recording: Started) -> None:
    big = b'"' + b"x" * 30_000_000 + b'"'
    halted = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answer(big, CLOSE))
        drained = asyncio.ensure_future(writer.drain())
        done, _ = await asyncio.wait([drained], timeout=0.3)
        if not done:
            halted.set()
        await drained

    async with recording(serve) as bench:
        reader, writer = await bench.connect()
        writer.write(post())
        await asyncio.wait_for(halted.wait(), 5)
        client = next(iter(bench.recorder._clients))
        assert isinstance(client, ClientConnection)
        assert client.transport.get_write_buffer_size() < 2**21
        assert len(await reader.read()) == len(answer(big, CLOSE))
        writer.close()


async def test_ending_lets_what_is_under_way_end(recording: Started) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        asked.set()
        await go_on.wait()
        await _drain(writer, answer())

    async with recording(serve) as bench:
        idle_reader, idle_writer = await bench.connect()
        reader, writer = await bench.connect()
        writer.write(post())
        await asked.wait()
        stopping = asyncio.ensure_future(bench.recorder.stop(10.0))
        assert await idle_reader.read() == b""
        go_on.set()
        assert await reader.read() == answer()
        await stopping
        writer.close()
        idle_writer.close()
        assert (await bench.call()).call.output == "Hello"


async def test_ending_cuts_off_what_takes_too_long(recording: Started) -> None:
    asked = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        asked.set()
        await reader.read()

    async with recording(serve) as bench:
        _, writer = await bench.connect()
        writer.write(post())
        await asked.wait()
        await bench.recorder.stop(0.0)
        writer.close()
        assert (await bench.call()).call.tags == ("stopped",)


async def test_keys_of_clients_are_taken_out_wherever_they_turn_up(recording: Started) -> None:
    key = "weird.key.0123456789.abcdef"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        error = {"error": {"message": f"Incorrect API key provided: {key}"}}
        await _drain(writer, answer(error, CLOSE, status="401 Unauthorized"))

    async with recording(serve) as bench:
        assert key.encode() in await bench.send(post(CHAT, f"x-api-key: {key}"))
        call = (await bench.call()).call
    assert call.error == "Incorrect API key provided: [redacted]"
    assert key.encode() not in b"".join(path.read_bytes() for path in (bench.store / "traffic").iterdir())
