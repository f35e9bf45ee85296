"""Words and punctuation as in the Penn Treebank, the way promptfoo's `rouge-n` splits them (js-rouge 3.2).

The text counts as one sentence: only a full stop at its end is a word of its own. Opening quotes become ``, closing
ones ''.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["treebank_words"]

_SPACE = re.compile(r"[\s\ufeff]+")
_QUOTE = re.compile("``|''|\"")
_BEHIND_STOP = "])}>' "
_INITIALS = re.compile(r"(?<![A-Za-z0-9_])[A-Za-z]\.[A-Za-z]$")
_SPLIT = (
    (re.compile(r"\.{3}"), " ... "),
    (re.compile(r"([:,])(?!\d)"), r" \1 "),
    (re.compile(r"([;@#$%&])"), r" \1 "),
)
_SPLIT_AFTER_STOP = ((re.compile(r"([?!\[\](){}<>])"), r" \1 "), (re.compile("--"), " -- "))
_CLITICS = (
    (re.compile(r"([^'])' "), r"\1 ' "),
    (re.compile(r"'([sSmMdD]) "), r" '\1 "),
    (re.compile(r"('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) "), r" \1 "),
)
_JOINED = tuple(
    (re.compile(rf"(?<!\w)({first})({second})(?!\w)", re.IGNORECASE), r" \1 \2 ")
    for first, second in (
        ("can", "not"),
        ("d", "'ye"),
        ("gim", "me"),
        ("gon", "na"),
        ("got", "ta"),
        ("lem", "me"),
        ("more", "'n"),
        ("wan", "na(?= )"),
        ("'t", "is"),
        ("'t", "was"),
    )
)


def treebank_words(text: str) -> list[str]:
    """Split a text; case stays as it is."""
    text = _quotes(_SPACE.sub(" ", text).strip())
    text = _replaced(text, _SPLIT)
    text = _replaced(_last_stop(text), _SPLIT_AFTER_STOP)
    return _replaced(f" {text} ", _CLITICS + _JOINED).split()


def _replaced(text: str, rules: tuple[tuple[re.Pattern[str], str], ...]) -> str:
    for pattern, replacement in rules:
        text = pattern.sub(replacement, text)
    return text


def _last_stop(text: str) -> str:
    """A space before the full stop that ends the text; none before that of initials (`u.s.`) and of an ellipsis."""
    core = text.rstrip(_BEHIND_STOP)
    body = core[:-1]
    if not core.endswith(".") or not body or body.endswith(".") or _INITIALS.search(body[-4:]):
        return text
    return f"{body} .{text[len(core) :]} "


def _quotes(text: str) -> str:
    """Each quote as an opening or a closing one, by what stands around it."""
    inside = False

    def directed(match: re.Match[str]) -> str:
        nonlocal inside
        inside = match.group() == "``" or (not inside and _opens(text, match))
        return " `` " if inside else " '' "

    return _QUOTE.sub(directed, text)


def _opens(text: str, match: re.Match[str]) -> bool:
    start, end = match.span()
    before = text[start - 1] if start else " "
    if start and before != " " and not _is(before, "P") and before != "<":
        return False
    if before in ".!?" or (end == len(text) and start and not (before in " <" or _is(before, "Ps"))):
        return False
    return match.group() == '"' or (start > 0 and _starts_word(text, end))


def _starts_word(text: str, end: int) -> bool:
    """Whether two apostrophes open a quotation: a word follows, and another such pair before any other quote."""
    following = _QUOTE.search(text, end)
    begins = any(_is(text[end : end + 1], kind) for kind in ("L", "N", "Sc", "Ps"))
    return begins and following is not None and following.group() == "''"


def _is(char: str, category: str) -> bool:
    return bool(char) and unicodedata.category(char).startswith(category)
