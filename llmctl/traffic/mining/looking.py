"""One pass over the traffic: every call is looked at once, and the best candidates are kept."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from llmctl.runs.store_reader import StoreReader
from llmctl.traffic.filters import TrafficFilter
from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.mining.judged import judged_failed
from llmctl.traffic.mining.novelty import Known
from llmctl.traffic.mining.outliers import Outlier, Spread
from llmctl.traffic.mining.pool import Pool, ResultKey, question_digest
from llmctl.traffic.mining.reasons import Finding, Reason
from llmctl.traffic.mining.signals import Opinion, findings_of, opinions
from llmctl.traffic.replay.findings.schemas import LoggedSchemas
from llmctl.traffic.store import Key, StoredCall, TrafficStore
from llmctl.traffic.to_bank.shingles import case_text

__all__ = ["Asked", "BankView", "Looked", "look", "question_of"]

_BATCH = 256
_OUTLIERS = 200
_JUDGED = 1_000


@dataclass(frozen=True, slots=True)
class BankView:
    """What of a bank the traffic is compared with."""

    prompts: frozenset[str]
    """Its own."""
    other_prompts: frozenset[str]
    """Those of the project that are not its own: their traffic is left out."""
    defaults: Mapping[str, object]
    """The variables of every case."""
    variables: Sequence[str]
    """What each case asks, by its variables (`case_text`)."""
    messages: Sequence[str]
    """The same as the last message of the user that a prompt makes of it; fewer where none can be rendered."""


@dataclass(slots=True)
class Looked:
    """What a pass found."""

    pool: Pool
    looked_at: int = 0
    of_other_prompts: int = 0
    reasons: Counter[Reason] = field(default_factory=Counter)
    """How many calls and results had each reason."""


@dataclass(slots=True)
class _Positions:
    """Where calls stand, by their number: 12 bytes a call."""

    imports: list[str] = field(default_factory=list)
    of: array[int] = field(default_factory=lambda: array("i"))
    positions: array[int] = field(default_factory=lambda: array("q"))

    def add(self, key: Key) -> int:
        """The call's number."""
        if not self.imports or self.imports[-1] != key.import_id:
            self.imports.append(key.import_id)
        self.of.append(len(self.imports) - 1)
        self.positions.append(key.position)
        return len(self.of) - 1

    def key(self, number: int) -> Key:
        """Where it stands."""
        return Key(self.imports[self.of[number]], self.positions[number])


def look(store: TrafficStore, chosen: TrafficFilter, bank: BankView, most: int) -> Looked:
    """Look at the calls that fit a filter, and at results that a judge has failed; keep the best `most` candidates.

    Raises:
        ProjectError: something is wrong with the filter's `where`, and what.
        StoreError: the store cannot be read.
    """
    looker = _Looker(bank, opinions(store.reader), Looked(Pool(most)))
    looker.take_judged(store.reader, chosen)
    calls = store.calls(chosen)
    while batch := list(islice(calls, _BATCH)):
        looker.take(batch)
    looker.take_outliers(store)
    return looker.looked


class _Looker:
    def __init__(self, bank: BankView, said: Mapping[str, Opinion], looked: Looked) -> None:
        self.bank, self.said, self.looked = bank, said, looked
        self.schemas = LoggedSchemas()
        self.by_variables, self.by_messages = Known(bank.variables), Known(bank.messages)
        self.judged: dict[str, Finding] = {}
        self.positions, self.latency, self.cost = _Positions(), Spread(), Spread()

    def take_judged(self, reader: StoreReader, chosen: TrafficFilter) -> None:
        """Results that a judge has failed; the case of a replayed call is the call itself."""
        for one in judged_failed(reader, chosen, _JUDGED):
            finding = Finding(Reason.JUDGED_FAILED, one.explanation)
            if one.key.prompt.partition("@")[0] in self.bank.other_prompts:
                continue
            self.judged[one.key.case_id] = finding
            self._offer(one.question, one.key, (finding,))

    def take(self, batch: Sequence[StoredCall]) -> None:
        """Look at some calls."""
        wanted = [one for one in batch if not self._is_of_another_prompt(one.call)]
        self.looked.looked_at += len(batch)
        self.looked.of_other_prompts += len(batch) - len(wanted)
        asked = [Asked.of(one.call, self.bank.defaults) for one in wanted]
        unlike = self._unlike(asked)
        for number, (stored, question) in enumerate(zip(wanted, asked, strict=True)):
            self._measure(stored)
            findings = findings_of(stored.call, self.said.get(stored.id), self.schemas)
            more = [one for one in (self.judged.get(stored.id), unlike.get(number)) if one]
            if findings or more:
                self._offer(question.text, stored.key, (*findings, *more))

    def take_outliers(self, store: TrafficStore) -> None:
        """Calls far slower or dearer than others of their model."""
        found: dict[Key, list[Finding]] = {}
        for reason, spread in ((Reason.SLOW, self.latency), (Reason.COSTLY, self.cost)):
            for one in spread.outliers(_OUTLIERS):
                found.setdefault(self.positions.key(one.number), []).append(_outlying(reason, one))
        for stored in store.read(list(found)):
            question = Asked.of(stored.call, self.bank.defaults)
            self._offer(question.text, stored.key, tuple(found[stored.key]))

    def _offer(self, question: str, key: Key | ResultKey, findings: tuple[Finding, ...]) -> None:
        self.looked.reasons.update(one.reason for one in findings)
        self.looked.pool.offer(question_digest(question), key, findings)

    def _measure(self, stored: StoredCall) -> None:
        number = self.positions.add(stored.key)
        model = stored.call.model or stored.call.served_model or ""
        self.latency.add(number, model, stored.call.latency_ms)
        self.cost.add(number, model, stored.call.cost_usd)

    def _is_of_another_prompt(self, call: LoggedCall) -> bool:
        return call.prompt_name in self.bank.other_prompts

    def _unlike(self, asked: Sequence[Asked]) -> dict[int, Finding]:
        """The findings of inputs that are unlike the bank, by their place in the batch."""
        found: dict[int, Finding] = {}
        for known, recorded in ((self.by_variables, True), (self.by_messages, False)):
            places = [place for place, one in enumerate(asked) if one.recorded is recorded and one.text.strip()]
            if not places:
                continue
            likeness = known.likeness([asked[place].text for place in places])
            for place, alike in zip(places, likeness.tolist(), strict=True):
                if alike < known.threshold:
                    found[place] = Finding(Reason.UNLIKE, f"{alike:.2f} like the nearest case", 1 - alike)
        return found


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call asks, as a text."""

    text: str
    recorded: bool
    """Whether it is the recorded variables; else the last message of the user."""

    @staticmethod
    def of(call: LoggedCall, defaults: Mapping[str, object]) -> Asked:
        """What is asked beside `defaults`, the variables of every case."""
        if call.variables and (text := case_text(call.variables, defaults)):
            return Asked(text, True)
        return Asked(question_of(call.messages or ()), False)


def question_of(messages: Sequence[Mapping[str, object]]) -> str:
    """The text of the user's last message."""
    for message in reversed(messages):
        if message.get("role") == "user":
            return "\n".join(_texts(message.get("content")))
    return ""


def _texts(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, list | tuple):
        for part in content:
            if isinstance(part, Mapping) and isinstance(part.get("text"), str):
                yield part["text"]


def _outlying(reason: Reason, one: Outlier) -> Finding:
    times = one.value / one.typical
    return Finding(reason, f"{times:.0f} times the median" if times >= 10 else f"{times:.1f} times the median")
