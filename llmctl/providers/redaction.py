"""Keeps keys out of everything that reaches the disk."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["REDACTED", "Redactor", "allowed_headers"]

REDACTED = "[redacted]"

_SHORTEST = 8
"""A shorter value is no key, and replacing it would damage ordinary text."""
_SECRET_NAME = re.compile(r"(?:_API_KEY|_KEY|_TOKEN|_SECRET|_PASSWORD|_CREDENTIALS)$", re.IGNORECASE)
_KEY_SHAPED = re.compile(
    r"""
      (?<![A-Za-z0-9])(?:sk|pk|rk|gsk|xai|pplx|hf|nvapi|csk|fw|r8)[-_][A-Za-z0-9][A-Za-z0-9_\-]{15,}
    | (?<![A-Za-z0-9])AIza[A-Za-z0-9_\-]{30,}
    | (?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])
    | (?<![A-Za-z0-9])(?:gh[pousr]_|github_pat_)[A-Za-z0-9_]{20,}
    | (?<![A-Za-z0-9])xox[abprs]-[A-Za-z0-9\-]{10,}
    | (?<=Bearer\ )[A-Za-z0-9._~+/\-]{16,}=*
    """,
    re.VERBOSE,
)

_HEADERS = frozenset(
    {
        "cf-ray",
        "content-length",
        "content-type",
        "date",
        "openai-processing-ms",
        "request-id",
        "retry-after",
        "retry-after-ms",
        "x-request-id",
    }
)


class Redactor:
    """Replaces the keys of this environment, and what looks like a key, by `[redacted]`."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._values: tuple[str, ...] = ()
        self.learn(value for name, value in environ.items() if _SECRET_NAME.search(name))

    def learn(self, values: Iterable[str]) -> None:
        """Further values to replace, longest first, as they are and as JSON writes them."""
        known = set(self._values)
        for value in values:
            text = value.strip()
            if len(text) >= _SHORTEST:
                known |= {text, json.dumps(text)[1:-1]}
        self._values = tuple(sorted(known, key=len, reverse=True))

    def text(self, text: str) -> str:
        """For bodies and errors: exact keys, and whatever is shaped like one."""
        return _KEY_SHAPED.sub(REDACTED, self.exact(text))

    def exact(self, text: str) -> str:
        """For answers that evaluators judge: only keys that are really in use."""
        for value in self._values:
            if value in text:
                text = text.replace(value, REDACTED)
        return text

    def structure(self, value: Any) -> Any:
        """`exact` in every text of a structure, keys of mappings left as they are."""
        match value:
            case str():
                return self.exact(value)
            case Mapping():
                return {key: self.structure(item) for key, item in value.items()}
            case list():
                return [self.structure(item) for item in value]
            case tuple():
                return tuple(self.structure(item) for item in value)
            case _:
                return value


def allowed_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The response headers that cannot hold a secret, names in lower case."""
    return {
        name: value
        for name, value in ((name.lower(), value) for name, value in headers.items())
        if name in _HEADERS or name.startswith("x-ratelimit-")
    }
