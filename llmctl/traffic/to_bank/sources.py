"""What a case can be made from: a logged call, or a result of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from llmctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from llmctl.project.models import Config
    from llmctl.runs.history import History
    from llmctl.runs.records import CaseEvent, ResultEvent
    from llmctl.traffic.logged_call import LoggedCall, LoggedFeedback
    from llmctl.traffic.store import StoredCall

__all__ = ["CaseSource", "Finder", "Recovering", "find_source", "of_call", "of_result"]

_ID_DIGITS = 8


class Recovering(Protocol):
    """What became of the search for a call's variables."""

    @property
    def variables(self) -> Mapping[str, object] | None:
        """None: they were not found."""

    @property
    def reason(self) -> str | None:
        """What stood in the way."""

    @property
    def prompt(self) -> str | None:
        """The version whose template the messages were taken apart by: `triage@1f2e3d4`."""

    @property
    def kind(self) -> str:
        """How the search ended, without words of the log: calls are counted by it."""


class Finder(Protocol):
    """Finds the variables of logged calls: `VariableFinder`."""

    def find(self, call: LoggedCall) -> Recovering:
        """The variables of a call, or why there are none."""


@dataclass(frozen=True, slots=True)
class CaseSource:
    """All that a case is made of."""

    id: str
    """Of the logged call, or `RUN.12`."""
    name: str
    """What its case is called where nobody says otherwise."""
    variables: Mapping[str, object] | None
    """None: they were not found."""
    lacking: str | None
    """Why not."""
    prompt: str | None
    """The prompt's name."""
    model: str | None
    answer: object
    """The text, or the tools that were called; None: there was none."""
    feedback: tuple[LoggedFeedback, ...]
    """In the order of time."""
    origin: str
    """`traffic 43163859, gpt-4o-mini, 2026-11-20`."""
    bank: str | None = None
    """Of a result: where its case stands."""
    expected: object = None
    """Of a result: what its case expects."""
    has_expected: bool = False


def find_source(config: Config, text: str, finder: Finder) -> CaseSource:
    """The logged call or the result that a text names.

    It is an id, a log's own id, a trace of one call, `RUN.12`, or `RUN/CASE`, of which RUN may be `@last` or a label.

    Raises:
        UsageError: there is none, or more than one.
        StoreError: the store cannot be read.
    """
    from llmctl.runs.history import History
    from llmctl.runs.store_reader import StoreReader
    from llmctl.traffic.feedback.store import FeedbackStore
    from llmctl.traffic.store import TrafficStore

    run, slash, case = text.partition("/")
    history = History(config.store)
    if slash and (run_id := _run_named(history, run)) is not None:
        return _result_source(history, run_id, case, config.store)
    reader = StoreReader(config.store)
    call_id = FeedbackStore(config.store, reader).call_named(text)
    if "." in call_id:
        return _call_of_run(history, call_id, config.store)
    stored = TrafficStore(config.store, reader).find(call_id)
    said = FeedbackStore(config.store, reader).of_calls([stored.id]).get(stored.id, ())
    return of_call(stored, finder, said)


def of_call(
    stored: StoredCall, finder: Finder, said: Sequence[LoggedFeedback], found: Recovering | None = None
) -> CaseSource:
    """What a logged call gives; `said`: the feedback of it, its own included; `found`: its variables, if known."""
    call, recovered = stored.call, found or finder.find(stored.call)
    model = call.model or call.served_model
    day = _day(call.started_at)
    origin = ", ".join(part for part in (f"traffic {stored.id[:_ID_DIGITS]}", model, day) if part)
    return CaseSource(
        id=stored.id,
        name=f"traffic-{stored.id[:_ID_DIGITS]}",
        variables=recovered.variables,
        lacking=recovered.reason,
        prompt=call.prompt_name or (recovered.prompt or "").partition("@")[0] or None,
        model=model,
        answer=_answer(call.output, call.tool_calls),
        feedback=tuple(said),
        origin=origin,
    )


def of_result(run_id: str, result: ResultEvent, case: CaseEvent, said: Sequence[LoggedFeedback]) -> CaseSource:
    """What a result of a run gives."""
    verdict = {True: "passed", False: "failed", None: "no verdict"}[result.passed]
    return CaseSource(
        id=result.call_id or f"{run_id}/{result.case_id}",
        name=result.case_id,
        variables=case.vars,
        lacking=None,
        prompt=result.prompt.partition("@")[0],
        model=result.model,
        answer=result.output,
        feedback=tuple(said),
        origin=f"run {result.call_id or run_id}, case {result.case_id}, {result.model}, {verdict}",
        bank=result.bank,
        expected=case.expected,
        has_expected=case.has_expected,
    )


def _run_named(history: History, text: str) -> str | None:
    """A run; None where no run has this name: a log's own id may hold a slash."""
    try:
        return history.find(text)
    except UsageError:
        return None


def _result_source(history: History, run_id: str, case: str, store: Path) -> CaseSource:
    for bank, case_id in ((None, case), (case.rpartition("/")[0] or None, case.rpartition("/")[2])):
        for result in history.results(run_id, bank=bank, case_id=case_id):
            return _of(history, run_id, result, store)
    raise UsageError(f'The run {run_id} has no result of a case "{case}".', hint=f"`llmctl show {run_id}` lists them.")


def _call_of_run(history: History, call_id: str, store: Path) -> CaseSource:
    """The first result that has this call's answer; the call's own run comes first, though others may reuse it."""
    run_id = call_id.partition(".")[0]
    for result in history.results(run_id):
        if result.call_id == call_id:
            return _of(history, run_id, result, store)
    raise UsageError(f"The call {call_id} is of no case.", hint=f"`llmctl show {run_id}` lists the results of the run.")


def _of(history: History, run_id: str, result: ResultEvent, store: Path) -> CaseSource:
    from llmctl.traffic.feedback.store import FeedbackStore

    ids = [result.call_id] if result.call_id else []
    said = FeedbackStore(store).of_calls(ids).get(result.call_id or "", ())
    return of_result(run_id, result, history.case(run_id, result.bank, result.case_id), said)


def _answer(output: str | None, tool_calls: Sequence[Mapping[str, object]]) -> object:
    """The text, else the tools that were called, as the evaluator `tool_calls` expects them."""
    if output or not tool_calls:
        return output or None
    return [one for call in tool_calls if (one := _tool_call(call))] or None


def _tool_call(call: Mapping[str, object]) -> dict[str, object] | None:
    import orjson

    function = call.get("function")
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        return None
    arguments = function.get("arguments")
    try:
        read = orjson.loads(arguments) if isinstance(arguments, str) and arguments.strip() else arguments
    except orjson.JSONDecodeError:
        read = arguments
    return {"name": function["name"], **({"arguments": read} if read is not None else {})}


def _day(epoch_s: float | None) -> str | None:
    if epoch_s is None:
        return None
    try:
        return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%d")
    except (OverflowError, ValueError, OSError):
        return None
