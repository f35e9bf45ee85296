"""The formats that are known, one line each, in the order in which they are asked; modules are loaded when needed."""

from __future__ import annotations

import difflib
from functools import cache
from importlib import import_module
from typing import cast

from llmctl.errors import UsageError
from llmctl.traffic.readers.base import Reader, Readers

__all__ = ["reader_named", "readers"]

_READERS: tuple[str, ...] = (
    # "module:Class", the module in this folder; the class is made without arguments.
    "pairs:OpenAIChat",
    "pairs:OpenAIResponses",
    "pairs:AnthropicMessages",
    "batches:OpenAIBatch",
    "batches:AnthropicBatch",
    "completions:Completions",
    "rows:Rows",
    "litellm_log:LiteLLMLog",
    "litellm_spend:LiteLLMSpend",
    "langfuse:Langfuse",
    "helicone:Helicone",
    "langsmith:LangSmith",
    "promptfoo:Promptfoo",
    "simonw_llm:SimonwLLM",
    "otel:OpenInference",
    "otel:OpenLLMetry",
    "otel:OtelGenAI",
    "braintrust:Braintrust",
    "opik:Opik",
    "mlflow:MLflow",
    "datadog:Datadog",
)


@cache
def readers() -> Readers:
    """One reader of every format."""
    return tuple(map(_made, _READERS))


def reader_named(name: str) -> Reader:
    """The reader of a format.

    Raises:
        UsageError: there is none of that name.
    """
    known = {reader.name: reader for reader in readers()}
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, known, n=1)
    hint = f'Did you mean "{close[0]}"?' if close else f"There are {', '.join(known)}."
    raise UsageError(f'There is no log format "{name}".', hint=hint)


def _made(place: str) -> Reader:
    module, _, name = place.partition(":")
    return cast(Reader, getattr(import_module(f"llmctl.traffic.readers.{module}"), name)())
