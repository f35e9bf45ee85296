"""Which providers speak OpenAI's chat-completions protocol, where, and with which key variable.

A prefix that stands here is called directly; every other one goes through `litellm`. A test compares
the table with `litellm`'s own resolution. Only `api_base` in `llmctl.toml` changes an endpoint.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

__all__ = [
    "ENDPOINTS",
    "ENDPOINT_VARIABLE",
    "KEY_VARIABLES",
    "Endpoint",
    "endpoint_variables",
    "is_reasoning_model",
]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One provider's OpenAI-compatible endpoint."""

    base_url: str | None
    """Without `/chat/completions`; None: the server is the user's own, so `api_base` must say where it is."""
    key_envs: tuple[str, ...]
    """Environment variables that may hold the key; the first one that is set counts."""
    key_required: bool = True
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Parameters that this provider knows by another name."""
    vendor: str = ""
    """Put before a model name that has no `/`."""
    stream_options: bool = True
    """Whether it accepts `stream_options`; the others send the usage of a stream unasked, or not at all."""


_OLD_MAX_TOKENS = MappingProxyType({"max_completion_tokens": "max_tokens"})

ENDPOINTS: Mapping[str, Endpoint] = MappingProxyType(
    {
        "openai": Endpoint("https://api.openai.com/v1", ("OPENAI_API_KEY",)),
        "groq": Endpoint("https://api.groq.com/openai/v1", ("GROQ_API_KEY",), renamed=_OLD_MAX_TOKENS),
        "mistral": Endpoint(
            "https://api.mistral.ai/v1",
            ("MISTRAL_API_KEY",),
            renamed={**_OLD_MAX_TOKENS, "seed": "random_seed"},
            stream_options=False,
        ),
        "deepseek": Endpoint("https://api.deepseek.com/beta", ("DEEPSEEK_API_KEY",)),
        "together_ai": Endpoint("https://api.together.ai/v1", ("TOGETHERAI_API_KEY", "TOGETHER_API_KEY")),
        "openrouter": Endpoint("https://openrouter.ai/api/v1", ("OPENROUTER_API_KEY",)),
        "fireworks_ai": Endpoint(
            "https://api.fireworks.ai/inference/v1",
            ("FIREWORKS_AI_API_KEY", "FIREWORKS_API_KEY"),
            renamed=_OLD_MAX_TOKENS,
            vendor="accounts/fireworks/models/",
        ),
        "xai": Endpoint("https://api.x.ai/v1", ("XAI_API_KEY",), renamed=_OLD_MAX_TOKENS),
        "perplexity": Endpoint(
            "https://api.perplexity.ai", ("PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY"), stream_options=False
        ),
        "cerebras": Endpoint(
            "https://api.cerebras.ai/v1", ("CEREBRAS_API_KEY",), renamed=_OLD_MAX_TOKENS, stream_options=False
        ),
        "deepinfra": Endpoint(
            "https://api.deepinfra.com/v1/openai", ("DEEPINFRA_API_KEY",), renamed=_OLD_MAX_TOKENS, stream_options=False
        ),
        "nvidia_nim": Endpoint(
            "https://integrate.api.nvidia.com/v1",
            ("NVIDIA_NIM_API_KEY",),
            renamed=_OLD_MAX_TOKENS,
            stream_options=False,
        ),
        "hosted_vllm": Endpoint(None, ("HOSTED_VLLM_API_KEY",), key_required=False),
        "lm_studio": Endpoint(None, ("LM_STUDIO_API_KEY",), key_required=False),
        "llamafile": Endpoint("http://127.0.0.1:8080/v1", ("LLAMAFILE_API_KEY",), key_required=False),
        # litellm speaks Ollama's own protocol; its OpenAI one gives the same answers and the same record as the rest.
        "ollama": Endpoint("http://localhost:11434/v1", ("OLLAMA_API_KEY",), key_required=False),
        "ollama_chat": Endpoint("http://localhost:11434/v1", ("OLLAMA_API_KEY",), key_required=False),
    }
)

KEY_VARIABLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "anthropic": ("ANTHROPIC_API_KEY",),
        "azure": ("AZURE_API_KEY",),
        "cohere": ("COHERE_API_KEY",),
        "gemini": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        "replicate": ("REPLICATE_API_KEY",),
    }
)
"""Key variables of providers that `litellm` speaks to. Those not named here say themselves what they miss."""

ENDPOINT_VARIABLE = re.compile(r"(?:_API_BASE|_BASE_URL|_API_URL)$|^USE_LITELLM_PROXY$")
"""Environment variables by which libraries let themselves be sent elsewhere, the key with them."""

_REASONING = re.compile(r"(?:^|/)(?:o\d|gpt-5)")


def is_reasoning_model(wire_model: str) -> bool:
    """Whether OpenAI wants `max_completion_tokens` in place of `max_tokens` for this model."""
    return _REASONING.search(wire_model) is not None


def endpoint_variables(provider: str) -> tuple[str, ...]:
    """The variables by which other tools change this provider's endpoint, and which llmctl ignores."""
    stem = provider.upper()
    return (f"{stem}_API_BASE", f"{stem}_BASE_URL", f"{stem}_API_URL")
