"""`llmctl import promptfoo`: a promptfoo config as prompts, banks and models.

The parts, each in a file of its own: `promptfoo_config` reads the config, `promptfoo_providers` makes models,
`promptfoo_prompts` and `promptfoo_prompt_files` prompts, `promptfoo_tests`, `promptfoo_rows` and `promptfoo_expansion`
single cases, `promptfoo_assertions` evaluators, `promptfoo_targets` finds what each case is run on, and this file puts
them into banks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llmctl.importers.conversion import Notes
from llmctl.importers.drafts import INLINE_CASES, BankDraft, ProjectDraft
from llmctl.importers.entry_check import EntryCheck
from llmctl.importers.naming import Names, slug
from llmctl.importers.promptfoo.assertions import AssertionConverter
from llmctl.importers.promptfoo.cases import SourceCase, bank_cases, shared_entries, source_case
from llmctl.importers.promptfoo.config import At, Reader, open_config
from llmctl.importers.promptfoo.expansion import expanded_tests
from llmctl.importers.promptfoo.prompts import read_prompts
from llmctl.importers.promptfoo.providers import Providers
from llmctl.importers.promptfoo.settings import eval_settings, note_top_level
from llmctl.importers.promptfoo.targets import Run, Targets
from llmctl.project.models import EvaluatorSettings, ModelConfig

__all__ = ["Existing", "import_promptfoo"]

_DEFAULT_JUDGE = "openai:gpt-5.6-sol"
"""Who grades where a config names nobody (promptfoo 0.123.1)."""
_ENVIRONMENT = re.compile(r"\benv\.([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True)
class Existing:
    """What of the project that is imported into the import must know."""

    models: Mapping[str, ModelConfig] = field(default_factory=dict)
    settings: EvaluatorSettings = field(default_factory=EvaluatorSettings)


def import_promptfoo(path: Path, notes: Notes, existing: Existing | None = None) -> ProjectDraft:
    """The project that a config stands for; what became of each part of it goes to the notes.

    Raises:
        UsageError: there is no config, or it is a program.
        ProjectError: it cannot be read, or makes too many cases.
    """
    existing = existing or Existing()
    reader = open_config(path, notes)
    providers = Providers(reader, existing.models)
    found = providers.list()
    targets = Targets(_base_name(reader), read_prompts(reader), found, providers, notes)
    judge = _Judges(providers, existing)
    converter = AssertionConverter(reader, EntryCheck(existing.settings), judge.name)
    groups: dict[tuple[Run, ...], list[SourceCase]] = {}
    for test in expanded_tests(reader):
        case = source_case(test, converter, has_tools=targets.has_tools)
        groups.setdefault(targets.runs(test), []).append(case)
    note_top_level(reader)
    banks = tuple(_banks(groups, targets, reader))
    return ProjectDraft(
        prompts=tuple(targets.drafts.values()),
        banks=banks,
        models=tuple(providers.new_models),
        settings={"eval": eval_settings(reader)},
    )


def _base_name(reader: Reader) -> str:
    """After the file, or after its folder where the file has the usual name."""
    file = Path(reader.at.document.file)
    stem = file.stem.removeprefix("promptfooconfig").strip("-_.")
    return slug(stem, "") or slug(reader.files.tree.root.name, "promptfoo")


@dataclass(slots=True)
class _Judges:
    """Names the models that grade."""

    providers: Providers
    existing: Existing

    def name(self, value: object, at: At) -> str | None:
        """The name of a grader's model; None where the project has a judge of its own and the config names nobody."""
        if isinstance(value, dict) and "id" not in value:
            value = value.get("text")
        if value is None and self.existing.settings.judge.model:
            return None
        if value is None:
            why = f"promptfoo asks {_DEFAULT_JUDGE} where nobody is named; name another under `model:`, or `[judge]`."
            self.providers.notes.changed("grader", why, at.place)
            value = _DEFAULT_JUDGE
        provider = self.providers.one(value, at)
        if provider is None or provider.model is None:
            provider = self.providers.one(_DEFAULT_JUDGE, at)
        return provider.model.name if provider and provider.model else None


def _banks(
    groups: Mapping[tuple[Run, ...], Sequence[SourceCase]], targets: Targets, reader: Reader
) -> Iterator[BankDraft]:
    names = Names()
    several = sum(len(runs) for runs in groups) > 1
    for runs, cases in groups.items():
        for run in runs:
            yield _bank(names.new(targets.base), run, cases, targets)
    if several:
        why = "Its cases are not all run on the same prompts and models: there is a bank for each combination."
        reader.notes.changed("tests", why, (reader.at / "tests").place)


def _bank(name: str, run: Run, cases: Sequence[SourceCase], targets: Targets) -> BankDraft:
    data: dict[str, object] = {}
    description = targets.converter.reader.data.get("description")
    if isinstance(description, str) and description.strip():
        data["description"] = description
    data["prompts"] = list(run.prompts)
    if run.models:
        data["models"] = list(run.models)
    defaults = _missing_variables(run, cases, targets)
    if defaults:
        data["defaults"] = {"vars": defaults}
    shared = shared_entries(cases)
    if shared:
        data["evaluators"] = shared
    scores = {case.pass_score for case in cases}
    pass_score = scores.pop() if len(scores) == 1 else None
    if pass_score is not None:
        data["pass_score"] = pass_score
    in_table = len(cases) > INLINE_CASES or any(case.test.multiplied for case in cases)
    return BankDraft(name, data, tuple(bank_cases(cases, shared, pass_score)), in_table)


def _missing_variables(run: Run, cases: Sequence[SourceCase], targets: Targets) -> dict[str, object]:
    """Variables that a prompt uses and a case lacks: empty text, as Nunjucks has it."""
    missing: dict[str, object] = {}
    for name in sorted(run.variables):
        if all(name in case.vars for case in cases):
            continue
        missing[name] = ""
        why = f"Some cases have no `{name}`: `defaults` says that it is empty, as Nunjucks takes it."
        targets.notes.converted(f"variable {name}", why)
    if "env" in missing:
        written = [str(draft.data) for draft in targets.drafts.values() if draft.name in run.prompts]
        missing["env"] = dict.fromkeys(_ENVIRONMENT.findall("\n".join(written)), "")
    return missing
