"""What of a logged call makes it the same request as another: its digest, and the stratum that it belongs to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from enum import StrEnum

from llmctl.canonical import canonical_json
from llmctl.traffic.logged_call import LoggedCall, Message
from llmctl.traffic.replay.records import Mode

__all__ = ["DIGEST_BYTES", "Dedupe", "Stratum", "request_digest", "stratum_of"]

DIGEST_BYTES = 16
_DAY_S = 86_400
_SYSTEM = ("system", "developer")
_NO_MATTER = frozenset(
    {"stream", "stream_options", "user", "metadata", "store", "service_tier", "prompt_cache_key", "safety_identifier"}
)
"""Parameters that change who is told of the call and how it comes, not what is answered."""


class Dedupe(StrEnum):
    """Which calls one of them may stand for."""

    NONE = "none"
    EXACT = "exact"
    """The same model, messages, tools, response format and parameters."""
    NEAR = "near"
    """The same but for a few words of the messages that are not the system's."""


class Stratum(StrEnum):
    """What a sample is divided by."""

    MODEL = "model"
    PROMPT = "prompt"
    DAY = "day"
    """Of UTC."""


def request_digest(
    call: LoggedCall, mode: Mode, variables: Mapping[str, object] | None, *, near: bool = False
) -> bytes:
    """A digest that equal requests share, of `DIGEST_BYTES` bytes.

    Args:
        call: the call.
        mode: in `output-only` the answer belongs to it, since that is what is scored.
        variables: what a template will be rendered with.
        near: leave the texts out in which near duplicates may differ.
    """
    parts: list[object] = [
        *(call.provider, call.model, call.tools, call.tool_choice, call.response_format),
        {name: value for name, value in call.params.items() if name not in _NO_MATTER},
        _blanked(call.messages) if near else call.messages,
        sorted(variables) if near and variables is not None else variables,
    ]
    if mode is Mode.OUTPUT_ONLY:
        parts += [call.output, call.tool_calls, call.outcome, call.prompt_name]
    return hashlib.blake2b(canonical_json(parts), digest_size=DIGEST_BYTES).digest()


def _blanked(messages: Sequence[Message] | None) -> list[object] | None:
    """The messages without the texts that are not the system's; images and calls of tools stay."""
    if messages is None:
        return None
    return [one if one.get("role") in _SYSTEM else {**one, "content": _no_text(one.get("content"))} for one in messages]


def _no_text(content: object) -> object:
    if isinstance(content, str):
        return None
    if not isinstance(content, list):
        return content
    return [part for part in content if not (isinstance(part, Mapping) and part.get("type") == "text")]


def stratum_of(call: LoggedCall, stratify: Sequence[Stratum]) -> str:
    """The name of the call's stratum; what the log does not say makes a stratum of its own."""
    return "\0".join(_value(call, one) for one in stratify)


def _value(call: LoggedCall, stratum: Stratum) -> str:
    match stratum:
        case Stratum.MODEL:
            return call.model or call.served_model or ""
        case Stratum.PROMPT:
            return call.prompt_name or ""
        case Stratum.DAY:
            return "" if call.started_at is None else f"{call.started_at // _DAY_S:.0f}"
