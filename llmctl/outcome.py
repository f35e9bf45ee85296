"""How a call ended: a closed set, kept apart from any score."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Outcome"]


class Outcome(StrEnum):
    """What became of one call, after all its attempts."""

    ANSWERED = "answered"
    """Text or a tool call, ended normally."""
    TRUNCATED = "truncated"
    """Stopped at the token limit; scored as it is, marked."""
    EMPTY = "empty"
    """Ended without text or tool call; scored as empty text."""
    REFUSED = "refused"
    """The provider's own refusal field or stop reason, never guessed from words."""
    FILTERED = "filtered"
    """Held back by a content filter."""
    CONTEXT_EXCEEDED = "context_exceeded"
    """The prompt is longer than the model's context."""
    MALFORMED = "malformed"
    """Not what the protocol promises: HTML, cut JSON, no choices, a stream cut off."""
    TIMEOUT = "timeout"
    BAD_REQUEST = "bad_request"
    PROVIDER_ERROR = "provider_error"
    SKIPPED = "skipped"
    """Not sent: budget, open circuit, offline, interrupted."""
    POLICY_BLOCKED = "policy_blocked"
    """Not sent: a policy of the project forbids it."""

    @property
    def scored(self) -> bool:
        """Whether evaluators judge the output."""
        return self in _SCORED

    @property
    def evidence(self) -> bool:
        """Whether the result counts in a rate: scored, or a failure of the model's own making."""
        return self in _SCORED or self in _FAILS


_SCORED = frozenset({Outcome.ANSWERED, Outcome.TRUNCATED, Outcome.EMPTY})
_FAILS = frozenset({Outcome.REFUSED, Outcome.FILTERED, Outcome.CONTEXT_EXCEEDED})
