"""Candidates as proposals: read again, their variables found, none that asks what the bank or another one asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from llmctl.runs.history import History
from llmctl.traffic.feedback.store import FeedbackStore
from llmctl.traffic.mining.looking import Looked, question_of
from llmctl.traffic.mining.pool import Candidate, ResultKey
from llmctl.traffic.mining.reasons import Finding
from llmctl.traffic.store import Key, TrafficStore
from llmctl.traffic.to_bank.expected import Expected, expected_of
from llmctl.traffic.to_bank.shingles import NEAR, Shingles, jaccard
from llmctl.traffic.to_bank.sources import CaseSource, Finder, of_call, of_result

__all__ = ["AskedBank", "Proposal", "Proposed", "propose"]

_CHUNK = 64


class AskedBank(Protocol):
    """A bank that knows what it asks: `GrowingBank`."""

    def asks(self, variables: Mapping[str, object]) -> Shingles:
        """What a case with these variables asks."""

    def alike(self, variables: Mapping[str, object]) -> object | None:
        """The case that asks the same, or nearly."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A case that a bank might get."""

    source: CaseSource
    findings: tuple[Finding, ...]
    """Why, the best reason first."""
    expected: Expected
    calls: int
    """How many calls were met that ask the same but for numbers."""
    question: str
    """For people."""


@dataclass(slots=True)
class Proposed:
    """What became of the candidates."""

    proposals: list[Proposal] = field(default_factory=list)
    in_bank: int = 0
    """Candidates that the bank asks already."""
    alike: int = 0
    """Those that ask nearly what another proposal asks."""
    no_variables: Counter[str] = field(default_factory=Counter)
    """Those whose variables are not known, by why."""


def propose(store: TrafficStore, looked: Looked, finder: Finder, bank: AskedBank, limit: int) -> Proposed:
    """The best candidates as proposals, at most so many.

    Raises:
        StoreError: the store cannot be read.
    """
    done, asked = Proposed(), list[Shingles]()
    for candidate, source, question in _sources(store, looked.pool.best(), finder, done):
        variables = source.variables or {}
        if bank.alike(variables) is not None:
            done.in_bank += 1
            continue
        shingles = bank.asks(variables)
        if any(jaccard(shingles, other) >= NEAR for other in asked):
            done.alike += 1
            continue
        asked.append(shingles)
        findings = sorted(candidate.findings, key=lambda one: -one.reason.weight)
        done.proposals.append(Proposal(source, tuple(findings), expected_of(source), candidate.calls, question))
        if len(done.proposals) >= limit:
            break
    return done


def _sources(
    store: TrafficStore, candidates: Sequence[Candidate], finder: Finder, done: Proposed
) -> Iterator[tuple[Candidate, CaseSource, str]]:
    """The candidates with what they are made of, in their order; those without variables are counted."""
    feedback = FeedbackStore(store.layout.root, store.reader)
    history = History(store.layout.root)
    for start in range(0, len(candidates), _CHUNK):
        chunk = candidates[start : start + _CHUNK]
        stored = {one.key: one for one in store.read([one.key for one in chunk if isinstance(one.key, Key)])}
        said = feedback.of_calls([one.id for one in stored.values()])
        for candidate in chunk:
            if isinstance(candidate.key, ResultKey):
                result = _result(history, candidate.key, feedback)
                if result is not None:
                    yield candidate, result, _written(result)
            elif candidate.key in stored:
                call = stored[candidate.key]
                found = finder.find(call.call)
                if found.variables is None:
                    done.no_variables[str(found.kind)] += 1
                    continue
                source = of_call(call, finder, said.get(call.id, ()), found)
                yield candidate, source, question_of(call.call.messages or ()) or _written(source)


def _result(history: History, key: ResultKey, feedback: FeedbackStore) -> CaseSource | None:
    """The first result of the target; None: it was replaced in the meantime."""
    for result in history.results(key.run_id, bank=key.bank, case_id=key.case_id):
        if (result.prompt, result.model) == (key.prompt, key.model) and result.passed is False:
            ids = [result.call_id] if result.call_id else []
            said = feedback.of_calls(ids).get(result.call_id or "", ())
            return of_result(key.run_id, result, history.case(key.run_id, key.bank, key.case_id), said)
    return None


def _written(source: CaseSource) -> str:
    from llmctl.canonical import written

    return " ".join(written(value) for value in (source.variables or {}).values())
