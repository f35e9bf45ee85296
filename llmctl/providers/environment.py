"""What the environment lacks for a call, and what of it is ignored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from llmctl.providers.endpoints import endpoint_variables
from llmctl.providers.routes import Route

__all__ = ["MissingKey", "ignored_variables", "missing_keys"]


@dataclass(frozen=True, slots=True)
class MissingKey:
    """A model whose key is not in the environment."""

    model: str
    """The model's name in `llmctl.toml`."""
    variables: tuple[str, ...]
    """Setting one of them is enough."""
    place: str = ""
    """Where the model stands, if it stands in a file."""

    @property
    def message(self) -> str:
        """One sentence for a CredentialError."""
        where = f" ({self.place})" if self.place else ""
        return f'The model "{self.model}"{where} needs a key in {" or ".join(self.variables)}.'


def missing_keys(routes: Iterable[Route], environ: Mapping[str, str]) -> list[MissingKey]:
    """The models that cannot be asked because no variable holds their key, each once."""
    missing: dict[MissingKey, None] = {}
    for route in routes:
        place = str(route.config.place or "")
        if route.key_required and route.api_key(environ) is None:
            missing[MissingKey(route.config.name, route.key_envs, place)] = None
        for name in route.app.secrets if route.app else ():
            if not environ.get(name, "").strip():
                missing[MissingKey(route.config.name, (name,), place)] = None
    return list(missing)


def ignored_variables(routes: Iterable[Route], environ: Mapping[str, str]) -> list[str]:
    """One sentence for each variable that would send a provider's calls elsewhere in other tools."""
    providers = sorted({route.provider for route in routes})
    return [
        f"{name} is set, and ignored: only `api_base` in llmctl.toml changes an endpoint."
        for provider in providers
        for name in endpoint_variables(provider)
        if environ.get(name)
    ]
