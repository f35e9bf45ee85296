"""What a user means by a side: a prompt, a run, a label of runs or a git revision, in this order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from llmctl.compare.side import SideKind
from llmctl.compare.sides.context import SideContext
from llmctl.errors import UsageError
from llmctl.project import loader
from llmctl.project.git import GitTree, is_shallow, merge_base, resolve_commit, revision_names
from llmctl.project.sources import WorkingTree
from llmctl.runs.run_names import nearest_hint
from llmctl.runs.selection import PromptReference

__all__ = ["SideReference", "resolve", "resolve_pair"]

_LAST = re.compile(r"@last(~\d{1,9})?")
_Look = Callable[[str, str, SideContext], "SideReference"]
_KINDS = ("prompt", "run", "label", "rev")
SHORT_COMMIT = 12
"""Characters of a commit's id where it stands for a revision."""


@dataclass(frozen=True, slots=True)
class SideReference:
    """One side, found but not read."""

    text: str
    """As the user gave it; empty for the files as they lie here."""
    kind: SideKind
    run_id: str | None = None
    prompt: str | None = None
    """The name of the one prompt; None: all that the banks name."""
    rev: str | None = None
    """The revision that prompts are read at; None: as they lie here."""
    commit: str | None = None
    """The id of the revision's commit."""
    branched_from: str | None = None
    """The revision that was named, where `rev` is its merge base with HEAD."""

    @property
    def of_files(self) -> bool:
        """Whether files are planned; else a run is there already."""
        return self.kind is not SideKind.RUN


class _Meaning(NamedTuple):
    """One of the things that a text may mean."""

    said: str
    reference: SideReference


def resolve_pair(a: str | None, b: str | None, context: SideContext) -> tuple[SideReference, SideReference]:
    """The two sides of `diff [A] [B]`: A is HEAD and B the files here where they are not given.

    One prompt alone is no side but a choice: `diff triage` shows what the edit does to it, as `diff HEAD -p triage`.

    Raises:
        UsageError: see `resolve`.
    """
    if a is None:
        return _head(context), resolve(b, context)
    first = resolve(a, context)
    if b is None and first.kind is SideKind.PROMPT:
        here = replace(first, rev=None, commit=None)
        return (first, here) if first.rev else (_at(first, resolve_commit(context.config.root, "HEAD")), here)
    return first, resolve(b, context)


def resolve(text: str | None, context: SideContext, *, branched: bool = False) -> SideReference:
    """What a reference means; None or empty: the files as they lie here.

    `prompt:`, `run:`, `label:` and `rev:` before it decide. `branched`: a revision stands for the commit where this
    branch left it.

    Raises:
        UsageError: it means nothing, or two things.
    """
    if not text:
        return SideReference("", SideKind.FILES)
    meaning = _resolved(text, context)
    if branched and meaning.kind is SideKind.FILES and meaning.rev:
        return _branched(meaning, context)
    return meaning


def _resolved(text: str, context: SideContext) -> SideReference:
    kind, colon, rest = text.partition(":")
    if colon and kind in _KINDS:
        return _of_kind(kind, rest, text, context)
    if _LAST.fullmatch(text):
        return SideReference(text, SideKind.RUN, run_id=context.history.find(text))
    meanings = list(_meanings(text, context))
    if len(meanings) == 1:
        return meanings[0].reference
    raise _ambiguous(text, meanings) if meanings else _unknown(text, context)


def _of_kind(kind: str, rest: str, text: str, context: SideContext) -> SideReference:
    """What is meant when the kind is said."""
    if kind == "prompt":
        return _prompt(rest, text, context)
    if kind == "rev":
        return _revision(rest, text, context)
    found = context.history.find(rest if _LAST.fullmatch(rest) else f"{kind}:{rest}")
    return SideReference(text, SideKind.RUN, run_id=found)


def _meanings(text: str, context: SideContext) -> Iterator[_Meaning]:
    """Everything that a text may mean, in the order in which it is looked up."""
    if (prompt := _tried(_prompt, text, context)) is not None:
        yield _Meaning(f"the prompt {prompt.prompt}" + (f" at {prompt.rev}" if prompt.rev else ""), prompt)
    called = context.history.called(text)
    for run_id in called.by_id:
        yield _Meaning(f"the run {run_id}", SideReference(text, SideKind.RUN, run_id=run_id))
    for run_id in called.by_label:
        if run_id not in called.by_id:
            yield _Meaning(f"the run {run_id} by its label", SideReference(text, SideKind.RUN, run_id=run_id))
    if (revision := _tried(_revision, text, context)) is not None:
        yield _Meaning(f"the git revision {text} ({(revision.commit or '')[:7]})", revision)


def _tried(look: _Look, text: str, context: SideContext) -> SideReference | None:
    try:
        return look(text, text, context)
    except UsageError:
        return None


def _prompt(name: str, text: str, context: SideContext) -> SideReference:
    """A prompt, here or at a revision: it need not be at both."""
    config, reference = context.config, PromptReference.parse(name)
    if reference.rev is None:
        found = loader.resolve_prompt_name(config, reference.name, WorkingTree(config.root))
        return SideReference(text, SideKind.PROMPT, prompt=found)
    with GitTree(config.root, reference.rev) as tree:
        found = loader.resolve_prompt_name(config, reference.name, tree)
        return SideReference(text, SideKind.PROMPT, prompt=found, rev=reference.rev, commit=tree.commit)


def _revision(rev: str, text: str, context: SideContext) -> SideReference:
    commit = resolve_commit(context.config.root, rev)
    return SideReference(text, SideKind.FILES, rev=rev, commit=commit)


def _head(context: SideContext) -> SideReference:
    try:
        return replace(_revision("HEAD", "HEAD", context))
    except UsageError as error:
        hint = error.hint or "Name two sides that need no git, such as two runs: `llmctl diff @last~1 @last`."
        raise UsageError(error.message, hint=hint) from None


def _at(reference: SideReference, commit: str) -> SideReference:
    return replace(reference, rev="HEAD", commit=commit)


def _branched(reference: SideReference, context: SideContext) -> SideReference:
    base = merge_base(context.config.root, reference.rev or "HEAD")
    return replace(reference, rev=base[:SHORT_COMMIT], commit=base, branched_from=reference.rev)


def _ambiguous(text: str, meanings: list[_Meaning]) -> UsageError:
    listed = ", ".join(meaning.said for meaning in meanings[:5])
    more = f" and {len(meanings) - 5} more" if len(meanings) > 5 else ""
    hint = "Write prompt:, run:, label: or rev: before it to say which, or the whole id of a run."
    return UsageError(f'"{text}" means {len(meanings)} things: {listed}{more}.', hint=hint)


def _unknown(text: str, context: SideContext) -> UsageError:
    """Nothing is called so; a prompt that is named with a revision tells which of the two is wrong."""
    config = context.config
    prompts = loader.prompt_names(config, WorkingTree(config.root))
    name, at, _ = text.partition("@")
    if at and name in prompts:
        try:
            _prompt(text, text, context)
        except UsageError as error:
            return error
    known = [*prompts, *context.history.names(), *revision_names(config.root)]
    hint = nearest_hint(text, known) or "`llmctl runs` lists runs, `git branch --all` and `git tag` list revisions."
    if is_shallow(config.root):  # what is meant may well be a branch that was not fetched
        hint += " This clone is shallow: fetch the whole history (in GitHub Actions `fetch-depth: 0`)."
    return UsageError(f'There is no prompt, run, label or git revision "{text}".', hint=hint)
