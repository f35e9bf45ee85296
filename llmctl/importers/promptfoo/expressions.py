"""The small JavaScript expressions that configs are full of, where they only name a part of the output."""

from __future__ import annotations

import re

from llmctl.project.json_pointer import split_pointer

__all__ = ["pointer_of"]

_PARSED = re.compile(r"^JSON\.parse\(\s*(\w+)\s*\)")
_STEP = re.compile(r"""^(?:\??\.([A-Za-z_$][\w$]*)|(?:\?\.)?\[\s*(?:(\d+)|"([^"\\]*)"|'([^'\\]*)')\s*\])""")
_OF_TEXTS = frozenset({"length", "trim", "toLowerCase", "toUpperCase", "split", "replace", "match", "slice"})
"""What follows is no part of a JSON value: it is something of JavaScript's own."""


def pointer_of(expression: str, roots: tuple[str, ...] = ("output",)) -> str | None:
    """The JSON pointer of `JSON.parse(output).a[0].b` or `output.a[0].b`; None for any other expression."""
    text = expression.strip().removesuffix(";").strip()
    text = text.removeprefix("return ").strip()
    parsed = _PARSED.match(text)
    root = parsed[1] if parsed else re.split(r"\W", text, maxsplit=1)[0]
    if root not in roots:
        return None
    rest = text[parsed.end() :] if parsed else text[len(root) :]
    steps = []
    while rest:
        step = _STEP.match(rest)
        if step is None or step[1] in _OF_TEXTS or rest[step.end() :].startswith("("):
            return None
        steps.append(next(part for part in step.groups() if part is not None))
        rest = rest[step.end() :]
    if not steps and not parsed:
        return None
    pointer = "".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in steps)
    split_pointer(pointer)
    return pointer
