"""Answers that are stored already: an identical call is not sent again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmctl.providers.records import Call
from llmctl.providers.routes import Route, TransportName
from llmctl.runs.history import History
from llmctl.runs.plan import Unit

__all__ = ["KnownAnswer", "floats", "known_answers", "seconds"]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}|[-@](?:20\d{6}|\d{4})(?!\d)")


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """A call that was made before, without its attempts, and the id under which it is stored."""

    call_id: str
    call: Call


def known_answers(history: History, units: Sequence[Unit], *, max_age: str, now: float) -> Mapping[str, KnownAnswer]:
    """For each call key of the units its latest answer, if there is one with evidence.

    `now` is UTC epoch seconds. A floating model name may mean another model tomorrow: its answers count for `max_age`.
    """
    routes = {unit.call_key: unit.target.route for unit in units}
    oldest = now - seconds(max_age)
    return {
        answer.call.key: answer
        for answer in (KnownAnswer(call_id, call) for call_id, call in history.answers(list(routes)).items())
        if answer.call.started_at >= oldest or not floats(routes[answer.call.key])
    }


def floats(route: Route) -> bool:
    """Whether the model's name may mean another model tomorrow: it is not on this machine, and carries no date."""
    if route.transport in {TransportName.LOCAL, TransportName.FAKE}:
        return False
    return _DATED.search(route.wire_model) is None


def seconds(age: str) -> int:
    """The seconds of `30s`, `15m`, `12h`, `7d`, `2w`."""
    return int(age[:-1]) * _SECONDS[age[-1]]
