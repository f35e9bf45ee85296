"""Conversations of imported samples: what all of them share becomes the prompt, the rest a variable of each case."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from llmctl.canonical import plain, written
from llmctl.importers.nunjucks import literal

__all__ = ["INPUT", "MESSAGES", "ChatLayout", "ChatMessage", "Loss", "chat_layout", "chat_message"]

ChatMessage = Mapping[str, object]
"""`{role, content}`, and `name`, `tool_calls`, `tool_call_id` where it has them."""
Loss = Callable[[str, str], None]
"""Called with a part of a message that was left out, and why."""

INPUT, MESSAGES = "input", "messages"
_ROLES = ("system", "user", "assistant", "developer", "tool")
_KEPT = ("name", "tool_calls", "tool_call_id")


@dataclass(frozen=True, slots=True)
class ChatLayout:
    """What every sample is asked with, and how each fills it."""

    head: tuple[ChatMessage, ...]
    """The messages that all samples begin with."""
    role: str | None
    """Of the single message that is left of each; None: more is left."""

    @property
    def one_text(self) -> bool:
        """Whether a single message is left of each."""
        return self.role is not None

    def messages(self) -> list[Mapping[str, object]]:
        """The `messages:` of the prompt."""
        shared = [{"role": one["role"], "content": literal(str(one["content"]))} for one in self.head]
        text = {"role": self.role, "content": f"{{{{ {INPUT} }}}}"}
        return [*shared, text if self.one_text else {"placeholder": MESSAGES}]

    def variables(self, chat: Sequence[ChatMessage]) -> dict[str, object]:
        """The variables of one sample."""
        rest = chat[len(self.head) :]
        return {INPUT: rest[0]["content"]} if self.one_text else {MESSAGES: [dict(one) for one in rest]}

    @property
    def variable(self) -> str:
        """The variable that holds what a sample asks."""
        return INPUT if self.one_text else MESSAGES


def chat_layout(chats: Sequence[Sequence[ChatMessage]]) -> ChatLayout:
    """The layout of conversations, each with at least one message."""
    head = chats[0][: _shared(chats)] if chats else ()
    rests = [chat[len(head) :] for chat in chats]
    roles = {str(rest[0]["role"]) if len(rest) == 1 and _plain(rest[0]) else None for rest in rests}
    return ChatLayout(tuple(head), roles.pop() if len(roles) == 1 else None)


def _shared(chats: Sequence[Sequence[ChatMessage]]) -> int:
    """How many messages all begin with; of a single conversation its system messages. Each keeps one of its own."""
    limit = min(len(chat) for chat in chats) - 1
    for index in range(limit):
        message = chats[0][index]
        alone = len(chats) == 1 and message["role"] not in ("system", "developer")
        if alone or not _plain(message) or any(chat[index] != message for chat in chats):
            return index
    return limit


def _plain(message: ChatMessage) -> bool:
    return message.keys() == {"role", "content"}


def chat_message(value: object, lost: Loss) -> ChatMessage | None:
    """A message as a provider takes it; None where it is none. What it loses is told to `lost`."""
    if not isinstance(value, Mapping) or value.get("role") not in _ROLES:
        return None
    content = _content(value.get("content"), lost)
    calls = value.get("tool_calls")
    if content is None and not calls:
        return None
    message: dict[str, object] = {"role": value["role"], "content": content}
    message |= {key: plain(value[key]) for key in _KEPT if value.get(key)}
    if isinstance(calls, list):
        message["tool_calls"] = [_tool_call(call) for call in calls]
    return message


def _content(value: object, lost: Loss) -> str | None:
    if value is None:
        return None
    if not isinstance(value, list):
        return written(value)
    texts = []
    for part in value:
        text = part if isinstance(part, str) else part.get("text") if isinstance(part, Mapping) else None
        if isinstance(text, str):
            texts.append(text)
        else:
            kind = part.get("type") if isinstance(part, Mapping) else None
            lost(f"message part {kind or 'of an unknown type'}", "Messages of a case hold text only.")
    return "\n".join(texts)


def _tool_call(call: object) -> object:
    """A call as OpenAI's protocol has it; inspect_ai keeps name and arguments on one level."""
    match call:
        case {"function": str(name), "arguments": arguments, **rest}:
            text = arguments if isinstance(arguments, str) else orjson.dumps(plain(arguments)).decode()
            return {"id": rest.get("id", ""), "type": "function", "function": {"name": name, "arguments": text}}
        case _:
            return plain(call)
