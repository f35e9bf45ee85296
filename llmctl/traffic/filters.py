"""Which logged calls are meant: by time, model, prompt, status, tag, import, or a condition in SQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from llmctl.errors import UsageError
from llmctl.outcome import Outcome

__all__ = ["TrafficFilter", "condition"]

_OK, _ERROR = "ok", "error"
_OK_OUTCOMES = tuple(outcome.value for outcome in Outcome if outcome.scored)


@dataclass(frozen=True, slots=True)
class TrafficFilter:
    """What must hold of a call; what is empty or None holds of all."""

    since: float | None = None
    """UTC epoch seconds; a call without a time is left out then."""
    until: float | None = None
    """Before it; UTC epoch seconds."""
    models: tuple[str, ...] = ()
    """As asked for, or as served."""
    prompts: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    """An outcome (`refused`), an HTTP status (`429`), `ok` or `error`."""
    tags: tuple[str, ...] = ()
    """One of them is enough."""
    imports: tuple[str, ...] = ()
    """Ids of imports or recordings."""
    ids: frozenset[str] | None = None
    """Of calls; looked up apart from the other conditions, as there may be a million."""
    where: str | None = None
    """A condition in SQL on the columns of the view `traffic`; checked and carried out in the sandbox."""


def condition(chosen: TrafficFilter) -> str:
    """The filter without its `where` and `ids`, as a condition in SQL on the view `traffic`.

    Raises:
        UsageError: a status is none.
    """
    return " AND ".join(_conditions(chosen)) or "true"


def _conditions(chosen: TrafficFilter) -> Iterator[str]:
    if chosen.since is not None:
        yield f"started_at >= {_timestamp(chosen.since)}"
    if chosen.until is not None:
        yield f"started_at < {_timestamp(chosen.until)}"
    if chosen.models:
        yield f"(model IN ({_listed(chosen.models)}) OR served_model IN ({_listed(chosen.models)}))"
    if chosen.prompts:
        yield f"prompt IN ({_listed(chosen.prompts)})"
    if chosen.statuses:
        yield f"({' OR '.join(map(_status, chosen.statuses))})"
    if chosen.tags:
        yield f"list_has_any(tags, [{_listed(chosen.tags)}])"
    if chosen.imports:
        yield f"import_id IN ({_listed(chosen.imports)})"


def _status(text: str) -> str:
    if text == _OK:
        return f"outcome IN ({_listed(_OK_OUTCOMES)})"
    if text == _ERROR:
        return f"outcome NOT IN ({_listed(_OK_OUTCOMES)})"
    if text.isdecimal() and text.isascii() and len(text) == 3:
        return f"status = {text}"
    if text in set(Outcome):
        return f"outcome = {_literal(text)}"
    raise UsageError(
        f'There is no status "{text}".',
        hint=f"Give {_OK}, {_ERROR}, an HTTP status, or one of {', '.join(Outcome)}.",
    )


def _timestamp(epoch_s: float) -> str:
    return f"TIMESTAMP {_literal(datetime.fromtimestamp(epoch_s, UTC).strftime('%Y-%m-%d %H:%M:%S.%f'))}"


def _listed(texts: tuple[str, ...]) -> str:
    return ", ".join(map(_literal, texts))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
