"""Logs for the tests of `replay`: OpenAI calls, as request and response in one line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["logged", "write_log"]


def logged(number: int, text: str, answer: str | None, model: str = "echo", **request: Any) -> dict[str, Any]:
    """One logged call; `request` holds what else was asked."""
    asked = {"model": model, "messages": [{"role": "user", "content": text}], **request}
    message = {"role": "assistant", "content": answer}
    return {
        "request": asked,
        "response": {
            "id": f"chatcmpl-{number}",
            "object": "chat.completion",
            "created": 1_760_000_000 + number,
            "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
        },
    }


def write_log(path: Path, calls: Sequence[Mapping[str, Any]]) -> Path:
    """Write them as JSON lines."""
    path.write_text("".join(json.dumps(call) + "\n" for call in calls), encoding="utf-8")
    return path
