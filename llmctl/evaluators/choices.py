"""Which choices an answer names: `B`, `(B)`, `B) Paris`, `A, C`, `A and C`, `AC`, `Paris`, `none`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase

from llmctl.evaluators.text_form import TextForm

__all__ = ["Labels", "labels_of"]

_LATEX = re.compile(r"\\(?:boxed|text|textbf|mathrm|mathbf)\s*\{([^{}]*)\}|\$")
_SEPARATOR = re.compile(r"(?:[\s,;/&+*_()\[\]{}]|\band\b|\bor\b)+", re.IGNORECASE)
_LABEL = re.compile(r"[\s*_(\[{\"'`]*(?!I\s+[a-z])([^\W_]+)[*_)\]}\"'`]*")
_TOLD = re.compile(r"\s?[).:\]]")
_CLOSERS = " .)]}*_`\"'\n"
_FORM = TextForm(ignore_case=True, collapse_space=True, nfkc=True, trim_punctuation=True)
_NONE = frozenset({"none", "none of them", "none of the above", "no answer"})
_READ_CHARACTERS = 2_000
"""What follows in an answer longer than this names no further choice."""


@dataclass(frozen=True, slots=True)
class _Leading:
    """The labels with which a text begins, and what follows them."""

    labels: frozenset[str]
    rest: str


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of the choices, and their texts where the bank gives them."""

    labels: tuple[str, ...]
    texts: tuple[str, ...] = ()
    by_label: dict[str, str] = field(init=False, repr=False, compare=False)
    by_text: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        exact = {label: label for label in self.labels}
        object.__setattr__(self, "by_label", {label.swapcase(): label for label in self.labels} | exact)
        object.__setattr__(self, "by_text", dict(zip(map(_FORM, self.texts), self.labels, strict=False)))

    def named(self, answer: str, *, several: bool = True) -> frozenset[str] | None:
        """The choices that the answer begins with; the empty set where it says none, None where it names nothing.

        `several`: labels may stand together without a separator (`AC`). What follows them is why, and not read.
        """
        answer = _plain(answer)
        whole = self._whole(answer)
        return whole if whole is not None else self._leading(answer, several).labels or None

    def alone(self, answer: str, *, several: bool = True) -> frozenset[str] | None:
        """The choices that all of the answer is: labels and nothing else, or a label and its text (`B) Paris`)."""
        if len(answer) > _READ_CHARACTERS:
            return None
        answer = _plain(answer)
        whole = self._whole(answer)
        if whole is not None:
            return whole
        leading = self._leading(answer, several)
        told = _TOLD.match(leading.rest) is not None and "\n" not in leading.rest
        return (leading.labels or None) if told or not leading.rest.strip(_CLOSERS) else None

    def _whole(self, answer: str) -> frozenset[str] | None:
        plain = _FORM(answer) if self.by_text or len(answer) > 3 else ""
        if plain in self.by_text:
            return frozenset({self.by_text[plain]})
        return frozenset() if plain in _NONE else None

    def _leading(self, answer: str, several: bool) -> _Leading:
        found: set[str] = set()
        at = end = 0
        while (match := _LABEL.match(answer, at)) is not None:
            labels = self._labels(match[1], several and not found)
            if labels is None:
                break
            found |= labels
            end = match.end(1)
            separator = _SEPARATOR.match(answer, match.end())
            if separator is None:
                break
            at = separator.end()
        return _Leading(frozenset(found), answer[end:])

    def _labels(self, word: str, together: bool) -> frozenset[str] | None:
        if word in self.by_label:
            return frozenset({self.by_label[word]})
        if together and len(set(word)) == len(word) and all(letter in self.labels for letter in word):
            return frozenset(word)
        return None


def _plain(answer: str) -> str:
    answer = answer[:_READ_CHARACTERS].strip()
    if "$" not in answer and "\\" not in answer:
        return answer
    for _ in range(2):  # \boxed{\text{B}}
        answer = _LATEX.sub(r"\1", answer)
    return answer.strip()


def labels_of(choices: Sequence[str] | None) -> Labels:
    """Labels from `ABCD`, from `[A, B, C, D]`, or for the texts of a list: A, B, C, in their order. None: all letters.

    Raises:
        ValueError: there are fewer than two choices, more than 26 texts, or one stands twice.
    """
    if choices is None:
        return Labels(tuple(ascii_uppercase))
    items = list(choices[0]) if len(choices) == 1 else list(choices)
    if len(items) < 2:
        raise ValueError("needs two `choices` or more: labels such as ABCD, or a list of texts")
    labels = all(len(item) == 1 for item in items)
    unique = set(items) if labels else {_FORM(item) for item in items}
    if len(unique) < len(items):
        raise ValueError("has a choice that stands twice in `choices`")
    if labels:
        return Labels(tuple(items))
    if len(items) > len(ascii_uppercase):
        raise ValueError(f"has {len(items)} `choices`, and there are {len(ascii_uppercase)} letters")
    return Labels(tuple(ascii_uppercase[: len(items)]), tuple(items))
