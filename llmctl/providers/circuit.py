"""Whether a model is worth asking at all: a wrong key or ten equal failures in a row end it for this run."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

from llmctl.providers.routes import Route
from llmctl.providers.wire import Answer, Fault

__all__ = ["EQUAL_FAILURES", "Circuit"]

EQUAL_FAILURES = 10
"""So many calls in a row that fail alike open the circuit."""
_DETAIL = re.compile(r"\"[^\"]*\"|'[^']*'|\S*\d\S*")
"""What differs between two failures of one kind: quoted texts, numbers, ids."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """What makes two failures equal."""

    outcome: str
    status: int | None
    fault: Fault | None
    words: str


class Circuit:
    """Of one model. Closed: calls pass. Open: they do not, until the run ends."""

    def __init__(self, route: Route) -> None:
        self.reason: str | None = None
        """Why it is open, for people: which model, what happened, what to do. None: it is closed."""
        self._route = route
        self._last: _Failure | None = None
        self._count = 0
        self._bell: asyncio.Future[None] | None = None

    @property
    def open(self) -> bool:
        """Whether no call passes."""
        return self.reason is not None

    def note(self, answer: Answer, status: int | None) -> bool:
        """Count a call that has ended, after all its attempts; True when this opens the circuit."""
        if answer.outcome.evidence:
            self._last, self._count = None, 0
            return False
        failure = _failure(answer, status)
        self._count = self._count + 1 if failure == self._last else 1
        self._last = failure
        if self.open or not (answer.fault in {Fault.AUTH, Fault.QUOTA} or self._count >= EQUAL_FAILURES):
            return False
        self.reason = self._sentence(answer)
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)
        return True

    def bell(self) -> asyncio.Future[None]:
        """Done when the circuit opens; to wait for, never to cancel."""
        if self._bell is None:
            self._bell = asyncio.get_running_loop().create_future()
            if self.open:
                self._bell.set_result(None)
        return self._bell

    def _sentence(self, answer: Answer) -> str:
        config = self._route.config
        who = f'The model "{config.name}"' + (f" ({config.model})" if config.model != config.name else "")
        said = (answer.error or str(answer.outcome)).rstrip(".")
        match answer.fault:
            case Fault.AUTH:
                key = f"the key in {self._route.api_key_env}" if self._route.api_key_env else "its key"
                return f"{who} is not asked any more: {said}. Check {key}, and that it may use this model."
            case Fault.QUOTA:
                return f"{who} is not asked any more: {said}. Add credit or raise the limit at the provider."
            case _:
                alike = f"{EQUAL_FAILURES} calls in a row failed alike: {said}"
                return f"{who} is not asked any more: {alike}. Mend the cause, then go on with --resume."


def _failure(answer: Answer, status: int | None) -> _Failure:
    words = " ".join(_DETAIL.sub("", (answer.error or "")[:200]).split())
    return _Failure(str(answer.outcome), status, answer.fault, words)
