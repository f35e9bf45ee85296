"""API keys have no place in a file: they are refused without being shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from llmctl.errors import Problem
from llmctl.project.syntax.document import Document

__all__ = ["guard_headers", "guard_keys", "looks_like_key"]

_NAMES = frozenset({"api_key", "apikey", "api-key", "x-api-key", "authorization", "api_token", "access_token"})
_PREFIXES = ("sk-", "pk-", "sk_", "gsk_", "xai-", "ghp_", "hf_", "pplx-", "r8_", "AIza", "AKIA", "Bearer ")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_HEADERS = _NAMES | {"cookie", "proxy-authorization", "x-auth-token"}
_SECRET_PARAMETERS = re.compile(r"[?&](?:api[_-]?key|key|access_token|token|secret)=[^&{]", re.IGNORECASE)
_HEADER_WAY_OUT = "Delete it (and revoke it if others saw it); write {env: NAME} as the value of a header instead."
_WAY_OUT = 'Delete it (and revoke it if others saw it); write api_key_env = "NAME" in llmctl.toml instead.'


def guard_keys(document: Document, problems: list[Problem], *, below: str | None = None) -> None:
    """Add a problem for every API key, and take lines that hold one out of the other problems.

    Args:
        document: the file.
        problems: what is known about it already.
        below: the one top-level key to look under; None: everywhere.
    """
    if below is None:
        found = list(_search(document, document.data, ()))
    else:
        held = document.data.get(below) if isinstance(document.data, dict) else None
        found = list(_search(document, held, (below,)))
    _add(found, problems)


def guard_headers(document: Document, problems: list[Problem]) -> None:
    """Add a problem for every key in a prompt's `target`, whose secrets come from the environment, as `guard_keys`."""
    target = document.data.get("target") if isinstance(document.data, dict) else None
    _add(list(_search_target(document, target, ("target",))), problems)


def _add(found: list[Problem], problems: list[Problem]) -> None:
    lines = {problem.place.line for problem in found if problem.place}
    places = {problem.place for problem in found}
    problems[:] = [
        replace(one, excerpt=None) if one.place and one.place.line in lines else one
        for one in problems
        if one.place not in places
    ]
    problems.extend(found)


def looks_like_key(text: str) -> bool:
    """Whether a text is shaped like an API key rather than like the name of a variable."""
    return text.startswith(_PREFIXES) or (len(text) >= 20 and _VARIABLE.fullmatch(text) is None)


def _search(document: Document, value: object, path: tuple[str | int, ...]) -> Iterator[Problem]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _search(document, item, (*path, index))
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        place = (*path, key)
        if str(key).casefold() in _NAMES and isinstance(item, str):
            yield document.problem(place, "An API key does not belong in a file.", _WAY_OUT, key=True, secret=True)
        elif key == "api_key_env" and isinstance(item, str) and looks_like_key(item):
            message = "`api_key_env` is the name of an environment variable, and this looks like the key itself."
            yield document.problem(place, message, _WAY_OUT, secret=True)
        elif key == "api_base" and isinstance(item, str) and _holds_password(item):
            message = "`api_base` holds a user name or password."
            yield document.problem(place, message, _WAY_OUT, secret=True)
        else:
            yield from _search(document, item, place)


def _search_target(document: Document, value: object, path: tuple[str | int, ...]) -> Iterator[Problem]:
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from _search_target(document, item, (*path, key))
    elif isinstance(value, str) and _is_secret(value, path):
        message = "A key or password does not belong in a file."
        yield document.problem(path, message, _HEADER_WAY_OUT, secret=True)


def _is_secret(text: str, path: tuple[str | int, ...]) -> bool:
    """A key by its shape anywhere; by its name in `headers` and in the address."""
    if path[-1] == "prefix":
        return len(text) > len("Bearer ") and text.startswith(_PREFIXES)
    if "headers" in path[:3] and str(path[-1]).casefold() in _SECRET_HEADERS:
        return True
    if path[-1] == "env":
        return looks_like_key(text)
    if path[-1] == "url" and (_holds_password(text) or _SECRET_PARAMETERS.search(text)):
        return True
    return text.startswith(_PREFIXES) and len(text) >= 20 and " " not in text.removeprefix("Bearer ")


def _holds_password(url: str) -> bool:
    try:
        return "@" in urlsplit(url).netloc
    except ValueError:
        return False
