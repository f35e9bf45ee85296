"""What `llmctl blame` says, as every renderer reads it; and the search for the first bad version, as pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from llmctl.errors import ExitCode

__all__ = ["BankChange", "BlameReport", "Finding", "Search", "Version", "VersionState", "search"]


class VersionState(StrEnum):
    """What a version makes of the case."""

    GOOD = "passes"
    BAD = "fails"
    FLAKY = "flaky"
    """It has passed and failed on equal calls."""
    UNKNOWN = "not known"
    """Too few answers are stored."""


class Finding(StrEnum):
    """What became of the question."""

    FOUND = "found"
    """The first bad version follows the last good one, but for flaky ones."""
    OPEN = "open"
    """Versions between them have no answers."""
    PASSES = "passes"
    """The newest version passes."""
    FLAKY = "flaky"
    """The newest version passes and fails."""
    NEVER = "never"
    """No version that was looked at passes, and each of them is known."""
    BANK = "bank"
    """No version passes today, and one did as the bank was: the case was changed."""

    @property
    def exit_code(self) -> ExitCode:
        """What the command ends with."""
        if self is Finding.OPEN:
            return ExitCode.UNFINISHED
        return ExitCode.INCONCLUSIVE if self is Finding.FLAKY else ExitCode.DONE


@dataclass(frozen=True, slots=True)
class Version:
    """The call that one commit, or several in a row, make of the case."""

    label: str
    """Of the prompt: `triage@4f2a91c`, or `triage` for the files here."""
    model: str
    call_key: str
    commit: str | None
    """The first that makes this call; None: changes that are not committed."""
    subject: str
    """The commit's first line."""
    committed_at: datetime | None
    """UTC."""
    passed: int
    evidence: int
    """Distinct answers with a verdict of today's evaluators."""
    wanted: int = 1
    """Answers that it takes to know a version."""
    run_id: str | None = None
    """The newest run that holds an answer."""
    reason: str = ""
    """Why it fails, in the evaluators' words."""
    output: str | None = None
    later: int = 0
    """Further commits in a row that make the same call."""

    @property
    def state(self) -> VersionState:
        """What its answers say."""
        if 0 < self.passed < self.evidence:
            return VersionState.FLAKY
        if self.evidence < self.wanted:
            return VersionState.UNKNOWN
        return VersionState.GOOD if self.passed else VersionState.BAD

    @property
    def name(self) -> str:
        """`4f2a91c`, or what stands for changes that are not committed."""
        return self.commit[:7] if self.commit else "not committed"


@dataclass(frozen=True, slots=True)
class BankChange:
    """The case passed once, with the very call that fails today: what judges it was changed."""

    run_id: str
    commit: str | None
    """Of the run that it passed in."""
    commits: tuple[str, ...]
    """`4f2a91c subject`: those since then that touched the banks; newest first."""
    dirty: bool
    """Whether the banks are changed and not committed."""


@dataclass(frozen=True, slots=True)
class Search:
    """Where the search stands. Places are into the versions, the oldest first."""

    finding: Finding
    good: int | None = None
    """The newest that passes."""
    bad: int | None = None
    """The oldest after it that fails."""
    unknown: tuple[int, ...] = ()
    """Those between them of which nothing is known."""
    flaky: tuple[int, ...] = ()
    """Those between them that pass and fail."""
    probe: int | None = None
    """Whose answer to ask for next."""
    steps: int = 0
    """Versions that would have to be asked, at most."""


def search(versions: Sequence[Version]) -> Search:
    """Look for the newest change from passing to failing.

    The newest version is asked first, then the oldest where none is known to pass, then always the middle of what is
    left, as `git bisect` does. Flaky versions are passed over.
    """
    states = [version.state for version in versions]
    newest = states[-1]
    if newest is VersionState.GOOD:
        return Search(Finding.PASSES)
    if newest is VersionState.FLAKY:
        return Search(Finding.FLAKY)
    if newest is VersionState.UNKNOWN:
        place, others = len(states) - 1, states[:-1].count(VersionState.UNKNOWN)
        oldest = int(VersionState.GOOD not in states and others > 0)
        steps = 1 + oldest + _halvings(others - oldest)
        return Search(Finding.OPEN, unknown=(place,), probe=place, steps=steps)
    good = _last(states, VersionState.GOOD)
    if good is None:
        return _without_good(states)
    bad = next(place for place in range(good + 1, len(states)) if states[place] is VersionState.BAD)
    between = range(good + 1, bad)
    unknown = tuple(place for place in between if states[place] is VersionState.UNKNOWN)
    flaky = tuple(place for place in between if states[place] is VersionState.FLAKY)
    if not unknown:
        return Search(Finding.FOUND, good, bad, flaky=flaky)
    return Search(Finding.OPEN, good, bad, unknown, flaky, unknown[len(unknown) // 2], _halvings(len(unknown)))


def _without_good(states: Sequence[VersionState]) -> Search:
    bad = states.index(VersionState.BAD)
    unknown = tuple(place for place, state in enumerate(states) if state is VersionState.UNKNOWN)
    if not unknown:
        return Search(Finding.NEVER, bad=bad)
    # Is the oldest one good? Else there is nothing to look for between.
    return Search(Finding.OPEN, None, bad, unknown, probe=unknown[0], steps=1 + _halvings(len(unknown) - 1))


def _last(states: Sequence[VersionState], wanted: VersionState) -> int | None:
    return next((place for place in range(len(states) - 1, -1, -1) if states[place] is wanted), None)


def _halvings(number: int) -> int:
    return math.ceil(math.log2(number + 1))


@dataclass(frozen=True, slots=True)
class BlameReport:
    """The answer on one case, for one prompt."""

    bank: str
    case_id: str
    prompt: str
    model: str | None
    """None: each version's own."""
    versions: tuple[Version, ...]
    """The oldest first."""
    search: Search
    repeat: int = 1
    """Answers that it takes to know a version."""
    change: str = ""
    """`git diff` of the prompt and the models between the last good and the first bad version."""
    bank_change: BankChange | None = None
    more_commits: bool = False
    """Whether older commits were not looked at."""
    cost_usd: float | None = None
    """Of one answer, about; None: not known."""
    sent: int = 0
    """Calls that this command sent."""
    spent_usd: float | None = 0.0
    notes: tuple[str, ...] = ()

    @property
    def finding(self) -> Finding:
        """What became of the question."""
        return Finding.BANK if self.bank_change else self.search.finding

    @property
    def flaky(self) -> bool:
        """Whether a version has passed and failed on equal calls: then a flip may be noise."""
        return any(version.state is VersionState.FLAKY for version in self.versions)
