"""From a model as the user names it to where and how it is asked."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from llmctl.errors import Problem, ProjectError, UsageError
from llmctl.project.app_target import AppTarget
from llmctl.project.models import ModelConfig
from llmctl.providers import prices
from llmctl.providers.endpoints import ENDPOINTS, KEY_VARIABLES, Endpoint
from llmctl.providers.fake_script import Script
from llmctl.providers.prices import PriceTable

__all__ = [
    "RESERVED",
    "App",
    "Route",
    "TransportName",
    "resolve",
]


class TransportName(StrEnum):
    """Who carries a call."""

    DIRECT = "direct"
    LITELLM = "litellm"
    LOCAL = "local"
    FAKE = "fake"
    APP = "app"
    LOGGED = "logged"
    """Nobody: its answers are those that a log holds."""


@dataclass(frozen=True, slots=True)
class App:
    """The user's own application in place of a model."""

    target: AppTarget
    root: Path
    """The project's root, where its code runs."""
    secrets: tuple[str, ...] = ()
    """The variables that hold its headers' secrets; it needs all of them."""


@dataclass(frozen=True, slots=True)
class Route:
    """One model, resolved."""

    config: ModelConfig
    provider: str
    transport: TransportName
    model: str
    """The litellm model string."""
    wire_model: str
    """The model's name in the request."""
    url: str
    """Where requests go, without credentials; for `litellm` the `api_base`, if any; `local` and `fake` by name."""
    api_key_env: str | None = None
    """The variable that holds the key; None: none is needed, or `litellm` knows which."""
    key_envs: tuple[str, ...] = ()
    """All variables that may hold the key, that one first."""
    key_required: bool = False
    price: PriceTable | None = None
    identity: str = ""
    """For local models: hash of the weights. For an application: hash of its definition and its code."""
    weights: Path | None = None
    app: App | None = None
    timeout_s: float | None = None
    """Deadline of one attempt; None: that of the run."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    stream_options: bool = True

    @property
    def line(self) -> str:
        """Routes of the same line share a transport, and the limits of who answers there."""
        return f"{self.transport}:{self.weights or (self.identity if self.app else '')}".rstrip(":")

    @property
    def floats(self) -> bool:
        """Whether the same name may answer differently tomorrow: it is not on this machine, and carries no date.

        So does an application: whatever its own code is, it may ask anybody.
        """
        if self.transport in {TransportName.LOCAL, TransportName.FAKE}:
            return False
        return _DATED.search(self.wire_model) is None

    @property
    def repeatable(self) -> bool:
        """Whether a call that ran into its deadline may be made again; code of the project is not run twice."""
        return self.app is None or not self.app.target.kind.runs_code

    def api_key(self, environ: Mapping[str, str]) -> str | None:
        """The key, white space around it removed; None where no variable holds one."""
        for name in self.key_envs:
            key = environ.get(name, "").strip()
            if key:
                return key
        return None

    def secrets(self, environ: Mapping[str, str]) -> tuple[str, ...]:
        """Every value of the environment that goes out with a call, and must not be recorded."""
        names = self.app.secrets if self.app else ()
        key = self.api_key(environ)
        return (*([key] if key else ()), *(value for name in names if (value := environ.get(name, "").strip())))


_DATED = re.compile(r"\d{4}-\d{2}-\d{2}|[-@](?:20\d{6}|\d{4})(?!\d)")


RESERVED = frozenset(
    {
        "api_base",
        "api_key",
        "base_url",
        "callbacks",
        "client",
        "custom_llm_provider",
        "extra_headers",
        "fallbacks",
        "headers",
        "input_cost_per_token",
        "logger_fn",
        "max_retries",
        "messages",
        "mock_response",
        "model",
        "model_list",
        "num_retries",
        "organization",
        "output_cost_per_token",
        "shared_session",
        "ssl_verify",
        "timeout",
    }
)
"""Names in `params` and `options` that would change where a call goes, or who handles it."""


def resolve(model: ModelConfig) -> Route:
    """Where and how a model is asked.

    Raises:
        UsageError: no provider of this name, or a setting that it does not have.
        ModelError: the weights of a local model are not on this machine.
    """
    _check_names(model)
    prefix, slash, name = model.model.partition("/")
    if prefix == "local" and slash:
        return _local(model, name)
    if prefix == "fake" and slash:
        return _fake(model, name)
    if not slash:
        prefix, name = _provider_of_bare(model), model.model
    endpoint = _endpoint(model, prefix, name)
    return _direct(model, prefix, name, endpoint) if endpoint else _litellm(model, prefix, name)


def _mistake(model: ModelConfig, message: str, hint: str | None = None) -> UsageError:
    if model.place is None:
        return UsageError(message, hint=hint)
    return ProjectError([Problem(message, model.place, hint)])


def _check_names(model: ModelConfig) -> None:
    for section, names in (("params", model.params), ("options", model.options)):
        reserved = sorted(RESERVED & set(names))
        if reserved:
            raise _mistake(model, f'"{reserved[0]}" cannot stand in the {section} of a model.', _HINTS.get(reserved[0]))


_HINTS = {
    "api_base": "Write api_base directly under the model.",
    "base_url": "Write api_base directly under the model.",
    "api_key": "Keys come from the environment: name the variable in api_key_env.",
    "timeout": "Write timeout_s under [eval].",
}


def _local(model: ModelConfig, name: str) -> Route:
    from llmctl.providers.local import weights
    from llmctl.providers.local.server import require_package

    require_package()
    found = weights.find(name)
    return Route(
        model,
        "local",
        TransportName.LOCAL,
        model.model,
        wire_model=found.name,
        url="local",
        price=prices.from_config(model.price) if model.price else prices.FREE,
        identity=found.sha256,
        weights=found.path,
    )


def _fake(model: ModelConfig, name: str) -> Route:
    try:
        Script.parse(name, model.options)
    except UsageError as error:
        raise _mistake(model, error.message, error.hint) from None
    price = prices.from_config(model.price) if model.price else prices.FREE
    return Route(model, "fake", TransportName.FAKE, model.model, wire_model=name, url="fake", price=price)


def _provider_of_bare(model: ModelConfig) -> str:
    """The provider that litellm finds for a name without `/`: `gpt-4o` is OpenAI's."""
    name = model.model
    if "ft:gpt-4" in name or "ft:gpt-3.5-turbo" in name:
        return "openai"
    found = str(prices.price_table().get(name, {}).get("litellm_provider", ""))
    provider = "vertex_ai" if found.startswith("vertex_ai") else found
    if provider in _BARE:
        return provider
    raise _mistake(
        model, f'There is no model "{name}".', f'Say whose it is, as in "openai/{name}", or name it in llmctl.toml.'
    )


