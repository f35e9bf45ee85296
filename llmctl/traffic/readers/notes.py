"""What applications write beside a call, under the names that people use: prompt, variables, user, session, tags ..."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.readers.values import decoded, json_text, mapping, text, texts

__all__ = ["read_metadata", "read_note"]

_PROMPT_NAME = re.compile(r"[\w./:-]{1,200}?(?:@[\w.-]{1,80})?")


def read_metadata(values: Mapping[str, Any], call: LoggedCall) -> None:
    """Take metadata into the record: all of it, and what is known of it into its own field too."""
    if not values:
        return
    call.metadata = {**call.metadata, **values}
    for name, value in values.items():
        if value is not None and value != "":
            read_note(name, value, call)


def read_note(name: str, value: object, call: LoggedCall) -> bool:
    """Take one named value into its field, where the name is known and the field is empty; whether it was."""
    take = _NOTES.get(name) or _NOTES.get(name.lower().replace("-", "_"))
    return take is not None and take(value, call)


def _field(name: str) -> Callable[[object, LoggedCall], bool]:
    def take(value: object, call: LoggedCall) -> bool:
        found = text(value)
        if found is None or getattr(call, name) is not None:
            return False
        setattr(call, name, found)
        return True

    return take


def _prompt(value: object, call: LoggedCall) -> bool:
    """`triage`, `triage@3`, `{id, version, variables}`."""
    if isinstance(value, dict):
        for name in ("variables", "inputs"):
            if value.get(name):
                _variables(value[name], call)
        if value.get("version") is not None and call.prompt_version is None:
            call.prompt_version = text(value["version"])
        value = value.get("name") or value.get("key") or value.get("id")
    if not isinstance(value, str) or call.prompt_name is not None or not _PROMPT_NAME.fullmatch(value):
        return False
    name, _, version = value.partition("@")
    call.prompt_name = name or None
    call.prompt_version = call.prompt_version or version or None
    return True


def _variables(value: object, call: LoggedCall) -> bool:
    found = mapping(value)
    if not found or call.variables is not None:
        return False
    call.variables = found
    return True


def _tags(value: object, call: LoggedCall) -> bool:
    value = decoded(value)
    if isinstance(value, dict):
        found = tuple(f"{name}:{item if isinstance(item, str) else json_text(item)}" for name, item in value.items())
    else:
        found = texts(value)
    call.tags = tuple(dict.fromkeys((*call.tags, *found)))
    return bool(found)


_NOTES: dict[str, Callable[[object, LoggedCall], bool]] = {
    **dict.fromkeys(("prompt", "prompt_name", "promptname", "prompt_id", "prompt_template_name"), _prompt),
    **dict.fromkeys(("prompt_version", "promptversion", "prompt_template_version"), _field("prompt_version")),
    **dict.fromkeys(("variables", "vars", "prompt_variables", "template_variables"), _variables),
    **dict.fromkeys(("user", "user_id", "userid", "end_user", "end_user_id"), _field("user")),
    **dict.fromkeys(
        ("session_id", "sessionid", "session", "conversation_id", "conversationid", "thread_id", "chat_id"),
        _field("session_id"),
    ),
    **dict.fromkeys(("trace_id", "traceid"), _field("trace_id")),
    **dict.fromkeys(("parent_id", "parent_span_id"), _field("parent_id")),
    **dict.fromkeys(("environment", "env", "stage", "deployment_environment"), _field("environment")),
    **dict.fromkeys(("tags", "labels"), _tags),
}
