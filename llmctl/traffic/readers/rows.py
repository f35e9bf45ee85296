"""Reader of plain rows: what was asked (a prompt, or messages) and what was answered, under the names in use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.readers.base import Document, Entry, SetAside
from llmctl.traffic.readers.envelope import Envelope, read_envelope
from llmctl.traffic.readers.messages import messages_from
from llmctl.traffic.readers.values import literal, mapping, objects

__all__ = ["Rows"]

ASKED = (
    "messages",
    "conversation",
    "conversations",
    "chat",
    "prompt",
    "input",
    "question",
    "query",
    "user_message",
    "user_prompt",
)
ANSWERED = (
    *(
        "completion",
        "response",
        "output",
        "answer",
        "reply",
        "generation",
        "assistant_message",
        "model_output",
        "llm_output",
    ),
    *("generated_text", "result"),
)
SYSTEM = ("system", "system_prompt", "system_message", "instructions")
NO_PAIR = "neither a prompt nor messages were logged"
_LIKELY, _VAGUE = 30, 20


class Rows:
    """Rows of a table, or lines with flat keys."""

    name = "rows"
    title = "Rows with a prompt or messages, and the answer"

    def recognises(self, value: Mapping[str, Any]) -> int:
        """By the names; surer of nothing than any format with a shape of its own."""
        asked = _name(value, ASKED)
        if asked is None or not _messages(value, asked):
            return 0
        if _name(value, ANSWERED, asked) is None:
            return 0
        return _LIKELY if asked in ("messages", "prompt") else _VAGUE

    def read(self, documents: Iterable[Document]) -> Iterator[Entry | SetAside]:
        """One record for each row."""
        for document in documents:
            value = document.value
            asked = _name(value, ASKED)
            messages = _messages(value, asked) if asked else None
            if asked is None or messages is None:
                yield SetAside(document.line, NO_PAIR)
                continue
            answered, system = _name(value, ANSWERED, asked), _name(value, SYSTEM)
            request: dict[str, Any] = {"messages": list(messages), "model": value.get("model")}
            if system is not None and isinstance(value[system], str):
                request["messages"] = [{"role": "system", "content": value[system]}, *messages]
            used = {asked, answered, system, "model"} - {None}
            call = LoggedCall(self.name)
            response = value.get(answered) if answered else None
            envelope = Envelope(request, response, frozenset(map(str, used)))
            read_envelope(value, envelope, call)
            yield Entry(document.line, document.raw, call)


def _name(value: Mapping[str, Any], names: tuple[str, ...], taken: str | None = None) -> str | None:
    return next((name for name in names if name != taken and value.get(name) not in (None, "")), None)


def _messages(value: Mapping[str, Any], name: str) -> tuple[Mapping[str, object], ...] | None:
    given = literal(value[name])
    if isinstance(value[name], str) and not (
        isinstance(given, list) and "from" in mapping(given[0] if given else None)
    ):
        return messages_from(value[name])  # JSON that holds no messages is what was asked
    if isinstance(given, list) and given and not isinstance(given[0], dict):
        return None
    if isinstance(given, list) and given and isinstance(given[0], dict) and "from" in given[0]:  # ShareGPT
        given = [
            {"role": _SHARE_GPT.get(str(one.get("from")), "user"), "content": one.get("value")}
            for one in objects(given)
        ]
    if isinstance(given, dict) and not {"role", "messages"} & given.keys():
        return None
    return messages_from(given)


_SHARE_GPT = {"human": "user", "gpt": "assistant", "system": "system", "tool": "tool"}
