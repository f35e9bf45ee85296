"""Which baseline a gate judges by: the one named, that of `[gate]`, or the committed file of each bank."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from llmctl.compare.gate.baseline import Baseline, read_baseline
from llmctl.compare.sides.context import SideContext
from llmctl.compare.sides.references import SideReference, resolve
from llmctl.errors import UsageError
from llmctl.project.git import is_shallow
from llmctl.project.models import GateRules

__all__ = ["ChosenBaseline", "choose_baseline", "needs_baseline"]

_DEEPEN = (
    "Fetch the whole history: `fetch-depth: 0` for actions/checkout in GitHub Actions, "
    '`GIT_DEPTH: "0"` in GitLab, or `git fetch --unshallow`.'
)


@dataclass(frozen=True)
class ChosenBaseline:
    """A side, or the committed files of banks, or nothing."""

    reference: SideReference | None = None
    committed: Mapping[str, Baseline] = field(default_factory=dict)
    """By bank; empty where there is a side."""
    reason: str = "There is no baseline."
    """Why a bank has none: a sentence."""
    warning: str | None = None
    """What the user should know of the choice."""


def needs_baseline(rules: Iterable[GateRules]) -> bool:
    """Whether a rule compares."""
    return any(
        one.margin is not None or one.max_new_failures is not None or needs_baseline(one.tags.values()) for one in rules
    )


def choose_baseline(context: SideContext, given: str | None, banks: Sequence[str]) -> ChosenBaseline:
    """The baseline of a gate on these banks. A revision stands for the commit where this branch left it.

    What `--baseline` names must be there. What `[gate] baseline` names may be missing, as `main` is before the first
    commit: then the committed files of the banks count, and where there is none, rules that need a baseline are not
    evaluated. Only where a shallow clone may be to blame, and no file stands in, does the command end.

    Raises:
        UsageError: what is named is not there, or means two things; or the clone is too shallow.
        ProjectError: a committed baseline is damaged.
    """
    if given is not None:
        return ChosenBaseline(resolve(given, context, branched=True))
    named = context.config.gate.baseline
    if named is None:
        return ChosenBaseline(committed=_committed(context, banks))
    try:
        return ChosenBaseline(resolve(named, context, branched=True))
    except UsageError as error:
        committed = _committed(context, banks)
        if not committed and is_shallow(context.config.root):
            raise UsageError(f"{error.message} This clone is shallow.", hint=_DEEPEN) from None
        sentence = f"The baseline of [gate], {named}, is not there: {error.message}"
        used = " The committed baseline is used." if committed else ""
        return ChosenBaseline(committed=committed, reason=sentence, warning=sentence + used)


def _committed(context: SideContext, banks: Sequence[str]) -> dict[str, Baseline]:
    found = {bank: read_baseline(context.config, bank) for bank in banks}
    return {bank: baseline for bank, baseline in found.items() if baseline is not None}
