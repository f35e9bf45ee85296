"""What has passed is in the journal, or it is said how many calls are not; the client notices nothing of it."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import socket
import sys
import zlib
from pathlib import Path

import orjson
import pytest

from llmctl.traffic.journal import TrafficHead
from llmctl.traffic.recorder.child import _Child
from llmctl.traffic.recorder.child_writer import ChildWriter
from llmctl.traffic.recorder.exchange import TOO_LONG, Ending, Exchange
from llmctl.traffic.recorder.frames import Kind, packed, read_frame, signal_frame
from llmctl.traffic.recorder.heads import ResponseHead
from llmctl.traffic.recorder.setting import Setting
from llmctl.traffic.recorder.writer import NO_ROOM
from llmctl.traffic.store import TrafficStore

from .conftest import ANSWER, CHAT, Started, answer, post, read_request

CLOSE = "Connection: close"


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers whatever comes, on one connection as long as the client keeps it."""
    while True:
        asked = await read_request(reader)
        writer.write(answer(ANSWER, *([CLOSE] if b"Connection: close" in asked else [])))
        await writer.drain()


def _exchange(number: int = 0) -> Exchange:
    exchange = Exchange(b"POST", b"/v1/chat/completions", [(b"Host", b"x")], True, False)
    exchange.request.add(orjson.dumps(CHAT))
    exchange.head = ResponseHead(200, b"", ((b"content-type", b"application/json"),))
    exchange.response.add(orjson.dumps({**ANSWER, "id": f"c-{number}"}))
    exchange.end(Ending.WHOLE)
    return exchange


def _framed(*exchanges: Exchange) -> bytes:
    return b"".join(piece for exchange in exchanges for piece in packed(exchange, hasty=True))


def _zstd(data: bytes) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd.compress(data)


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("zstd", _zstd(orjson.dumps(ANSWER))),
        ("deflate", zlib.compress(orjson.dumps(ANSWER))),
        ("deflate", _raw_deflate(orjson.dumps(ANSWER))),
    ],
)
async def test_packed_answers_are_untouched_and_readable(recording: Started, encoding: str, data: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answer(data, f"Content-Encoding: {encoding}", CLOSE))

    async with recording(serve) as bench:
        found = await bench.send(post(CHAT, CLOSE))
        stored = await bench.call()
        raw = bench.raw(stored)
    assert found == answer(data, f"Content-Encoding: {encoding}", CLOSE)
    assert stored.call.output == "Hello"
    assert raw["response"] == orjson.dumps(ANSWER).decode()


