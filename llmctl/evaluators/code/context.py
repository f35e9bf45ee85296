"""What a Python function of the project gets as its one argument.

Imported by the process that runs it, so nothing but the standard library is imported here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

__all__ = ["CONTEXT_FIELDS", "CodeContext"]


@dataclass(frozen=True, slots=True)
class CodeContext:
    """One answer, and what is known of its case and of its call. All of it is plain data."""

    output: str
    """The text to judge: after `extract`, where the bank has one."""
    raw_output: str
    """The whole answer."""
    expected: Any
    """From the case, or from `against`. `has_expected` tells null from absent."""
    has_expected: bool
    vars: Mapping[str, Any]
    """The case's variables."""
    outcome: str
    """`answered`, `truncated` or `empty`; other outcomes are not judged."""
    finish_reason: str | None
    tool_calls: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]]
    """The tools that the prompt offers."""
    latency_ms: float | None
    ttft_ms: float | None
    """Milliseconds to the first token; None where the answer was not streamed."""
    cost_usd: float | None
    input_tokens: int | None
    output_tokens: int | None


CONTEXT_FIELDS = tuple(field.name for field in fields(CodeContext))
