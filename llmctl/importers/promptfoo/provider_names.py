"""Which model string stands for a promptfoo provider, and which of its settings are parameters of the call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

__all__ = ["NOT_MODELS", "PARAMETERS", "Family", "model_of"]


@dataclass(frozen=True, slots=True)
class Family:
    """The providers with one prefix."""

    prefix: str
    """Of the model string."""
    kinds: tuple[str, ...] = ()
    """Words between prefix and model that say which protocol is meant, and that are left out: `chat`."""
    sends: Mapping[str, object] = field(default_factory=dict)
    """Parameters that promptfoo sends when the config says nothing."""
    api_base: str | None = None
    """Where promptfoo looks for the server, when the config says nothing."""


_OPENAI_SENDS = MappingProxyType({"temperature": 0, "max_tokens": 1024})
_CHAT = ("chat",)

_FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "openai": Family("openai", ("chat", "responses"), _OPENAI_SENDS),
        "anthropic": Family("anthropic", ("messages",), _OPENAI_SENDS),
        "azure": Family("azure", ("chat", "responses"), _OPENAI_SENDS),
        "azureopenai": Family("azure", ("chat", "responses"), _OPENAI_SENDS),
        "bedrock": Family("bedrock", ("converse",)),
        "vertex": Family("vertex_ai", _CHAT),
        "google": Family("gemini", _CHAT),
        "palm": Family("gemini", _CHAT),
        "gemini": Family("gemini", _CHAT),
        "ollama": Family("ollama", ("chat", "completion")),
        "groq": Family("groq", _CHAT, _OPENAI_SENDS),
        "mistral": Family("mistral", _CHAT),
        "deepseek": Family("deepseek", _CHAT, _OPENAI_SENDS),
        "openrouter": Family("openrouter", _CHAT, _OPENAI_SENDS),
        "togetherai": Family("together_ai", _CHAT, _OPENAI_SENDS),
        "together": Family("together_ai", _CHAT, _OPENAI_SENDS),
        "fireworks": Family("fireworks_ai", _CHAT, _OPENAI_SENDS),
        "perplexity": Family("perplexity", _CHAT, _OPENAI_SENDS),
        "cerebras": Family("cerebras", _CHAT, _OPENAI_SENDS),
        "deepinfra": Family("deepinfra", _CHAT, _OPENAI_SENDS),
        "nvidia": Family("nvidia_nim", _CHAT),
        "xai": Family("xai", _CHAT, _OPENAI_SENDS),
        "cohere": Family("cohere", _CHAT),
        "github": Family("github", _CHAT, _OPENAI_SENDS),
        "databricks": Family("databricks", _CHAT),
        "replicate": Family("replicate"),
        "huggingface": Family("huggingface", ("text-generation", "chat")),
        "sambanova": Family("sambanova", _CHAT),
        "hyperbolic": Family("hyperbolic", _CHAT),
        "litellm": Family(""),
        "vllm": Family("hosted_vllm", _CHAT, api_base="http://localhost:8000/v1"),
        "localai": Family("hosted_vllm", _CHAT, _OPENAI_SENDS, "http://localhost:8080/v1"),
        "lmstudio": Family("lm_studio", _CHAT, api_base="http://localhost:1234/v1"),
        "llamafile": Family("llamafile", _CHAT),
    }
)

NOT_MODELS: Mapping[str, str] = MappingProxyType(
    {
        "exec": "it is a program; write a prompt with `target: {command: [...]}` for it",
        "python": "it is a program; write a prompt with `target: {python: file.py:function}` for it",
        "javascript": "it is a program; `target: {command: [node, ...]}` can run one that speaks JSON",
        "golang": "it is a program; write a prompt with `target: {command: [...]}` for it",
        "ruby": "it is a program; write a prompt with `target: {command: [...]}` for it",
        "package": "it is a JavaScript package",
        "websocket": "llmctl speaks HTTP",
        "ws": "llmctl speaks HTTP",
        "wss": "llmctl speaks HTTP",
        "mcp": "llmctl calls models and applications, not tools",
        "browser": "llmctl drives no browser",
        "promptfoo": "it is promptfoo's own service",
        "sequence": "it sends several inputs in turn",
    }
)
"""Prefixes that are no model, and why; the words end a sentence."""

PARAMETERS = frozenset(
    [
        *("temperature", "max_tokens", "max_completion_tokens", "top_p", "top_k", "min_p", "seed", "stop", "n"),
        *("frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs", "reasoning_effort"),
        *("verbosity", "parallel_tool_calls", "service_tier", "thinking", "repetition_penalty"),
    ]
)
"""Settings of a provider that are sent under the same name."""

_NO_CHAT = frozenset(
    ["embedding", "embeddings", "completion", "assistant", "moderation", "image", "realtime", "speech", "transcription"]
)


def model_of(provider_id: str) -> tuple[str, Family] | str:
    """The model string and the family of a provider; else why there is none, as the end of a sentence."""
    name, _, rest = provider_id.partition(":")
    family = _FAMILIES.get(name)
    if family is None:
        return NOT_MODELS.get(name, "llmctl does not know it; add the model to llmctl.toml by hand")
    kind, _, behind = rest.partition(":")
    if kind in family.kinds and behind:
        rest = behind
    elif kind in _NO_CHAT and behind:
        return f"`{kind}` is no chat model"
    if not rest:
        return "it names no model"
    return (f"{family.prefix}/{rest}" if family.prefix else rest), family
