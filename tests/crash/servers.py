"""Waits until a loopback server has taken note of every request that was sent to it."""

from __future__ import annotations

import urllib.request

from tests.support.openai_server import OpenAIServer

__all__ = ["settled"]


def settled(server: OpenAIServer) -> int:
    """How many requests it has seen; those that a process sent just before its end are among them."""
    for _ in range(4):  # what lay in the sockets before is read before the answers to these
        body = b'{"model": "settled", "messages": []}'
        with urllib.request.urlopen(f"{server.url}/chat/completions", data=body, timeout=10) as answer:
            answer.read()
    return len(server.seen)
