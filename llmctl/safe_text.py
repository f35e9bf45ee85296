"""Text that others wrote, made safe to show: nothing in it can move the cursor, hide words or break a line's order."""

from __future__ import annotations

import re

__all__ = ["one_line", "replace_surrogates", "safe_text"]

_JOINING = "\u0600-\u06dc\u06de-\u06ff\u0710-\u180a\u1810-\u1fff\u2600-\u27bf\ua800-\ud7af\ufe0f\U0001f000-\U0001faff"
"""Scripts and emoji that need the zero-width joiners between their own characters."""

_UNSAFE = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 except tab and newline, DEL, C1
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # invisible: soft hyphen, fillers, Mongolian selectors
    "\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"  # zero width, marks, separators, bidi controls and isolates
    "\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"  # fillers, selectors, byte order mark, annotations
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # format characters of single scripts
    "\U000e0000-\U000e0fff"  # tags and selectors: whole sentences can hide in them
    "\ud800-\udfff"  # lone surrogates: no terminal, file or database takes them
    "]"
    "|(?<=[\ufe00-\ufe0f])[\ufe0e\ufe0f]|(?<![^\\s])[\ufe0e\ufe0f]"  # an emoji's selector, without an emoji
    f"|(?<![{_JOINING}])[\u200c\u200d]|[\u200c\u200d](?![{_JOINING}])"
)
_SURROGATES = re.compile("[\ud800-\udfff]")
_CHARACTERS_PER_CELL = 8
"""An emoji family is 7 characters in 2 cells; what stacks more is cut."""


def safe_text(text: str) -> str:
    r"""The text with every control, invisible or bidirectional character written out: `\x1b`, `\u202e`.

    Newlines and tabs stay. The joiners and selectors that scripts and emoji need stay between their own characters.
    """
    if text.isascii() and text.isprintable():
        return text
    shown = _UNSAFE.sub(_escaped, text)
    while shown != text:  # what is written out now may be what a joiner leaned on
        text, shown = shown, _UNSAFE.sub(_escaped, shown)
    return shown


def one_line(text: str, width: int, *, ascii_only: bool = False) -> str:
    r"""Safe text on one line of at most `width` terminal cells.

    Line ends show as `⏎`, tabs as a space, and what does not fit as an ellipsis. With `ascii_only` the line ends show
    as `\n`, and every other character that is not ASCII as its escape.
    """
    from rich.cells import cell_len, set_cell_size

    if width <= 0:
        return ""
    head = text[: width * _CHARACTERS_PER_CELL + 1]
    ends = head.replace("\r\n", "\n").replace("\t", " ")
    line = safe_text(ends).replace("\n", "\\n" if ascii_only else "⏎")
    if ascii_only:
        line = line.encode("ascii", "backslashreplace").decode("ascii")
    if len(head) == len(text) and cell_len(line) <= width:
        return line
    ellipsis = "..." if ascii_only else "…"
    room = max(width - len(ellipsis), 0)
    # A wide character that is cut in half becomes a space: without the rstrip it would stand before the ellipsis.
    return (set_cell_size(line, min(room, cell_len(line))).rstrip(" ") + ellipsis)[:width]


def replace_surrogates(text: str) -> str:
    """The text with every lone surrogate replaced by U+FFFD, so that it can be encoded and stored.

    Two halves that stand side by side (a stream was cut between them) become the character that they are.
    """
    if text.isascii() or not _SURROGATES.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