_BARE = frozenset({"openai", "anthropic", "cohere_chat", "vertex_ai"})
"""Providers whose models litellm knows by bare name."""


def _endpoint(model: ModelConfig, prefix: str, name: str) -> Endpoint | None:
    """The endpoint to call directly; None: `litellm` carries the call."""
    if model.transport == TransportName.LITELLM:
        return None
    if model.transport == TransportName.DIRECT and prefix not in ENDPOINTS:
        if not model.api_base:
            raise _mistake(
                model, f'"{prefix}" is no OpenAI-compatible endpoint that llmctl knows.', "Add its api_base."
            )
        return Endpoint(None, KEY_VARIABLES.get(prefix, ()), key_required=False)
    endpoint = ENDPOINTS.get(prefix)
    if endpoint is None or _responses_only(model, prefix, name):
        return None
    return endpoint


def _responses_only(model: ModelConfig, prefix: str, name: str) -> bool:
    """Whether OpenAI serves the model by its other protocol only, which litellm translates to."""
    if prefix != "openai" or model.api_base or model.transport:
        return False
    return (prices.entry(prefix, name) or {}).get("mode") == "responses"


def _direct(model: ModelConfig, provider: str, name: str, endpoint: Endpoint) -> Route:
    base = model.api_base or endpoint.base_url
    if base is None:
        raise _mistake(
            model, f'"{model.model}" needs the address of its server.', 'Add api_base = "http://host:port/v1".'
        )
    wire_model = name if "/" in name else f"{endpoint.vendor}{name}"
    keys = _keys(model, endpoint.key_envs, endpoint.key_required)
    return Route(
        model,
        provider,
        TransportName.DIRECT,
        model.model,
        wire_model,
        url=_chat_url(model, base),
        api_key_env=keys.first,
        key_envs=keys.names,
        key_required=keys.required,
        price=_price(model, provider, name),
        renamed=endpoint.renamed,
        stream_options=endpoint.stream_options,
    )


