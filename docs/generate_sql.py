"""Writes the tables of docs/sql.md from the meanings that `llmctl sql --tables` shows, and the database's types."""

from __future__ import annotations

from pathlib import Path

from llmctl.report.views import views_markdown

PAGE = Path(__file__).parent / "sql.md"
_HEADING = "## Views\n"


def page() -> str:
    """The page with today's tables."""
    written = PAGE.read_text(encoding="utf-8")
    end = written.index("### ") if "### " in written else len(written)
    if _HEADING not in written[:end]:
        raise SystemExit(f"{PAGE.name} has no heading {_HEADING.strip()}")
    return written[:end] + views_markdown()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
