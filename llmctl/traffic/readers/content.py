"""The content of a message in OpenAI's shape: a text, or parts (text, images, audio, files)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmctl.traffic.readers.values import json_text, text

__all__ = ["content_of", "text_in"]

_TEXTS = frozenset({"text", "input_text", "output_text", "summary_text"})
_THOUGHTS = frozenset({"thinking", "redacted_thinking", "reasoning", "reasoning_content", "reasoningContent"})


def content_of(value: object) -> str | list[dict[str, Any]] | None:
    """A message's content: a text where all of it is one, else the parts; None: there is none.

    The model's own thoughts are left out: no provider takes another's. A kind of part that has no counterpart stays as
    it is.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list | tuple):
        return json_text(value)
    parts = [part for one in value for part in _parts(one)]
    if len(parts) == 1 and parts[0].keys() == {"type", "text"} and not _is_openai(value[0]):
        return str(parts[0]["text"])
    return parts or None


def text_in(value: object) -> str | None:
    """Only the text of a content; None: it has none."""
    if value is None or isinstance(value, str):
        return value
    parts = content_of(value)
    if parts is None or isinstance(parts, str):
        return parts
    found = [str(part["text"]) for part in parts if part.get("type") == "text"]
    return "".join(found) if found else None


def _is_openai(part: object) -> bool:
    """OpenAI's own list with one text stays a list: exactly this was sent."""
    return isinstance(part, dict) and part.keys() == {"type", "text"} and part["type"] == "text"


def _parts(part: object) -> Iterator[dict[str, Any]]:
    if isinstance(part, str):
        yield {"type": "text", "text": part}
    elif isinstance(part, dict):
        kind = part.get("type")
        yield from _without_kind(part) if not isinstance(kind, str) else _of_kind(part, kind)


def _of_kind(part: dict[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    if kind in _THOUGHTS:
        return
    if kind in _TEXTS:
        yield {"type": "text", "text": text(part.get("text")) or ""}
    elif kind == "refusal":
        yield {"type": "text", "text": text(part.get("refusal")) or ""}
    elif kind == "input_image":
        yield _image(part.get("image_url"), part.get("file_id"), part.get("detail"))
    elif kind == "input_file":
        yield {"type": "file", "file": {key: value for key, value in part.items() if key != "type"}}
    elif kind in ("image", "document"):
        yield from _anthropic(part, kind)
    else:
        yield dict(part)


def _without_kind(part: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A part as Bedrock and Gemini write it: its kind is its key."""
    data = part.get("inlineData", part.get("inline_data"))
    if not _THOUGHTS.isdisjoint(part):
        return
    if isinstance(part.get("text"), str):
        yield {"type": "text", "text": part["text"]}
    else:
        yield _inline(data) if isinstance(data, dict) else dict(part)


def _image(url: object, file_id: object = None, detail: object = None) -> dict[str, Any]:
    if url is None:
        return {"type": "file", "file": {"file_id": file_id}}
    image = dict(url) if isinstance(url, dict) else {"url": url}
    if detail is not None:
        image["detail"] = detail
    return {"type": "image_url", "image_url": image}


def _anthropic(part: Mapping[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    """Anthropic's images and documents, which name their source: base64, an address, a file, or text."""
    source = part.get("source")
    if not isinstance(source, dict):
        yield dict(part)
        return
    match source.get("type"):
        case "base64":
            data = f"data:{source.get('media_type')};base64,{source.get('data')}"
            yield _image(data) if kind == "image" else _file(part, {"file_data": data})
        case "url":
            yield _image(source.get("url")) if kind == "image" else _file(part, {"file_url": source.get("url")})
        case "text":
            yield {"type": "text", "text": text(source.get("data")) or ""}
        case "content":
            found = content_of(source.get("content"))
            yield from [{"type": "text", "text": found}] if isinstance(found, str) else found or []
        case "file":
            yield _file(part, {"file_id": source.get("file_id")})
        case _:
            yield dict(part)


def _file(part: Mapping[str, Any], file: dict[str, Any]) -> dict[str, Any]:
    title = text(part.get("title"))
    return {"type": "file", "file": {"filename": title, **file} if title else file}


def _inline(data: Mapping[str, Any]) -> dict[str, Any]:
    """Gemini's bytes within a message."""
    kind = text(data.get("mimeType")) or text(data.get("mime_type")) or "application/octet-stream"
    url = f"data:{kind};base64,{data.get('data')}"
    return _image(url) if kind.startswith("image/") else {"type": "file", "file": {"file_data": url}}
