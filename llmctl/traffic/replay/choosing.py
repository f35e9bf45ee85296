"""Chooses the logged calls that are asked again: those that can be, without duplicates, and of these a sample.

Two passes over the store: the first keeps some 60 bytes of each call, and 256 more to find near duplicates; the second
reads the chosen ones back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from llmctl.errors import UsageError
from llmctl.traffic.filters import TrafficFilter
from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.replay.candidates import Candidates, Gathering
from llmctl.traffic.replay.duplicates import Groups, exact_groups, near_groups
from llmctl.traffic.replay.records import Choice, ChosenCall, Mode
from llmctl.traffic.replay.replayability import Reasons, not_replayable
from llmctl.traffic.replay.requested import Dedupe, Stratum, request_digest, stratum_of
from llmctl.traffic.replay.sampling import sampled
from llmctl.traffic.replay.shingles import shingled_text, signature
from llmctl.traffic.replay.variables import Kind, VariableFinder
from llmctl.traffic.store import Key, TrafficStore

__all__ = ["ChoiceRequest", "Chosen", "Dedupe", "Stratum", "choose"]

Indexes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ChoiceRequest:
    """Which calls are wanted."""

    mode: Mode
    filter: TrafficFilter = field(default_factory=TrafficFilter)
    sample: int | None = None
    """How many at most; None: all."""
    stratify: tuple[Stratum, ...] = ()
    """Each combination of these gets its share of the sample, and at least one call where there is room."""
    seed: int = 0
    dedupe: Dedupe = Dedupe.EXACT
    needed: frozenset[str] = frozenset()
    """Variables that the new prompt cannot do without: a call that lacks one is set aside (`template` only)."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The calls that were chosen."""

    choice: Choice
    """What became of all that were looked at; final."""
    _store: TrafficStore = field(repr=False)
    _keys: Sequence[Key] = field(repr=False)
    _weights: dict[Key, int] = field(repr=False)
    """Of those that stand for more than one."""
    _variables: VariableFinder | None = field(repr=False)

    def calls(self) -> Iterator[ChosenCall]:
        """The calls in the order in which they were imported, read in chunks; may be asked for more than once."""
        for stored in self._store.read(self._keys):
            found = self._variables.find(stored.call).variables if self._variables else None
            yield ChosenCall(stored.id, stored.call, self._weights.get(stored.key, 1), found)


def choose(store: TrafficStore, request: ChoiceRequest, variables: VariableFinder | None) -> Chosen:
    """Choose calls of a store; `variables` is needed in the mode `template`, and not used in any other.

    The choice depends on the calls and the seed, not on the order in which they were imported. Weights count
    duplicates only: a call that was sampled does not stand for those that were not.

    Raises:
        UsageError: the sample is no positive number, or a filter is wrong.
        ProjectError: something is wrong with the filter's `where`, and what.
        StoreError: the store cannot be read.
    """
    if request.sample is not None and request.sample < 1:
        raise UsageError("--sample takes a whole number from 1 on.")
    finder = variables if request.mode is Mode.TEMPLATE else None
    choice = Choice()
    candidates = _gathered(store, request, finder, choice)
    groups = _grouped(candidates, request)
    picked = groups.members
    if request.sample is not None and request.sample < len(picked):
        picked = sampled(picked, candidates.strata[picked], candidates.ids[picked], request.sample, request.seed)
    choice.chosen = len(picked)
    choice.duplicates = len(candidates) - len(groups.members)
    choice.not_sampled = len(groups.members) - len(picked)
    weights = {candidates.key(at): weight for at, weight in groups.weights_of(picked) if weight > 1}
    return Chosen(choice, store, [candidates.key(at) for at in np.sort(picked)], weights, finder)


def _gathered(store: TrafficStore, request: ChoiceRequest, finder: VariableFinder | None, choice: Choice) -> Candidates:
    """What is kept of each call that can be asked again; the others are counted."""
    candidates, reasons = Gathering(), Reasons()
    for stored in store.calls(request.filter):
        choice.looked_at += 1
        call = stored.call
        reason = not_replayable(call, request.mode)
        found = None
        if reason is None and finder is not None:
            found, reason = _variables(call, finder, request.needed)
        if reason is not None:
            choice.set_aside[reasons.counted_as(reason)] += 1
            continue
        candidates.add(stored, stratum_of(call, request.stratify))
        if request.dedupe is not Dedupe.NONE:
            candidates.add_digest(request_digest(call, request.mode, found))
        if request.dedupe is Dedupe.NEAR:
            context = request_digest(call, request.mode, found, near=True)
            candidates.add_signature(signature(shingled_text(call, found)), context)
    return candidates.closed()


def _variables(
    call: LoggedCall, finder: VariableFinder, needed: frozenset[str]
) -> tuple[dict[str, object] | None, str | None]:
    recovered = finder.find(call)
    if recovered.variables is None:
        return None, f"{recovered.kind}"
    if needed - recovered.variables.keys():
        return None, f"{Kind.LACKING}"
    return dict(recovered.variables), None


def _grouped(candidates: Candidates, request: ChoiceRequest) -> Groups:
    if request.dedupe is Dedupe.NONE or not len(candidates):
        return Groups.single(len(candidates))
    groups = exact_groups(candidates.digests, candidates.order)
    if request.dedupe is Dedupe.NEAR:
        return near_groups(groups, candidates.signatures, candidates.contexts, candidates.order)
    return groups
