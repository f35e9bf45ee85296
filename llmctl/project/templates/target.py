"""What a target that is the user's own application is sent for one case, rendered from its variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from llmctl.canonical import plain
from llmctl.project.app_target import AppTarget, HttpCall
from llmctl.project.models import CaseReference
from llmctl.project.templates.budget import TemplateError
from llmctl.project.templates.render import check_plain, compile_template

__all__ = ["render_target", "target_templates", "target_variables"]


def render_target(target: AppTarget, variables: Mapping[str, object]) -> dict[str, object]:
    """The request without its secrets: `method`, `url`, `headers`, `body` for HTTP, `vars` for a program.

    Raises:
        TemplateError: a variable is missing, or a template fails.
    """
    if isinstance(target.call, HttpCall):
        return _request(target.call, variables)
    for name, value in variables.items():
        check_plain(name, value)
    return {"vars": plain(variables)}


def target_templates(target: AppTarget) -> Iterator[str]:
    """Every template that the target holds."""
    if isinstance(target.call, HttpCall):
        yield target.call.url
        yield from (value for value in target.call.headers.values() if isinstance(value, str))
        yield from (value for value in _leaves(target.call.body) if isinstance(value, str))


def target_variables(target: AppTarget) -> frozenset[str]:
    """The variables that an HTTP request uses. A program gets all of them, so what it uses is not known: none.

    Raises:
        TemplateError: a template cannot be compiled.
    """
    names = frozenset().union(*(compile_template(text).variables for text in target_templates(target)))
    body = target.call.body if isinstance(target.call, HttpCall) else None
    return names | {leaf.path[1] for leaf in _leaves(body) if isinstance(leaf, CaseReference)}


def _request(call: HttpCall, variables: Mapping[str, object]) -> dict[str, object]:
    headers = {
        name: _header(name, compile_template(value).render(variables))
        for name, value in call.headers.items()
        if isinstance(value, str)
    }
    request: dict[str, object] = {"method": call.method, "url": _url(call.url, variables), "headers": headers}
    if call.body is not None:
        request["body"] = _filled(call.body, variables)
    return request


def _url(template: str, variables: Mapping[str, object]) -> str:
    url = compile_template(template).render(variables, encode=_percent_encoded).strip()
    if urlsplit(url)[:2] != urlsplit(template)[:2] or not url.isprintable():
        raise TemplateError("the address has another host than in the prompt, or holds a line end")
    return url


def _percent_encoded(text: str) -> str:
    if text in {".", ".."}:  # which would lead to another path
        return text.replace(".", "%2E")
    return quote(text, safe="", errors="replace")


def _header(name: str, value: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise TemplateError(f"the header {name} would hold a line end or another control character")
    return value


def _filled(value: object, variables: Mapping[str, object]) -> object:
    match value:
        case str():
            return compile_template(value).render(variables)
        case CaseReference():
            return plain(_referred(value, variables))
        case Mapping():
            return {key: _filled(item, variables) for key, item in value.items()}
        case list() | tuple():
            return [_filled(item, variables) for item in value]
        case _:
            return plain(value)


def _referred(reference: CaseReference, variables: Mapping[str, object]) -> object:
    value: Any = variables
    for depth, key in enumerate(reference.path[1:], start=1):
        if isinstance(value, list | tuple) and key.isascii() and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, Mapping) and key in value:
            value = value[key]
        elif depth == 1:
            raise TemplateError(f"the variable `{key}` is not given")
        else:
            raise TemplateError(f"`{'.'.join(reference.path[:depth])}` has no `{key}`")
    check_plain(reference.path[1], value)
    return value


def _leaves(value: object) -> Iterator[object]:
    match value:
        case Mapping():
            for item in value.values():
                yield from _leaves(item)
        case list() | tuple():
            for item in value:
                yield from _leaves(item)
        case _:
            yield value
