"""`llmctl import openai-evals`: samples of OpenAI Evals, alone or by a registry file, as prompts and banks.

`openai_evals_registry` finds evals in a registry, `openai_evals_classes` knows what each class judges by,
`openai_evals_graded` makes judges of specs of model-graded evals, and this file reads the samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from llmctl.canonical import written
from llmctl.errors import Place, Problem, ProjectError, UsageError
from llmctl.importers.chats import ChatMessage, chat_layout, chat_message
from llmctl.importers.conversion import Notes
from llmctl.importers.dataset_rows import dataset_rows
from llmctl.importers.drafts import BankDraft, ProjectDraft, PromptDraft
from llmctl.importers.naming import Names, slug
from llmctl.importers.openai_evals.classes import CLASSES, EvalClass, judged_samples, with_ideal
from llmctl.importers.openai_evals.graded import GradedSpec, graded_entries
from llmctl.importers.openai_evals.registry import RegisteredEval, registered_evals
from llmctl.importers.samples import Entry, Sample, SampleBank, metadata_tags, sample_bank
from llmctl.project.sources import WorkingTree
from llmctl.project.tables import Row

__all__ = ["Choices", "import_openai_evals"]

_EXAMPLES = {"example_user": "user", "example_assistant": "assistant"}
_OWN_KEYS = frozenset({"input", "ideal", "id"})


@dataclass(frozen=True, slots=True)
class Choices:
    """What the files do not say."""

    model: str
    """Whom the prompts ask."""
    judge: str | None = None
    """Who grades model-graded evals; None: the project's own judge."""
    evals: tuple[str, ...] = ()
    """Which evals of a registry file; empty: all."""
    eval_class: str | None = None
    """What samples without a registry entry are judged by."""


@dataclass(frozen=True, slots=True)
class _Finished:
    prompt: PromptDraft
    bank: BankDraft


def import_openai_evals(path: Path, choices: Choices, notes: Notes) -> ProjectDraft:
    """The project that samples or a registry file stand for.

    Raises:
        UsageError: there is no such file, no such eval, or nothing that can be converted.
        ProjectError: a file cannot be read.
    """
    if not path.exists():
        hint = "Name a .jsonl file of samples, a YAML file of a registry, or its folder."
        raise UsageError(f"There is no file {path}.", hint=hint)
    if path.is_dir() or path.suffix.lower() in (".yaml", ".yml"):
        if choices.eval_class:
            raise UsageError("The registry says the class of each eval.", hint="Leave --class out.")
        found = registered_evals(path, choices.evals, notes)
    else:
        if choices.evals:
            raise UsageError("--eval chooses among the evals of a registry file.", hint="Name that file.")
        found = [_alone(path, choices, notes)]
    names = Names()
    done = []
    for entry in found:
        try:
            one = _finished(entry, names.new(slug(entry.name, "eval")), choices, notes)
        except ProjectError as error:
            if len(found) == 1:
                raise
            notes.left_out(f"eval {entry.name}", error.problems[0].message, error.problems[0].place)
            continue
        done += [one] if one else []
    if not done:
        reasons = [note.how for note in notes.list()]
        raise UsageError(f"No eval in {path.name} can be converted.", hint=reasons[-1] if reasons else None)
    why = f"Samples name no model: the prompts ask `{choices.model}`; --model, or `eval -m`, chooses another."
    notes.changed("model", why)
    return ProjectDraft(tuple(one.prompt for one in done), tuple(one.bank for one in done))


def _alone(path: Path, choices: Choices, notes: Notes) -> RegisteredEval:
    name = choices.eval_class or "Match"
    if name not in CLASSES:
        raise UsageError(f"--class takes {', '.join(CLASSES)}, not {name}.")
    if choices.eval_class is None:
        why = "Samples do not say what they are judged by: they are taken for an eval of the class Match; see --class."
        notes.changed("class", why)
    stem = path.parent.name if path.stem in ("samples", "test", "data") and path.parent.name else path.stem
    return RegisteredEval(stem, name, PurePosixPath(path.name), WorkingTree(path.parent), Place(Path(path.name)))


