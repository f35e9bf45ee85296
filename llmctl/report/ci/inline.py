"""Text of others inside a forge's Markdown: as plain words where nothing in it can act, else as code."""

from __future__ import annotations

import re
from html import escape

from llmctl.report.markdown_file import code
from llmctl.safe_text import one_line

__all__ = ["cell", "html_code", "plain"]

_HARMLESS = re.compile(r"""[\w .,:;%()'"$+=>?/·-]*""")
_CODE = re.compile("`[^`]+`")
"""Written as code already, in sentences of our own: nothing acts in it."""
_ACTING = re.compile(r"://|www\.|GH-\d|(?<!\w)_|_(?!\w)|\$\d*\$|(?<!\s):\w+:", re.IGNORECASE)
"""What a forge turns into a link, emphasis, a formula or a picture."""


def plain(text: str, width: int = 400) -> str:
    """One line. `<`, `@name`, `#12`, a backtick or an address makes all of it code, where nothing is looked for."""
    line = one_line(text, width).strip()
    words = _CODE.sub(" ", line)
    return line if _HARMLESS.fullmatch(words) and not _ACTING.search(words) else code(line, width)


def cell(text: str, width: int = 80) -> str:
    """The same in a table: even inside code a bar would end the cell, and no escape survives a backslash before it."""
    return plain(text.replace("|", "\u00a6"), width) if text.strip() else "-"


def html_code(text: str, width: int = 120) -> str:
    """Code inside an HTML block, where Markdown is not read: `<summary>`, for one."""
    return f"<code>{escape(one_line(text, width).strip()) or ' '}</code>"
