"""The best candidates so far: bounded, and one for each question."""

from __future__ import annotations

import hashlib
import heapq
import re
from dataclasses import dataclass, field

from llmctl.traffic.mining.reasons import Finding, rank
from llmctl.traffic.store import Key

__all__ = ["Candidate", "Pool", "ResultKey", "question_digest"]

_DIGITS = re.compile(r"\d+")
_LONGEST = 20_000


@dataclass(frozen=True, slots=True)
class ResultKey:
    """Names a result of a run."""

    run_id: str
    bank: str
    case_id: str
    prompt: str
    model: str


@dataclass(slots=True)
class Candidate:
    """A call or a result that may become a case."""

    key: Key | ResultKey
    findings: tuple[Finding, ...]
    calls: int = 1
    """How many were met that ask the same but for numbers."""

    @property
    def rank(self) -> float:
        """How good a case it makes."""
        return rank(self.findings)


def question_digest(text: str) -> bytes:
    """Equal for questions that differ in nothing but numbers, case and white space."""
    plain = " ".join(_DIGITS.sub("0", text[:_LONGEST].casefold()).split())
    return hashlib.blake2b(plain.encode("utf-8", "surrogatepass"), digest_size=8).digest()


@dataclass(slots=True)
class Pool:
    """At most `most` candidates, about 500 bytes each; the worst goes when another one comes."""

    most: int
    _kept: dict[bytes, Candidate] = field(default_factory=dict)
    _heap: list[tuple[float, bytes]] = field(default_factory=list)

    def offer(self, question: bytes, key: Key | ResultKey, findings: tuple[Finding, ...]) -> None:
        """Take in a candidate; of several with one question the best is kept, and of equals the first."""
        known = self._kept.get(question)
        if known is not None:
            known.calls += known.key != key
            merged = _merged(known.findings, findings) if known.key == key else findings
            if rank(merged) > known.rank:
                known.key, known.findings = key, merged
                heapq.heappush(self._heap, (known.rank, question))
            return
        value = rank(findings)
        if len(self._kept) >= self.most:
            if value <= self._worst():
                return
            del self._kept[heapq.heappop(self._heap)[1]]
        self._kept[question] = Candidate(key, findings)
        heapq.heappush(self._heap, (value, question))

    def best(self) -> list[Candidate]:
        """All that are kept, the best first; of equals the one that was met first."""
        return sorted((one for one in self._kept.values() if one.findings), key=lambda one: -one.rank)

    def _worst(self) -> float:
        """The lowest rank, at the top of the heap; what has been replaced since is dropped."""
        while True:
            value, question = self._heap[0]
            known = self._kept.get(question)
            if known is not None and known.rank == value:
                return value
            heapq.heappop(self._heap)


def _merged(some: tuple[Finding, ...], others: tuple[Finding, ...]) -> tuple[Finding, ...]:
    return tuple({one.reason: one for one in (*some, *others)}.values())
