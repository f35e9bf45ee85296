"""`llmctl import inspect`: samples of a dataset or a log of inspect_ai as a prompt and a bank.

`inspect_samples` reads samples as inspect_ai reads them, `inspect_logs` opens logs, and `inspect_scorers` knows what
scorers say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from llmctl.errors import UsageError
from llmctl.importers.chats import ChatLayout, chat_layout
from llmctl.importers.conversion import Notes
from llmctl.importers.dataset_rows import dataset_rows
from llmctl.importers.drafts import ProjectDraft, PromptDraft
from llmctl.importers.inspect_ai.logs import InspectLog, is_log, read_log
from llmctl.importers.inspect_ai.samples import CHOICES, FIELDS, InspectSample, inspect_sample
from llmctl.importers.inspect_ai.scorers import Scorer, scorer_entries, scorer_of
from llmctl.importers.naming import slug
from llmctl.importers.nunjucks import literal
from llmctl.importers.samples import Sample, SampleBank, sample_bank
from llmctl.project.shape_errors import nearest
from llmctl.project.sources import WorkingTree

__all__ = ["InspectChoices", "import_inspect"]

_ENDINGS = (".json", ".jsonl", ".csv", ".eval")
_QUESTION = """\
Answer the following multiple choice question{several}. The entire content of your response should be of the following \
format: 'ANSWER: ${letter}' (without quotes) where {letter} is {one} of {{% for choice in choices %}}{{{{ \
"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[loop.index0] }}}}{{{{ "," if not loop.last else "" }}}}{{% endfor %}}.

{{{{ input }}}}

{{% for choice in choices -%}}
{{{{ "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[loop.index0] }}}}) {{{{ choice }}}}{{{{ "" if loop.last else "\\n" }}}}
{{%- endfor %}}"""
"""What inspect_ai's solver `multiple_choice` asks, without a chain of thought."""


@dataclass(frozen=True, slots=True)
class InspectChoices:
    """What the files do not say."""

    model: str
    scorer: str | None = None
    scorer_args: Mapping[str, object] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    """From a field of a sample to the name that the dataset has for it: `FieldSpec` of inspect_ai."""
    judge: str | None = None


def import_inspect(path: Path, choices: InspectChoices, notes: Notes) -> ProjectDraft:
    """The project that a dataset or a log stands for.

    Raises:
        UsageError: there is no such file, or its scorer has no evaluator.
        ProjectError: it cannot be read.
    """
    if not path.is_file() or path.suffix.lower() not in _ENDINGS:
        said = f"There is no file {path}." if not path.is_file() else f"{path.name} is no dataset of inspect_ai."
        raise UsageError(said, hint=f"It reads {', '.join(_ENDINGS)}.")
    for name in choices.fields:
        if name not in FIELDS:
            raise UsageError(f"A sample has no field `{name}`.", hint=nearest(name, FIELDS) or f"{', '.join(FIELDS)}.")
    log = read_log(path, notes) if is_log(path) else None
    found = log.samples if log else _dataset(path, choices.fields, notes)
    name = slug(log.task if log else path.stem, "inspect")
    scorer = _scorer(choices, log, found, notes)
    if scorer.name.startswith("model_graded") and choices.judge:
        scorer = replace(scorer, args={"model": choices.judge, **scorer.args})
    layout = chat_layout([one.chat for one in found])
    samples, entries = scorer_entries(scorer, [_sample(one, layout) for one in found], notes)
    why = f"Samples name no model: the prompt asks `{choices.model}`; --model, or `eval -m`, chooses another."
    notes.changed("model", why)
    prompt = PromptDraft(
        name, {"model": choices.model, "messages": _messages(found, layout, log.system if log else None, notes)}
    )
    bank = sample_bank(SampleBank(name, layout, entries), samples, notes)
    return ProjectDraft((prompt,), (bank,))


def _dataset(path: Path, fields: Mapping[str, str], notes: Notes) -> list[InspectSample]:
    rows = dataset_rows(WorkingTree(path.parent), PurePosixPath(path.name), notes)
    return [inspect_sample(row.values, row.place, fields, notes) for row in rows]


def _scorer(choices: InspectChoices, log: InspectLog | None, found: Sequence[InspectSample], notes: Notes) -> Scorer:
    if choices.scorer is not None:
        return scorer_of(choices.scorer, choices.scorer_args)
    if choices.scorer_args:
        raise UsageError("--scorer-arg needs --scorer.")
    if log is not None:
        return log.scorer(notes)
    name = "choice" if any(one.choices for one in found) else "match"
    notes.changed("scorer", f"A dataset does not say how it is judged: taken is `{name}`, see --scorer.")
    return scorer_of(name, {})


def _sample(one: InspectSample, layout: ChatLayout) -> Sample:
    extra = {CHOICES: list(one.choices)} if one.choices and layout.one_text else {}
    return Sample(one.chat, one.place, one.id, one.target, extra, one.tags, None, one.complete)


def _messages(
    found: Sequence[InspectSample], layout: ChatLayout, system: str | None, notes: Notes
) -> list[Mapping[str, object]]:
    messages = layout.messages()
    if system is not None:
        messages = [{"role": "system", "content": literal(system)}, *messages]
    if not any(one.choices for one in found):
        return messages
    if not layout.one_text or not all(one.choices for one in found):
        notes.left_out("choices", "Only samples that are one question, and all have choices, are asked with them.")
        return messages
    several = any(isinstance(one.target, list) and len(one.target) > 1 for one in found)
    notes.converted("choices", "a list that the prompt shows as inspect_ai's `multiple_choice` does")
    question = _QUESTION.format(
        several=" where multiple answers may be correct" if several else "",
        letter="LETTERS" if several else "LETTER",
        one="one or more" if several else "one",
    )
    return [*messages[:-1], {"role": "user", "content": question}]
