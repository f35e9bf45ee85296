"""Finds the variables of a logged call: in the record, else by inverting its prompt, else where `--map` says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmctl.project.models import Config
from llmctl.traffic.logged_call import LoggedCall
from llmctl.traffic.replay.variables.inversion import Inversion, invert
from llmctl.traffic.replay.variables.logged import comparable, said
from llmctl.traffic.replay.variables.mapping import VariableMap
from llmctl.traffic.replay.variables.matching import Values, Work
from llmctl.traffic.replay.variables.recovered import Kind, Origin, Recovered, not_found
from llmctl.traffic.replay.variables.versions import PromptVersions, Version

__all__ = ["CHANCE_CHARS", "VariableFinder"]

CHANCE_CHARS = 8
"""Of two versions that both make a call's messages, one is believed only when this many more characters of the messages
are its own: nobody types as much of a prompt's text by chance. A prompt that a call does not name needs as many."""
_WORK, _WORK_PER_CHAR = 2_000_000, 400


@dataclass(frozen=True, slots=True)
class _Read:
    """What one version makes of a call."""

    version: Version
    inversion: Inversion


class VariableFinder:
    """Finds the variables of calls, one after the other; what was read of the project is kept for the next one."""

    def __init__(self, config: Config, environ: Mapping[str, str], maps: Mapping[str, str]) -> None:  # noqa: ARG002
        """Take the project, and paths into a logged call by the name of the variable that stands there.

        Raises:
            UsageError: a path cannot be read.
        """
        self._versions = PromptVersions(config)
        self._map = VariableMap(maps)

    def find(self, call: LoggedCall) -> Recovered:
        """The variables of a call, or why there are none.

        Those that `--map` names are taken from there, whatever else is known of them.
        """
        mapped = self._map.find(call)
        missing = sorted(self._map.names - mapped.keys())
        if missing:
            names = ", ".join(missing)
            return not_found(Kind.NOT_MAPPED, f"what --map names is not in it: {names}")
        found = self._unmapped(call, mapped)
        if not mapped:
            return found
        return Recovered({**(found.variables or {}), **mapped}, Origin.MAPPED, None, Kind.FOUND, found.prompt)

    def _unmapped(self, call: LoggedCall, mapped: Mapping[str, object]) -> Recovered:
        if call.variables:
            return Recovered(call.variables, Origin.RECORDED, None, Kind.FOUND)
        if call.messages is None:
            return not_found(Kind.NO_MESSAGES)
        messages = comparable(call.messages)
        found = self._inverted(call, messages, {})
        texts: Values = {(name,): value for name, value in mapped.items() if isinstance(value, str)}
        if found.kind is Kind.AMBIGUOUS and texts:
            # What is certain already may leave only one way to read the rest.
            again = self._inverted(call, messages, texts)
            return again if again.variables is not None else found
        return found

    def _inverted(self, call: LoggedCall, messages: Sequence[dict[str, Any]], known: Values) -> Recovered:
        work = Work(_WORK + _WORK_PER_CHAR * sum(len(said(message)) for message in messages))
        name = self._versions.named(call.prompt_name) if call.prompt_name else None
        if name is None:
            return self._recognised(messages, work, known, named=call.prompt_name)
        versions = self._versions.logged(name, call.prompt_version)
        reads = _reads(versions, messages, work, known)
        return _decided(reads) or _nothing(name, versions, reads)

    def _recognised(
        self, messages: Sequence[dict[str, Any]], work: Work, known: Values, named: str | None
    ) -> Recovered:
        """The variables of a call that names no prompt of the project: those of the only prompt that makes it."""
        makers: dict[str, Recovered] = {}
        for name in self._versions.names:
            reads = _reads(self._versions.of(name), messages, work, known)
            reads = [one for one in reads if one.inversion.own_text >= CHANCE_CHARS]
            decided = _decided(reads)
            if decided is not None:
                makers[name] = decided
        if len(makers) > 1:
            return not_found(Kind.AMBIGUOUS, f"more than one prompt makes its messages: {', '.join(makers)}")
        if makers:
            return next(iter(makers.values()))
        if named:
            return not_found(
                Kind.UNKNOWN_PROMPT, f'the project has no prompt "{named}", and no other makes its messages'
            )
        return not_found(Kind.NO_PROMPT)


def _reads(versions: Iterable[Version], messages: Sequence[dict[str, Any]], work: Work, known: Values) -> list[_Read]:
    return [
        _Read(version, invert(version.shape, messages, work, known))
        for version in versions
        if version.shape is not None
    ]


def _decided(reads: Sequence[_Read]) -> Recovered | None:
    """What the versions say together; None: none of them makes the messages."""
    fitting = [one for one in reads if one.inversion.kind in (Kind.FOUND, Kind.AMBIGUOUS, Kind.TOO_MUCH)]
    if not fitting:
        return None
    best = max(fitting, key=lambda one: one.inversion.own_text)  # of equals the newest
    label = best.version.label
    for other in fitting:
        if other.inversion.kind is Kind.TOO_MUCH:
            return not_found(Kind.TOO_MUCH, f"its messages are too much work to take apart by {other.version.label}")
    if best.inversion.variables is None:
        names = ", ".join(f"`{name}`" for name in best.inversion.unclear)
        return not_found(Kind.AMBIGUOUS, f"by {label} its messages leave more than one value for {names}")
    for other in fitting:
        certain = best.inversion.own_text - other.inversion.own_text >= CHANCE_CHARS
        if not certain and not _same(best.inversion, other.inversion):
            return not_found(
                Kind.AMBIGUOUS, f"{label} and {other.version.label} both make its messages, of other values"
            )
    return Recovered(best.inversion.variables, Origin.INVERTED, None, Kind.FOUND, label)


def _same(one: Inversion, other: Inversion) -> bool:
    """Whether two versions took the same values from the messages; a variable may have been renamed between them."""
    mine, its = one.variables, other.variables
    if mine is None or its is None or any(mine[name] != its[name] for name in mine.keys() & its.keys()):
        return False
    return sorted(map(repr, mine.values())) == sorted(map(repr, its.values()))


def _nothing(name: str, versions: Sequence[Version], reads: Sequence[_Read]) -> Recovered:
    if versions and not reads:
        return not_found(Kind.NOT_INVERTIBLE, versions[0].reason)
    if len(versions) == 1:
        return not_found(Kind.NO_MATCH, f"the prompt {versions[0].label} does not make its messages")
    return not_found(Kind.NO_MATCH, f"none of {len(versions)} known versions of the prompt {name} makes its messages")