def _finished(entry: RegisteredEval, name: str, choices: Choices, notes: Notes) -> _Finished | None:
    """The prompt and the bank of one eval; None where it cannot be converted, which is noted."""
    graded = None
    if entry.spec is not None:
        graded = graded_entries(GradedSpec(entry.name, entry.spec, entry.spec_args, entry.place), choices.judge, notes)
        if graded is None:
            return None
    judged = CLASSES.get(entry.class_name)
    rows = dataset_rows(entry.tree, entry.samples, notes, entry.place)
    few_shot = _few_shot(entry, notes)
    question = graded.question if graded else "input"
    samples = [_sample(row, question, few_shot, notes) for row in rows]
    if graded:
        samples = [replace(one, vars=_shown(row, graded.variables)) for one, row in zip(samples, rows, strict=True)]
    used = frozenset(graded.variables) if graded else frozenset()
    samples = [_tagged(one, row, used | {question}, notes) for one, row in zip(samples, rows, strict=True)]
    layout = chat_layout([sample.chat for sample in samples])
    entries: Sequence[Entry] = graded.entries(layout.variable) if graded else ()
    if graded and graded.needs_ideal:
        samples = [with_ideal(sample, notes) for sample in samples]
    if judged is not None:
        samples, entries = judged_samples(judged, samples, entry.args, notes)
    data = {"model": choices.model, **_params(judged, entry), "messages": layout.messages()}
    notes.converted(f"{entry.class_name} {entry.name}", f"bank and prompt `{name}`", entry.place)
    bank = sample_bank(SampleBank(name, layout, tuple(entries), entry.description), samples, notes)
    return _Finished(PromptDraft(name, data), bank)


def _params(judged: EvalClass | None, entry: RegisteredEval) -> dict[str, object]:
    """What the class sends with every call."""
    given = entry.args.get("sample_kwargs")
    params: dict[str, object] = {"max_tokens": 1024} if judged is None else dict(judged.params)
    if "max_tokens" in params and isinstance(entry.args.get("max_tokens"), int):
        params["max_tokens"] = entry.args["max_tokens"]
    if judged is None and isinstance(given, Mapping):
        params |= {str(key): value for key, value in given.items()}
    return {"params": params} if params else {}


def _few_shot(entry: RegisteredEval, notes: Notes) -> list[ChatMessage]:
    """Messages of examples that stand before the last one of every sample."""
    number = entry.args.get("num_few_shot")
    if entry.few_shot is None or not isinstance(number, int) or number <= 0:
        return []
    rows = dataset_rows(entry.tree, entry.few_shot, notes, entry.place)[:number]
    return [message for row in rows for message in _chat(row, "sample", notes)]


def _sample(row: Row, question: str, few_shot: Sequence[ChatMessage], notes: Notes) -> Sample:
    chat = _chat(row, question, notes)
    if few_shot:
        chat = [*chat[:-1], *few_shot, *chat[-1:]]
    identity = row.values.get("id")
    name = written(identity).strip() if isinstance(identity, str | int) else None
    return Sample(tuple(chat), row.place, name or None, _expected(row))


def _chat(row: Row, key: str, notes: Notes) -> list[ChatMessage]:
    value = row.values.get(key)
    if isinstance(value, str) and value:
        why = "oaieval sends a text as a system message; here it is a user message."
        notes.changed(f"`{key}` that is a text", why, row.place)
        return [{"role": "user", "content": value}]
    losses: list[str] = []

    def lost(what: str, why: str) -> None:
        losses.append(what)
        notes.left_out(what, why, row.place)

    items = value if isinstance(value, list) else []
    chat = [_example(message, row, notes) for item in items if (message := chat_message(item, lost))]
    if not chat or len(chat) < len(items):
        said = f"The sample's `{key}` is no text and no list of messages with `role` and `content`."
        raise ProjectError([Problem(said, row.place)])
    return chat


def _example(message: ChatMessage, row: Row, notes: Notes) -> ChatMessage:
    """A message as it is; an example turn, which OpenAI marks by a name, in the role that it shows."""
    role = _EXAMPLES.get(str(message.get("name")))
    if role is None:
        return message
    notes.changed(f"system message named {message['name']}", f"It is a message of the role {role}.", row.place)
    return {"role": role, "content": message["content"]}


def _expected(row: Row) -> object:
    """The ideal answer, or a list of several; None where there is none."""
    ideal = row.values.get("ideal")
    if isinstance(ideal, list):
        texts = [item if isinstance(item, str) else written(item) for item in ideal]
        return (texts[0] if len(texts) == 1 else texts) if texts else None
    return None if ideal is None else written(ideal)


def _shown(row: Row, names: Sequence[str]) -> dict[str, object]:
    return {name: row.values[name] for name in names if name in row.values}


def _tagged(sample: Sample, row: Row, used: frozenset[str], notes: Notes) -> Sample:
    """What the sample says beside its question, as tags."""
    rest = {key: value for key, value in row.values.items() if key not in used | _OWN_KEYS}
    metadata = dict(_flat(rest))
    return replace(sample, tags=tuple(metadata_tags(metadata, row.place, notes)))


def _flat(values: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for key, value in values.items():
        if key == "metadata" and isinstance(value, Mapping):
            yield from ((str(name), item) for name, item in value.items())
        else:
            yield key, value
