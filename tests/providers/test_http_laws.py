"""Laws of reading answers: `aiohttp` reads the same from the same bytes, and where they are cut changes nothing."""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.providers.wire_bytes import Line, Wire, cut, receive

NAMES = ("X-One", "x-two", "DATE", "Retry-After", "x-ratelimit-limit-requests", "Set-Cookie", "Content-Type", "A.b~")
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x17F, exclude_characters="\x7f"), max_size=12)


@dataclass(frozen=True)
class Drawn:
    """An answer as a server may send it."""

    data: bytes
    """To its end, or cut off before."""
    half_packed: bool = False
    """Whether it was compressed, and cut off."""


@st.composite
def heads(draw: st.DrawFn, status: int, framing: list[str]) -> bytes:
    reason = draw(st.sampled_from([" OK", "", " ", " Not so  good", " gr\xfcn"]))
    lines = [f"HTTP/1.{draw(st.sampled_from([1, 1, 1, 0]))} {status}{reason}"]
    fields = draw(st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=6))
    space = st.sampled_from(["", " ", "  ", "\t"])
    lines += [f"{name}:{draw(space)}{value}{draw(space)}" for name, value in fields]
    at = draw(st.integers(1, len(lines)))
    lines[at:at] = framing
    end = draw(st.sampled_from(["\r\n", "\r\n", "\r\n", "\n"]))
    return (end.join(lines) + end * 2).encode()


@st.composite
def interim(draw: st.DrawFn) -> bytes:
    statuses = draw(st.lists(st.sampled_from([100, 102, 103]), max_size=2))
    return b"".join(b"HTTP/1.1 %d Wait\r\nLink: </x>\r\n\r\n" % status for status in statuses)


def in_chunks(draw: st.DrawFn, body: bytes) -> bytes:
    pieces = [piece for piece in cut(body, draw(st.lists(st.integers(0, 300), max_size=4))) if piece]
    extension = draw(st.sampled_from([b"", b";a=b", b";x"]))
    trailer = draw(st.sampled_from([b"", b"X-Sum: 1\r\n", b"A: b\r\nC: d\r\n"]))
    chunks = b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces)
    return chunks + b"0\r\n" + trailer + b"\r\n"


@st.composite
def answers(draw: st.DrawFn) -> Drawn:
    status = draw(st.sampled_from([200, 200, 200, 201, 302, 400, 404, 429, 500, 503, 599, 204, 304]))
    if status in {204, 304}:
        return Drawn(draw(heads(status, [])))
    body = draw(st.binary(max_size=300))
    framing: list[str] = []
    packing = draw(st.sampled_from(["", "", "", "gzip", "deflate", "raw deflate", "identity"]))
    if packing and body:
        bits = {"gzip": 31, "deflate": 15, "raw deflate": -15}.get(packing)
        body = zlib.compress(body, wbits=bits) if bits else body
        framing.append(f"Content-Encoding: {packing.removeprefix('raw ')}")
    match draw(st.sampled_from(["length", "length", "chunked", "end"])):
        case "length":
            framing.append(f"content-length: {len(body)}")
        case "chunked":
            framing.append("Transfer-Encoding: Chunked")
            body = in_chunks(draw, body)
    data = draw(interim()) + draw(heads(status, framing)) + body
    keep = draw(st.sampled_from([None, None, None, 1.0])) and draw(st.floats(0, 1))
    length = len(data) if keep is None else int(len(data) * keep)
    return Drawn(data[:length], half_packed=length < len(data) and packing not in {"", "identity"})


async def read_by_aiohttp(pieces: list[bytes]) -> tuple[int, list[tuple[str, str]], bytes] | str:
    """Status, headers and body of a whole answer; else what it is instead."""
    handler = ResponseHandler(asyncio.get_running_loop())
    handler.connection_made(Wire())
    handler.set_response_params(read_until_eof=True)
    for piece in pieces:
        handler.data_received(piece)
    handler.connection_lost(None)
    try:
        message, payload = await handler.read()
        while message.code < 200 and message.code != 101:
            message, payload = await handler.read()
        body = await payload.read()
    except aiohttp.ServerDisconnectedError:
        return "nothing"
    except (aiohttp.ClientPayloadError, HttpProcessingError):
        return "broken"
    return message.code, [(name.lower(), value) for name, value in message.headers.items()], body


async def read_here(pieces: list[bytes]) -> tuple[int, list[tuple[str, str]], bytes] | str:
    line = Line()
    response, done = line.ask()
    for piece in pieces:
        if not done.done():
            line.connection.data_received(piece)
    line.connection.connection_lost(None)
    await done
    tape, failure = response.tape, response.failure
    if failure is None and tape.status is not None:
        return tape.status, list(tape.headers.items()), bytes(tape.body)
    return "nothing" if failure is not None and "Server disconnected" in (failure.error or "") else "broken"


@settings(max_examples=1000, deadline=None)
@given(drawn=answers(), places=st.lists(st.integers(0, 800), max_size=5))
async def test_aiohttp_reads_the_same_from_the_same_bytes(drawn: Drawn, places: list[int]) -> None:
    for pieces in ([drawn.data] if drawn.data else [], cut(drawn.data, places)):
        theirs, ours = await read_by_aiohttp(pieces), await read_here(pieces)
        if drawn.half_packed:  # which aiohttp takes for whole where the connection's end is the body's
            assert isinstance(ours, str) or not ours[2] or ours[0] >= 400
        elif isinstance(theirs, str) or isinstance(ours, str):
            assert theirs == ours
        else:
            first: dict[str, str] = {}
            for name, value in theirs[1]:
                first.setdefault(name, value)
            assert (theirs[0], list(first.items()), theirs[2]) == ours


@settings(max_examples=500, deadline=None)
@given(
    drawn=answers(),
    damage=st.lists(st.tuples(st.integers(0, 800), st.binary(max_size=2)), max_size=3),
    places=st.lists(st.integers(0, 800), min_size=1, max_size=5),
)
async def test_where_the_bytes_are_cut_changes_nothing(
    drawn: Drawn, damage: list[tuple[int, bytes]], places: list[int]
) -> None:
    data = drawn.data
    for place, byte in damage:
        data = data[: place % (len(data) + 1)] + byte + data[place % (len(data) + 1) + 1 :]
    whole, pieces = await receive([data]), await receive(cut(data, places))
    assert (whole.status, whole.error) == (pieces.status, pieces.error)
    if whole.error is None and b"Content-Encoding" not in data:  # what zlib makes of damage depends on it
        assert whole.body == pieces.body
    else:
        single = await receive([data[at : at + 1] for at in range(len(data))])
        assert (whole.status, whole.error) == (single.status, single.error)
