"""Nunjucks templates in our dialect of Jinja2: most are the same text, the rest is rewritten tag by tag.

What Nunjucks does and Jinja2 does not: `===`, `x.length`, `toUpperCase()` and other JavaScript inside tags, the filter
`dump`, `elseif`, and undefined variables as empty text. All but the last are rewritten here; that is the importer's.
"""

from __future__ import annotations

import re

from llmctl.project.templates import compile_template

__all__ = ["jinja_of", "literal", "template_variables"]

_TAG = re.compile(r"\{#.*?#\}|\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_QUOTED = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""", re.DOTALL)
# What promptfoo sends as it stands, since Nunjucks could not read it: a tag that opens and does not close on its line.
_PARTIAL = re.compile(r"\{%[^%]*$|\{\{[^}]*$|\{#[^#]*$", re.MULTILINE)
_RAW = re.compile(r"\{%-?\s*raw\s*-?%\}(.*?)\{%-?\s*endraw\s*-?%\}", re.DOTALL)
_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"===", "=="),
        (r"!==", "!="),
        (r"\s*&&\s*", " and "),
        (r"\s*\|\|\s*", " or "),
        (r"\.length\b(?!\()", " | length"),
        (r"\.toUpperCase\(\)", ".upper()"),
        (r"\.toLowerCase\(\)", ".lower()"),
        (r"\.trim\(\)", ".strip()"),
        (r"\.startsWith\(", ".startswith("),
        (r"\.endsWith\(", ".endswith("),
        (r"\|\s*dump\b", "| tojson"),
        (r"\bnull\b", "none"),
        (r"\bundefined\b(?!\s*%)", "none"),
        (r"^(\{%-?\s*)elseif\b", r"\1elif"),
        (r"^(\{%-?\s*for\s+\w+\s*,\s*\w+\s+in\s+\w[\w.]*)(\s*-?%\})$", r"\1.items()\2"),
    )
)


def jinja_of(text: str) -> str:
    """The template in our dialect.

    Raises:
        TemplateError: it uses what our templates do not have.
    """
    if "{{" not in text and "{%" not in text and "{#" not in text:
        return text
    if _PARTIAL.search(text) and not _RAW.search(text):
        return literal(text)
    pieces, last = [], 0
    for match in _RAW.finditer(text):
        pieces += [_rewritten(text[last : match.start()]), match[0]]
        last = match.end()
    converted = "".join([*pieces, _rewritten(text[last:])])
    compile_template(converted)
    return converted


def literal(text: str) -> str:
    """A template that makes just this text."""
    if "{{" not in text and "{%" not in text and "{#" not in text:
        return text
    return f"{{% raw %}}{text}{{% endraw %}}"


def template_variables(text: str) -> frozenset[str]:
    """The variables of a template in our dialect.

    Raises:
        TemplateError: it is none.
    """
    return compile_template(text).variables


def _rewritten(text: str) -> str:
    return _TAG.sub(lambda match: match[0] if match[0].startswith("{#") else _tag(match[0]), text)


def _tag(tag: str) -> str:
    """One tag; what stands between quotes stays."""
    if "\0" in tag:
        return tag
    quoted: list[str] = []

    def kept(match: re.Match[str]) -> str:
        quoted.append(match[0])
        return f"\0{len(quoted) - 1}\0"

    bare = _QUOTED.sub(kept, tag)
    for pattern, replacement in _REWRITES:
        bare = pattern.sub(replacement, bare)
    return re.sub(r"\0(\d+)\0", lambda match: quoted[int(match[1])], bare)