async def test_a_zstd_body_that_was_cut_off_or_is_none(recording: Started) -> None:
    whole = _zstd(orjson.dumps(ANSWER))
    bodies = iter([whole[: len(whole) // 2], b"no zstd at all"])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answer(next(bodies), "Content-Encoding: zstd", CLOSE))

    async with recording(serve) as bench:
        await bench.send(post(CHAT, CLOSE))
        await bench.send(post(CHAT, CLOSE))
        calls = await bench.calls()
        raws = [bench.raw(one) for one in calls]
    assert [one.call.output for one in calls] == [None, None]
    assert raws[1]["response_base64"] == "bm8genN0ZCBhdCBhbGw="


async def test_a_kept_connection_carries_many_calls(recording: Started) -> None:
    opened: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(1)
        await _serve(reader, writer)

    async with recording(serve) as bench:
        reader, writer = await bench.connect()
        for _ in range(20):
            writer.write(post())
            assert await read_request(reader) == answer()
        writer.close()
        assert len(await bench.calls()) == 20
    assert opened == [1]


@pytest.mark.parametrize("method", ["OPTIONS", "GET", "DELETE"])
async def test_other_methods_pass_and_are_counted(recording: Started, method: str) -> None:
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await read_request(reader))
        writer.write(b"HTTP/1.1 204 No Content\r\nAllow: POST\r\nConnection: close\r\n\r\n")

    async with recording(serve) as bench:
        found = await bench.send(f"{method} /v1/files/file-123 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert await bench.calls() == []
        assert bench.writer.passed == {f"{method} /v1/files": 1}
    assert found == b"HTTP/1.1 204 No Content\r\nAllow: POST\r\nConnection: close\r\n\r\n"
    assert got[0].startswith(f"{method} /v1/files/file-123 HTTP/1.1\r\n".encode())


@pytest.mark.parametrize(
    "header",
    [
        "Authorization: Bearer {}",
        "x-api-key: {}",
        "api-key: {}",
        "x-goog-api-key: {}",
        "Cookie: session={}",
        "X-Anything: {}",
    ],
)
async def test_no_header_of_a_request_reaches_the_store(recording: Started, header: str) -> None:
    canary = "canary0123456789abcdefXYZ"
    async with recording(_serve) as bench:
        await bench.send(post(CHAT, header.format(canary), CLOSE, path=f"/v1/chat/completions?key={canary}"))
        assert len(await bench.calls()) == 1
        kept = [path for path in bench.store.rglob("*") if path.is_file()]
    assert kept
    assert [path for path in kept if canary.encode() in path.read_bytes()] == []


async def test_an_upstream_that_hangs_hangs_until_the_client_has_enough(recording: Started) -> None:
    asked = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        asked.set()
        await reader.read()

    async with recording(serve) as bench:
        reader, writer = await bench.connect()
        writer.write(post())
        await asked.wait()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.05)
        writer.close()
        while not bench.recorder._gathered:  # it has seen that the client is gone
            await asyncio.sleep(0)
        call = (await bench.call()).call
    assert (call.tags, call.status, call.output, call.outcome) == (("client_gone",), None, None, None)


async def test_what_finds_no_room_passes_and_is_counted(recording: Started) -> None:
    async with recording(_serve) as bench:
        bench.writer._most_held_bytes = 3 * len(post()) + 4096  # a normal call fits, a long one does not
        long = {**CHAT, "messages": [{"role": "user", "content": "x" * 20_000}]}
        assert await bench.send(post(long, CLOSE)) == answer(ANSWER, CLOSE)
        assert await bench.send(post(CHAT, CLOSE)) == answer(ANSWER, CLOSE)
        assert len(await bench.calls()) == 1
        assert bench.writer.lost == {NO_ROOM: 1}
        for _ in range(3):  # room that was taken is given back
            await bench.send(post(CHAT, CLOSE))
            await bench.calls()
        assert bench.writer.lost == {NO_ROOM: 1}


async def test_a_body_that_is_too_long_passes_and_is_counted(
    recording: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmctl.traffic.recorder.exchange.KEPT_BODY_BYTES", 1000)
    long = {**CHAT, "messages": [{"role": "user", "content": "x" * 2000}]}
    async with recording(_serve) as bench:
        assert await bench.send(post(long, CLOSE)) == answer(ANSWER, CLOSE)
        assert await bench.calls() == []
        assert bench.writer.lost == {TOO_LONG: 1}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
async def test_a_writing_process_that_was_killed_is_said_once_and_calls_go_on(recording: Started) -> None:
    async with recording(_serve) as bench:
        await bench.send(post(CHAT, CLOSE))
        assert len(await bench.calls()) == 1
        os.kill(bench.writer._process.pid, signal.SIGKILL)
        await asyncio.to_thread(bench.writer._threads[1].join)
        for _ in range(3):
            assert await bench.send(post(CHAT, CLOSE)) == answer(ANSWER, CLOSE)
    assert len(bench.told) == 1 and "no longer recorded" in bench.told[0]
    assert bench.writer.recorded == 1
    assert bench.writer.lost == {"the journal could not be written": 3}
    assert not bench.writer.flush(0.01)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
async def test_a_service_manager_that_signals_every_process_loses_nothing(recording: Started) -> None:
    async with recording(_serve) as bench:
        assert await bench.calls() == []  # it runs
        os.kill(bench.writer._process.pid, signal.SIGTERM)
        await bench.send(post(CHAT, CLOSE))
        assert len(await bench.calls()) == 1
    assert (bench.told, bench.writer.recorded) == ([], 1)


async def test_two_recorders_on_one_store(recording: Started) -> None:
    async with recording(_serve) as one, recording(_serve) as other:
        await asyncio.gather(*(bench.send(post(CHAT, CLOSE)) for bench in (one, other) for _ in range(10)))
        await other.calls()
        assert len(await one.calls()) == 20
        assert one.writer.import_id != other.writer.import_id
        assert (one.writer.recorded, other.writer.recorded) == (10, 10)


# The child itself.


def _written(store: Path, data: bytes) -> list[dict[str, object]]:
    said: list[dict[str, object]] = []
    _Child(Setting(store, TrafficHead("record", ())), said.append).work(io.BytesIO(data))
    return said


@pytest.mark.parametrize("torn", [0, 1, 40, 400])
def test_what_reached_the_child_is_written_when_the_recorder_is_killed(tmp_path: Path, torn: int) -> None:
    whole = _framed(*map(_exchange, range(5)))
    said = _written(tmp_path, whole + _framed(_exchange(5))[:torn])
    assert (said[-1]["recorded"], said[-1]["closed"]) == (5, True)
    ids = [one.call.source_id for one in TrafficStore(tmp_path).calls()]
    assert ids == [f"c-{number}" for number in range(5)]


def test_the_last_line_of_the_journal_counts_what_was_lost(tmp_path: Path) -> None:
    _written(tmp_path, _framed(_exchange()) + signal_frame(Kind.CLOSE, {"no room": 2}))
    (journal,) = (tmp_path / "traffic").iterdir()
    last = orjson.loads(journal.read_bytes().splitlines()[-1])
    assert (last["type"], last["result"]) == ("traffic_end", {"recorded": 1, "lost": {"no room": 2}, "passed": {}})


def test_keys_that_llmctl_itself_knows_are_never_written(tmp_path: Path) -> None:
    key = "plain.words.that.are.a.key"
    exchange = _exchange()
    exchange.response.add(f" {key}".encode())
    child = _Child(Setting(tmp_path, TrafficHead("record", ()), keys=(key,)), lambda _: None)
    child.work(io.BytesIO(_framed(exchange)))
    (journal,) = (tmp_path / "traffic").iterdir()
    assert key.encode() not in journal.read_bytes()
    assert b"[redacted]" in journal.read_bytes()


def test_a_frame_is_read_as_it_was_packed() -> None:
    exchange = _exchange(7)
    exchange.fields = [(b"A", b"1"), (b"B", b"\xff")]
    exchange.ending, exchange.error = Ending.UNREACHABLE, "refused"
    read = read_frame(io.BytesIO(_framed(exchange)).read)
    assert read is not None
    kind, found = read
    assert kind is Kind.HASTY_CALL and isinstance(found, Exchange)
    for name in ("method", "target", "fields", "started_at", "began", "ended", "ending", "error"):
        assert getattr(found, name) == getattr(exchange, name), name
    assert found.request.bytes() == exchange.request.bytes()
    assert found.response.bytes() == exchange.response.bytes()
    assert found.response.times == exchange.response.times
    assert found.head is not None and exchange.head is not None
    assert (found.head.status, found.head.fields) == (exchange.head.status, exchange.head.fields)


def test_nothing_is_made_where_nothing_was_recorded(tmp_path: Path) -> None:
    writer = ChildWriter(Setting(tmp_path / "store", TrafficHead("record", ())), print)
    assert writer.flush(20)
    writer.close()
    assert (writer.recorded, writer.lost, writer.import_id) == (0, {}, None)
    assert not (tmp_path / "store").exists()


async def test_a_client_that_was_accepted_before_the_end_and_connected_after_it(recording: Started) -> None:
    async with recording(_serve) as bench:
        client, never = bench.recorder._client(), bench.recorder._client()
        await asyncio.wait_for(bench.recorder.stop(60.0), 30)  # asyncio lets go of some without a word, like `never`
        ours, theirs = socket.socketpair()
        await asyncio.get_running_loop().create_connection(lambda: client, sock=ours)
        theirs.setblocking(False)
        assert await asyncio.get_running_loop().sock_recv(theirs, 1) == b""
        theirs.close()
        assert not hasattr(never, "transport")
