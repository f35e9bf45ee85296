"""promptfoo's prompts as prompt files: templates in our dialect, chats as messages, settings where they belong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from llmctl.importers.conversion import Notes
from llmctl.importers.nunjucks import jinja_of, template_variables
from llmctl.importers.promptfoo.prompts import SourcePrompt, chat_of
from llmctl.importers.promptfoo.provider_names import PARAMETERS
from llmctl.importers.promptfoo.providers import HttpEndpoint
from llmctl.project.templates import TemplateError, compile_template

__all__ = ["PromptBody", "prompt_body", "request_settings", "target_body"]

_ROLES = frozenset({"system", "user", "assistant", "developer", "tool"})
_HISTORY = "_conversation"


@dataclass(frozen=True, slots=True)
class PromptBody:
    """What a prompt file holds beside its model."""

    data: Mapping[str, object]
    variables: frozenset[str]
    """What its templates use."""
    text: str | None = None
    """The one template, where the prompt is no chat."""
    images: tuple[str, ...] = ()
    """The templates of its images' addresses."""

    def shows(self, variables: Mapping[str, object]) -> bool:
        """Whether its images have addresses that a provider can read, for a case with these variables."""
        given = {name: "" for name in self.variables} | dict(variables)
        return all(_is_address(url, given) for url in self.images)


def prompt_body(prompt: SourcePrompt, notes: Notes, prefix: str = "", suffix: str = "") -> PromptBody | None:
    """The messages of a prompt; None with a note where it cannot be said in our dialect."""
    raw = f"{prefix}{prompt.raw}{suffix}"
    if _HISTORY in raw:
        why = "It uses the answers of earlier cases (`_conversation`); llmctl has no conversations yet."
        notes.left_out(_named(prompt), why, prompt.at.place)
        return None
    chat = chat_of(raw)
    try:
        if isinstance(chat, list):
            return _chat(chat, prompt, notes)
        if raw.lstrip().startswith("[") and "{%" in raw and '"role"' in raw:
            why = "Its messages are made by a template; write them one by one under `messages:`."
            notes.left_out(_named(prompt), why, prompt.at.place)
            return None
        text = jinja_of(raw)
        return PromptBody({"template": text}, template_variables(text), text)
    except TemplateError as error:
        notes.left_out(_named(prompt), f"Its template is not one of ours: {error.message}.", prompt.at.place)
        return None


def target_body(endpoint: HttpEndpoint, text: str) -> PromptBody | None:
    """The prompt of an application behind HTTP, the prompt's text put into its body; None where that does not fit."""
    try:
        body = _filled(endpoint.body, text)
        url = jinja_of(endpoint.url)
        headers = {
            name: jinja_of(value) if isinstance(value, str) else value for name, value in endpoint.headers.items()
        }
        variables = template_variables(url).union(*map(template_variables, _texts([body, *headers.values()])))
    except TemplateError:
        return None
    http: dict[str, object] = {"url": url, "method": endpoint.method}
    if headers:
        http["headers"] = headers
    if body is not None:
        http["body"] = body
    target: dict[str, object] = {"http": http}
    if endpoint.output:
        target["output"] = endpoint.output
    return PromptBody({"target": target}, variables)


def request_settings(settings: Mapping[str, object], prompt: SourcePrompt, notes: Notes) -> dict[str, object]:
    """`tools`, `output` and `params` of a prompt, from what a provider and the prompt's own `config` say."""
    merged = {**settings, **prompt.config}
    data: dict[str, object] = {}
    params: dict[str, object] = {}
    for key, value in merged.items():
        match key:
            case "tools" if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
                data["tools"] = value
            case "tool_choice" if isinstance(value, str | dict):
                data["tool_choice"] = value
            case "response_format" if isinstance(value, dict):
                data |= _output(value, prompt, notes)
            case _ if key in PARAMETERS:
                params[key] = value
                why = "A parameter of a model in llmctl.toml wins over the prompt's; with promptfoo the prompt's wins."
                notes.changed(f"prompt config {key}", why, prompt.at.place)
            case _:
                notes.left_out(f"prompt config {key}", "llmctl has nothing for it here.", prompt.at.place)
    if "tools" not in data:
        data.pop("tool_choice", None)
    if params:
        data["params"] = params
    return data


def _output(value: Mapping[str, object], prompt: SourcePrompt, notes: Notes) -> dict[str, object]:
    kind = value.get("type")
    if kind == "json_object":
        return {"output": {"format": "json"}}
    schema = value.get("json_schema") if isinstance(value.get("json_schema"), dict) else value
    inner = schema.get("schema") if isinstance(schema, dict) else None
    if kind == "json_schema" and isinstance(inner, dict):
        return {"output": {"format": "json", "schema": inner}}
    if kind != "text":
        notes.left_out("response_format", "Only `json_object` and `json_schema` are known.", prompt.at.place)
    return {}


def _chat(chat: list[object], prompt: SourcePrompt, notes: Notes) -> PromptBody | None:
    messages = []
    for item in chat:
        message = _message(item)
        if message is None:
            why = "A message of its chat is not one that a prompt file can hold."
            notes.left_out(_named(prompt), why, prompt.at.place)
            return None
        messages.append(message)
    if not messages:
        notes.left_out(_named(prompt), "Its chat has no messages.", prompt.at.place)
        return None
    variables = frozenset[str]().union(*map(template_variables, _texts(messages)))
    return PromptBody({"messages": messages}, variables, images=tuple(_images(messages)))


def _images(value: object) -> Iterator[str]:
    match value:
        case {"image": {"url": str(url)}}:
            yield url
        case dict():
            for item in value.values():
                yield from _images(item)
        case list():
            for item in value:
                yield from _images(item)


def _is_address(url: str, variables: Mapping[str, object]) -> bool:
    try:
        return compile_template(url).render(variables).startswith(("https://", "http://"))
    except TemplateError:
        return False


def _message(item: object) -> dict[str, object] | None:
    if not isinstance(item, dict) or set(item) != {"role", "content"} or item["role"] not in _ROLES:
        return None
    content = item["content"]
    if isinstance(content, str):
        return {"role": item["role"], "content": jinja_of(content)}
    if not isinstance(content, list) or not content:
        return None
    parts = [_part(one) for one in content]
    return None if None in parts else {"role": item["role"], "content": parts}


def _part(part: object) -> dict[str, object] | None:
    match part:
        case {"type": "text" | "input_text", "text": str(text)}:
            return {"text": jinja_of(text)}
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            return {"image": {"url": jinja_of(url)}}
        case {"type": "input_image", "image_url": str(url)}:
            return {"image": {"url": jinja_of(url)}}
        case _:
            return None


def _filled(value: object, text: str) -> object:
    """A request's body in our dialect, `{{prompt}}` replaced by the prompt's template."""
    match value:
        case dict():
            return {key: _filled(item, text) for key, item in value.items()}
        case list():
            return [_filled(item, text) for item in value]
        case str():
            return text.join(jinja_of(part) for part in _split_at_prompt(value))
        case _:
            return value


def _split_at_prompt(text: str) -> list[str]:
    import re

    return re.split(r"\{\{\s*prompt\s*(?:\|\s*(?:dump|safe)\s*)?\}\}", text)


def _texts(value: object) -> list[str]:
    match value:
        case dict():
            return [text for item in value.values() for text in _texts(item)]
        case list():
            return [text for item in value for text in _texts(item)]
        case str():
            return [value]
        case _:
            return []


def _named(prompt: SourcePrompt) -> str:
    label = prompt.label.split("\n")[0]
    return f"prompt {label[:60]}{'...' if len(label) > 60 else ''}"
