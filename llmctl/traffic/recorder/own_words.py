"""The few bytes that the recorder says itself. Pure."""

from __future__ import annotations

import orjson

from llmctl.traffic.recorder.exchange import Exchange

__all__ = ["head_again", "own_answer"]

_FRAMING = (b"content-length", b"transfer-encoding")


def own_answer(status: bytes, said: str, code: str) -> bytes:
    """An answer in place of the upstream's, in the shape of an error that clients of both APIs read."""
    body = orjson.dumps({"error": {"message": said, "type": "llmctl_record", "code": code, "param": None}})
    head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    return head % (status, len(body)) + body


def head_again(exchange: Exchange) -> bytes:
    """A head that says of the body what the request's own says."""
    lines = [b"%s: %s\r\n" % field for field in exchange.fields if field[0].lower() in _FRAMING]
    return b"%s / HTTP/1.1\r\n%s\r\n" % (exchange.method, b"".join(lines))
