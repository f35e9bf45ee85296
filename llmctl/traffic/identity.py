"""The id of a logged call: the same whenever and from wherever it is imported, so that importing twice adds nothing."""

from __future__ import annotations

import hashlib

import orjson

from llmctl.traffic.logged_call import LoggedCall, LoggedFeedback

__all__ = ["ID_DIGITS", "SHORTEST_PREFIX", "call_identity", "feedback_identity"]

ID_DIGITS = 16
SHORTEST_PREFIX = 6
"""Of an id, as people may shorten it."""


def call_identity(call: LoggedCall, raw: str) -> str:
    """What makes the call itself: format and source id, its time and its messages; without a source id what was logged.

    A source id alone does not: a test server gives every answer the same, and a cache serves one answer many times.
    """
    hashed = hashlib.blake2b(digest_size=ID_DIGITS // 2)
    hashed.update(call.format.encode("utf-8", "surrogatepass"))
    if call.source_id is None:
        # One text may hold several calls, each with messages of its own.
        hashed.update(f"\0raw\0{raw}\0{call.output}\0".encode("utf-8", "surrogatepass"))
    else:
        hashed.update(f"\0{call.source_id}\0{call.started_at}\0".encode("utf-8", "surrogatepass"))
    hashed.update(_messages(call))
    return hashed.hexdigest()


def feedback_identity(feedback: LoggedFeedback, raw: str) -> str:
    """The same of what somebody said of a call."""
    hashed = hashlib.blake2b(digest_size=ID_DIGITS // 2)
    hashed.update(f"feedback\0{feedback.kind}\0{feedback.target}\0{feedback.name}\0".encode("utf-8", "surrogatepass"))
    hashed.update(raw.encode("utf-8", "surrogatepass"))
    return hashed.hexdigest()


def _messages(call: LoggedCall) -> bytes:
    if call.messages is None:
        return b"null"
    try:
        return orjson.dumps(call.messages)
    except TypeError:  # a lone surrogate, or a number beyond 64 bits
        return repr(call.messages).encode("utf-8", "surrogatepass")
