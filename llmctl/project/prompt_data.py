"""A prompt or a model as plain data and back, exactly, so that a run can be taken up again from its journal alone.

The data goes through `canonical.to_json` and `from_json`. It holds names of environment variables, never their values.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmctl.errors import Place
from llmctl.project.app_target import AppTarget, CodeFile, CommandCall, HttpCall, PythonCall, SecretHeader
from llmctl.project.models import (
    CaseReference,
    FilePart,
    ImagePart,
    Message,
    MessagePart,
    ModelConfig,
    OutputFormat,
    PlaceholderMessage,
    Price,
    Prompt,
    TextPart,
)

__all__ = ["model_data", "model_from_data", "prompt_data", "prompt_from_data", "target_data"]

Data = dict[str, object]


def prompt_data(prompt: Prompt) -> Data:
    """Everything about a prompt."""
    return {
        "name": prompt.name,
        "path": prompt.path.as_posix(),
        "messages": [_message_data(message) for message in prompt.messages],
        "model": prompt.model,
        "params": prompt.params,
        "output": prompt.output.value,
        "schema": prompt.schema,
        "tools": list(prompt.tools),
        "tool_choice": prompt.tool_choice,
        "target": target_data(prompt.target) if prompt.target else None,
        "recorded": prompt.recorded,
        "description": prompt.description,
        "rev": prompt.rev,
        "commit": prompt.commit,
        "digest": prompt.digest,
        "place": _place_data(prompt.place),
    }


def prompt_from_data(data: Mapping[str, Any]) -> Prompt:
    """The prompt that `prompt_data` was made from.

    Raises:
        KeyError, TypeError, ValueError: the data is not what `prompt_data` makes.
    """
    return Prompt(
        name=data["name"],
        path=Path(data["path"]),
        messages=tuple(map(_message, data["messages"])),
        model=data["model"],
        params=data["params"],
        output=OutputFormat(data["output"]),
        schema=data["schema"],
        tools=tuple(data["tools"]),
        tool_choice=data["tool_choice"],
        target=_target(data["target"]) if data["target"] else None,
        recorded=data.get("recorded", False),
        description=data["description"],
        rev=data["rev"],
        commit=data["commit"],
        digest=data["digest"],
        place=_place(data["place"]),
    )


def model_data(model: ModelConfig) -> Data:
    """Everything about a model; of its key, the name of the variable that holds it."""
    return {
        "name": model.name,
        "model": model.model,
        "transport": model.transport,
        "api_key_env": model.api_key_env,
        "api_base": model.api_base,
        "params": model.params,
        "drop": list(model.drop),
        "options": model.options,
        "requests_per_minute": model.requests_per_minute,
        "tokens_per_minute": model.tokens_per_minute,
        "price": {"input": model.price.input, "output": model.price.output} if model.price else None,
        "place": _place_data(model.place),
    }


def model_from_data(data: Mapping[str, Any]) -> ModelConfig:
    """The model that `model_data` was made from.

    Raises:
        KeyError, TypeError, ValueError: the data is not what `model_data` makes.
    """
    return ModelConfig(
        name=data["name"],
        model=data["model"],
        transport=data["transport"],
        api_key_env=data["api_key_env"],
        api_base=data["api_base"],
        params=data["params"],
        drop=tuple(data["drop"]),
        options=data["options"],
        requests_per_minute=data["requests_per_minute"],
        tokens_per_minute=data["tokens_per_minute"],
        price=Price(**data["price"]) if data["price"] else None,
        place=_place(data["place"]),
    )


def _place_data(place: Place | None) -> Data | None:
    if place is None:
        return None
    return {"file": place.file.as_posix(), "line": place.line, "column": place.column, "cell": place.cell}


def _place(data: Mapping[str, Any] | None) -> Place | None:
    return Place(Path(data["file"]), data["line"], data["column"], data["cell"]) if data else None


def _message_data(message: Message | PlaceholderMessage) -> Data:
    place = _place_data(message.place)
    if isinstance(message, PlaceholderMessage):
        return {"placeholder": message.name, "place": place}
    content = message.content if isinstance(message.content, str) else [_part_data(part) for part in message.content]
    return {"role": message.role, "content": content, "place": place}


def _message(data: Mapping[str, Any]) -> Message | PlaceholderMessage:
    place = _place(data["place"])
    if "placeholder" in data:
        return PlaceholderMessage(data["placeholder"], place)
    content = data["content"]
    return Message(data["role"], content if isinstance(content, str) else tuple(map(_part, content)), place)


def _part_data(part: MessagePart) -> Data:
    place = _place_data(part.place)
    match part:
        case TextPart():
            return {"kind": "text", "text": part.text, "place": place}
        case ImagePart():
            return {"kind": "image", "file": part.file, "url": part.url, "place": place}
        case FilePart():
            return {"kind": "file", "file": part.file, "place": place}


def _part(data: Mapping[str, Any]) -> MessagePart:
    place = _place(data["place"])
    match data["kind"]:
        case "text":
            return TextPart(data["text"], place)
        case "image":
            return ImagePart(data["file"], data["url"], place)
        case "file":
            return FilePart(data["file"], place)
        case kind:
            raise ValueError(f"no message has a part of the kind {kind!r}")


def target_data(target: AppTarget) -> Data:
    """Everything about a target; of its secrets, the names of the variables that hold them."""
    return {
        "kind": target.kind.value,
        "call": _call_data(target.call),
        "output": target.output,
        "requests_per_minute": target.requests_per_minute,
        "concurrency": target.concurrency,
        "timeout_s": target.timeout_s,
        "code": [{"path": file.path, "sha256": file.sha256} for file in target.code],
        "place": _place_data(target.place),
    }


def _target(data: Mapping[str, Any]) -> AppTarget:
    return AppTarget(
        call=_call(data["kind"], data["call"]),
        output=data["output"],
        requests_per_minute=data["requests_per_minute"],
        concurrency=data["concurrency"],
        timeout_s=data["timeout_s"],
        code=tuple(CodeFile(file["path"], file["sha256"]) for file in data["code"]),
        place=_place(data["place"]),
    )


def _call_data(call: HttpCall | CommandCall | PythonCall) -> Data:
    match call:
        case CommandCall():
            return {"argv": list(call.argv)}
        case PythonCall():
            return {"file": call.file, "function": call.function}
        case HttpCall():
            headers = {
                name: {"env": value.env, "prefix": value.prefix} if isinstance(value, SecretHeader) else value
                for name, value in call.headers.items()
            }
            return {"url": call.url, "method": call.method, "headers": headers, "body": _body_data(call.body)}


def _call(kind: str, data: Mapping[str, Any]) -> HttpCall | CommandCall | PythonCall:
    match kind:
        case "command":
            return CommandCall(tuple(data["argv"]))
        case "python":
            return PythonCall(data["file"], data["function"])
        case "http":
            headers = {
                name: value if isinstance(value, str) else SecretHeader(value["env"], value["prefix"])
                for name, value in data["headers"].items()
            }
            return HttpCall(data["url"], data["method"], headers, _body(data["body"]))
        case _:
            raise ValueError(f"there is no target of the kind {kind!r}")


_REFERENCE = "$from"
_LITERAL = "$mapping"
"""Around a mapping of the user's whose only key is one of these two."""


def _body_data(value: object) -> object:
    match value:
        case CaseReference():
            return {_REFERENCE: list(value.path)}
        case Mapping():
            data = {key: _body_data(item) for key, item in value.items()}
            return {_LITERAL: data} if data.keys() in ({_REFERENCE}, {_LITERAL}) else data
        case list() | tuple():
            return [_body_data(item) for item in value]
        case _:
            return value


def _body(value: Any) -> object:
    match value:
        case {"$from": list(path)} if len(value) == 1:
            return CaseReference(tuple(path))
        case {"$mapping": dict(data)} if len(value) == 1:
            return {key: _body(item) for key, item in data.items()}
        case dict():
            return {key: _body(item) for key, item in value.items()}
        case list():
            return [_body(item) for item in value]
        case _:
            return value
