"""What embeddings do not see: that one text says "not", and that the figures are others."""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import islice

from llmctl.evaluators.numbers import find_numbers
from llmctl.evaluators.wording import listed

__all__ = ["unseen_difference"]

_READ_CHARACTERS = 5_000  # an embedding model reads about as many; the rest decides nothing
_MOST_NUMBERS = 100
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|nowhere|neither|nor|without|cannot|\w+n['’]t)\b",  # noqa: RUF001
    re.IGNORECASE,
)


def unseen_difference(output: str, reference: str) -> str | None:
    """A sentence about a negation or figures by which two similar texts differ; None where they do not."""
    output, reference = output[:_READ_CHARACTERS], reference[:_READ_CHARACTERS]
    found = [text for text in (_negation(output, reference), _numbers(output, reference)) if text]
    if not found:
        return None
    return f"But {' and '.join(found)}: embeddings are blind to that."


def _negation(output: str, reference: str) -> str | None:
    got, wanted = ([match.group() for match in _NEGATION.finditer(text)] for text in (output, reference))
    if len(got) == len(wanted):
        return None
    if got and wanted:
        return f"the output negates {len(got)} times and the reference {len(wanted)} times"
    said, where = (got, "the output") if got else (wanted, "the reference")
    return f"only {where} says {listed(dict.fromkeys(said), 3)}"


def _numbers(output: str, reference: str) -> str | None:
    """Other figures on both sides; one side without any may have written them as words."""
    got, wanted = _figures(output), _figures(reference)
    if not got or not wanted or set(got.values()) == set(wanted.values()):
        return None
    values = set(wanted.values()), set(got.values())
    only_got = [text for text, value in got.items() if value not in values[0]]
    only_wanted = [text for text, value in wanted.items() if value not in values[1]]
    if only_got and only_wanted:
        return f"the output has {listed(only_got, 3)} in place of {listed(only_wanted, 3)}"
    if only_got:
        return f"only the output has {listed(only_got, 3)}"
    return f"only the reference has {listed(only_wanted, 3)}"


def _figures(text: str) -> dict[str, Decimal]:
    return {found.text: found.value for found in islice(find_numbers(text), _MOST_NUMBERS)}
