"""promptfoo's provider ids (`openai:chat:gpt-4o`) as litellm's name of the provider, and the model."""

from __future__ import annotations

__all__ = ["provider_and_model"]

_PROVIDERS = {
    "anthropic": "anthropic",
    "azure": "azure",
    "azureopenai": "azure",
    "bedrock": "bedrock",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "fireworks": "fireworks_ai",
    "google": "gemini",
    "groq": "groq",
    "huggingface": "huggingface",
    "localai": "openai",
    "mistral": "mistral",
    "ollama": "ollama",
    "openai": "openai",
    "openrouter": "openrouter",
    "perplexity": "perplexity",
    "replicate": "replicate",
    "togetherai": "together_ai",
    "vertex": "vertex_ai",
    "xai": "xai",
}
_KINDS = frozenset(
    [
        "chat",
        "completion",
        "responses",
        "messages",
        "realtime",
        "assistant",
        "text-generation",
        "text-classification",
        "converse",
        "message",
    ]
)


def provider_and_model(identity: str | None) -> tuple[str | None, str | None]:
    """Both, as far as the id says them: of a script or an address it is the id itself that is the model."""
    if not identity:
        return None, None
    head, _, rest = identity.partition(":")
    if head not in _PROVIDERS or not rest:
        return None, identity
    kind, colon, model = rest.partition(":")
    if colon and kind in _KINDS:
        return _PROVIDERS[head], model
    return _PROVIDERS[head], rest
