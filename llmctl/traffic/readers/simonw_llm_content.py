"""What llm keeps beside a prompt's text: fragments, which stand before it, and attachments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.readers.values import mapping, text

__all__ = ["MISSING_ATTACHMENT", "with_attachments", "with_fragments"]

MISSING_ATTACHMENT = "an attachment is not in the log"
_CUT = "a fragment of it was cut (llm logs --expand keeps it)"
_CUT_LENGTH = 100
"""To so many characters `llm logs --json` cuts a fragment, and writes `...` behind it."""


def with_fragments(said: str | None, fragments: object, call: LoggedCall) -> str | None:
    """The text with its fragments before it, as llm sends it."""
    found = [mapping(one) for one in fragments] if isinstance(fragments, list) else []
    contents = [text(one.get("content")) or "" for one in found]
    if any(one.endswith("...") and len(one) <= _CUT_LENGTH + len("...") for one in contents):
        call.not_replayable = _CUT
    parts = [one for one in (*contents, said or "") if one]
    return "\n".join(parts) or None


def with_attachments(said: str | None, attachments: object) -> tuple[str | list[dict[str, Any]] | None, bool]:
    """The text, or the parts that it and its attachments are; and whether all of them are in the log."""
    found = [mapping(one) for one in attachments] if isinstance(attachments, list) else []
    if not found:
        return said, True
    parts = [part for one in found for part in _part(one)]
    own = [{"type": "text", "text": said}] if said else []
    return [*own, *parts] or None, len(parts) == len(found)


def _part(one: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    kind = text(one.get("type")) or ""
    content = one.get("content")  # base64, where the database holds it
    url = text(one.get("url"))
    if isinstance(content, str) and content:
        if kind.startswith("audio/"):
            yield {"type": "input_audio", "input_audio": {"data": content, "format": kind.partition("/")[2]}}
            return
        url = f"data:{kind};base64,{content}"
    if url and (kind.startswith("image/") or not kind):
        yield {"type": "image_url", "image_url": {"url": url}}
    elif url:
        yield {"type": "file", "file": {"file_data": url} if url.startswith("data:") else {"file_url": url}}
