"""What a user may call a run: the first characters of its id, `@last`, or a label."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llmctl.errors import UsageError
from llmctl.runs.rows import Row

__all__ = ["RunsCalled", "find_run", "known_names", "nearest_hint", "runs_called"]

_MIN_PREFIX = 6
_RUNS = (
    "journal_rows ANTI JOIN (FROM judge_rows ANTI JOIN target_rows USING (run_id)) USING (run_id) "
    "ANTI JOIN (FROM run_heads WHERE json_extract_string(options, '$.fills') = 'true') USING (run_id)"
)
"""Journals but for those of calibrations (a judge and no target) and of runs that fill a comparison's gaps."""
Rows = Callable[[str, object], list[Row]]
"""Looks something up in the store."""


@dataclass(frozen=True, slots=True)
class RunsCalled:
    """The runs that a text may mean, the latest first."""

    by_id: tuple[str, ...]
    """Whose id begins with it."""
    by_label: tuple[str, ...]
    """Whose label it is: their ids."""


def runs_called(rows: Rows, text: str) -> RunsCalled:
    """Every run that a text may mean."""
    by_id, by_label = (tuple(row[0] for row in _matches(rows, kind, text)) for kind in ("run", "label"))
    return RunsCalled(by_id, by_label)


def known_names(rows: Rows) -> list[str]:
    """The ids and labels of the latest runs."""
    found = rows("SELECT DISTINCT unnest([run_id, label]) FROM (FROM run_heads ORDER BY run_id DESC LIMIT 1000)", [])
    return [row[0] for row in found if row[0]]


def find_run(rows: Rows, reference: str) -> str:
    """The id of a run: from its first 6 or more characters, `@last`, `@last~2`, or a label.

    `run:` and `label:` before it say which is meant.

    Raises:
        UsageError: there is none, or several.
    """
    if back := re.fullmatch(r"@last(?:~(\d{1,9}))?", reference):
        return _back(rows, int(back[1] or 0))
    kind, text = _kind(reference)
    found: list[tuple[str, str | None]] = [(row[0], row[1]) for row in _matches(rows, kind, text)]
    if len(found) == 1:
        return found[0][0]
    raise _ambiguous(reference, found) if found else _unknown(rows, reference, kind, text)


def _back(rows: Rows, steps: int) -> str:
    found = rows(f"SELECT run_id FROM {_RUNS} ORDER BY run_id DESC LIMIT 1 OFFSET ?", [steps])
    if found:
        return str(found[0][0])
    count = rows(f"SELECT count(*) FROM {_RUNS}", [])
    total = count[0][0] if count else 0
    if total == 0:
        raise UsageError("There is no run yet.", hint="Make one with `llmctl eval`.")
    raise UsageError(f"There {'is' if total == 1 else 'are'} only {total} {'run' if total == 1 else 'runs'}.")


def _matches(rows: Rows, kind: str, text: str) -> list[Row]:
    by_id = "starts_with(j.run_id, lower($text))" if len(text) >= _MIN_PREFIX else "j.run_id = $text"
    condition = {"run": by_id, "label": "h.label = $text", "any": f"({by_id} OR h.label = $text)"}[kind]
    return rows(
        "SELECT DISTINCT j.run_id, h.label FROM journal_rows j LEFT JOIN run_heads h USING (run_id) "
        f"WHERE {condition} ORDER BY j.run_id DESC",
        {"text": text},
    )


def _ambiguous(reference: str, found: Sequence[tuple[str, str | None]]) -> UsageError:
    listed = ", ".join(f"{run_id} ({label})" if label else run_id for run_id, label in found[:5])
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    return UsageError(f'"{reference}" means {len(found)} runs: {listed}{more}.', hint="Give the whole id of one.")


def _unknown(rows: Rows, reference: str, kind: str, text: str) -> UsageError:
    if (
        kind != "label"
        and len(text) < _MIN_PREFIX
        and rows("SELECT 1 FROM journal_rows WHERE starts_with(run_id, lower(?)) LIMIT 1", [text])
    ):
        return UsageError(
            f'"{reference}" is too short for a run id.', hint=f"Give {_MIN_PREFIX} characters of it, or more."
        )
    near = nearest_hint(text, known_names(rows))
    return UsageError(f'There is no run "{reference}".', hint=near or "List the runs with `llmctl runs`.")


def _kind(reference: str) -> tuple[str, str]:
    kind, colon, text = reference.partition(":")
    return (kind, text) if colon and kind in ("run", "label") else ("any", reference)


def nearest_hint(text: str, known: Sequence[str]) -> str | None:
    """`Did you mean "X"?` for the most similar of the known names, where one is similar."""
    close = difflib.get_close_matches(text, known, n=1)
    return f'Did you mean "{close[0]}"?' if close else None