def _litellm(model: ModelConfig, provider: str, name: str) -> Route:
    if model.transport is None and provider not in _litellm_providers():
        near = difflib.get_close_matches(provider, [*ENDPOINTS, *_litellm_providers()], n=1)
        hint = f'Did you mean "{near[0]}/{name}"?' if near else "Begin with a provider, as in openai/gpt-4o-mini."
        raise _mistake(model, f'There is no provider "{provider}" in "{model.model}".', hint)
    endpoint = ENDPOINTS.get(provider)
    if endpoint is not None and model.transport == TransportName.LITELLM and provider not in _OTHER_PROTOCOL:
        # The same address, model and key as a direct call has, so that both are the same call.
        return replace(_direct(model, provider, name, endpoint), transport=TransportName.LITELLM)
    names = endpoint.key_envs if endpoint else KEY_VARIABLES.get(provider, ())
    keys = _keys(model, names, bool(names) and (endpoint is None or endpoint.key_required))
    return Route(
        model,
        provider,
        TransportName.LITELLM,
        model.model,
        wire_model=name,
        url=_checked_base(model, model.api_base).rstrip("/") if model.api_base else "",
        api_key_env=keys.first,
        key_envs=keys.names,
        key_required=keys.required,
        price=_price(model, provider, name),
    )


_OTHER_PROTOCOL = frozenset({"ollama", "ollama_chat"})
"""Providers to which litellm does not speak OpenAI's protocol, though they understand it."""


@lru_cache(maxsize=1)
def _litellm_providers() -> frozenset[str]:
    table = prices.price_table()
    prefixes = {name.partition("/")[0] for name in table if "/" in name}
    return frozenset(prefixes | {str(item.get("litellm_provider")) for item in table.values()} | set(KEY_VARIABLES))


@dataclass(frozen=True, slots=True)
class _Keys:
    names: tuple[str, ...]
    required: bool

    @property
    def first(self) -> str | None:
        return self.names[0] if self.names else None


def _keys(model: ModelConfig, names: tuple[str, ...], required: bool) -> _Keys:
    if model.api_key_env:
        return _Keys((model.api_key_env,), True)
    if model.api_base and _is_loopback(model.api_base):
        # A server of one's own machine: the provider's key has no business there unless it is asked for.
        return _Keys((), False)
    return _Keys(names, required)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _checked_base(model: ModelConfig, base: str) -> str:
    try:
        parts = urlsplit(base)
        parts.port  # noqa: B018  # raises for a port that is no number
    except ValueError:
        raise _mistake(model, f'api_base "{base}" is not an address.', "Write it as https://host/v1.") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise _mistake(model, f'api_base "{base}" is not an address.', "Write it as https://host/v1.")
    if parts.username or parts.password:
        raise _mistake(model, "api_base holds a password.", "Keys come from the environment: name one in api_key_env.")
    return base


def _chat_url(model: ModelConfig, base: str) -> str:
    base = _checked_base(model, base).rstrip("/")
    return base if base.endswith("/chat/completions") else f"{base}/chat/completions"


def _price(model: ModelConfig, provider: str, name: str) -> PriceTable | None:
    if model.price:
        return prices.from_config(model.price)
    return prices.lookup(provider, name)
