"""Whether a logged call can be asked again, and if not, why; counted by the reason."""

from __future__ import annotations

from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.replay.records import Mode

__all__ = ["NO_ANSWER", "NO_MESSAGES", "OTHER", "Reasons", "not_replayable"]

NO_MESSAGES = "no messages were logged"
NO_ANSWER = "no answer was logged"
NOT_CHAT = "it is no chat call"
OTHER = "other reasons"
_MAX_REASONS = 100
_OTHER_ENDPOINTS = ("/embeddings", "/moderations", "/rerank", "/images/generations", "/audio/speech")


def not_replayable(call: LoggedCall, mode: Mode) -> str | None:
    """Why this call cannot be asked again in this mode; None: it can.

    A turn that holds results of tools can: it is asked with the recorded ones. Whether the variables of a call are
    found, which a template needs, is another question.
    """
    if mode is Mode.OUTPUT_ONLY:
        # A call that failed stays: it is an answer that is missing, which a rate must say.
        unknown = call.outcome is None and call.output is None and not call.tool_calls
        return NO_ANSWER if unknown else None
    if (call.endpoint or "").rstrip("/").endswith(_OTHER_ENDPOINTS):
        return NOT_CHAT
    if mode is Mode.TEMPLATE and call.variables and call.messages is None:
        return None  # variables are all that is needed, so what the log lacks of the messages is no matter
    if call.not_replayable:
        return call.not_replayable
    if not call.messages and not (mode is Mode.TEMPLATE and call.variables):
        return NO_MESSAGES
    return None


class Reasons:
    """Keeps the number of different reasons small: a log may hold one of its own for each call."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def counted_as(self, reason: str) -> str:
        """The reason itself, or `OTHER` once there are too many."""
        if reason not in self._known and len(self._known) >= _MAX_REASONS:
            return OTHER
        self._known.add(reason)
        return reason
