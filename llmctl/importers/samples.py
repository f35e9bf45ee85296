"""Samples of another tool's dataset as a prompt and a bank: what the importers of datasets share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from llmctl.canonical import canonical_json, plain, written
from llmctl.errors import Place
from llmctl.importers.chats import ChatLayout, ChatMessage
from llmctl.importers.conversion import Notes
from llmctl.importers.drafts import INCOMPLETE, INLINE_CASES, BankDraft
from llmctl.importers.naming import Names

__all__ = ["ANSWERED", "Entry", "Sample", "SampleBank", "metadata_tags", "no_reference", "sample_bank"]

Entry = Mapping[str, object]

ANSWERED: Entry = {"length": {"min": 1}, "metric": "answered"}
"""What a case is judged by of which nothing else could be converted."""
_MAX_TAG_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample."""

    chat: tuple[ChatMessage, ...]
    place: Place
    id: str | None = None
    expected: object = None
    """None: there is none."""
    vars: Mapping[str, object] = field(default_factory=dict)
    """Beside the conversation."""
    tags: tuple[str, ...] = ()
    entries: tuple[Entry, ...] | None = None
    """Its own evaluators, in place of the bank's; None: the bank's judge it."""
    complete: bool = True
    """False: something of it could not be converted."""


@dataclass(frozen=True, slots=True)
class SampleBank:
    """What all samples of a bank share."""

    name: str
    layout: ChatLayout
    entries: tuple[Entry, ...]
    description: str | None = None


def sample_bank(bank: SampleBank, samples: Sequence[Sample], notes: Notes) -> BankDraft:
    """The bank of the samples, run with the prompt of the same name."""
    data: dict[str, object] = {}
    if bank.description:
        data["description"] = bank.description
    data["prompts"] = [bank.name]
    shared = [] if samples and all(one.entries is not None for one in samples) else list(bank.entries)
    if shared:
        data["evaluators"] = shared
    cases = tuple(_cases(bank.layout, samples, notes, inherits=bool(shared)))
    return BankDraft(bank.name, data, cases, in_table=len(cases) > INLINE_CASES)


def _cases(layout: ChatLayout, samples: Sequence[Sample], notes: Notes, *, inherits: bool) -> Iterator[Entry]:
    names = Names()
    counts = Counter(sample.id for sample in samples)
    seen: set[bytes] = set()
    for sample in samples:
        variables = {**{key: no_reference(value) for key, value in sample.vars.items()}}
        variables |= layout.variables(sample.chat)
        case: dict[str, object] = {}
        key = canonical_json(variables)
        if sample.id:
            case["id"] = names.new(sample.id)
            if counts[sample.id] > 1:
                notes.changed("id", "It stands twice: the second one is numbered.", sample.place)
        elif key in seen:
            case["id"] = names.new("case")
            notes.changed("sample", "It stands twice: the second one has an id of its own.", sample.place)
        seen.add(key)
        case["vars"] = variables
        if sample.expected is not None:
            case["expected"] = no_reference(sample.expected)
        tags = [*sample.tags, *([] if sample.complete else [INCOMPLETE])]
        if tags:
            case["tags"] = list(dict.fromkeys(tags))
        if sample.entries is not None:
            case |= {**({"inherit": False} if inherits else {}), "evaluators": list(sample.entries)}
        yield case


def no_reference(value: object) -> object:
    """A value as it stands in a case: one that would be read as the name of a file is its JSON text."""
    if isinstance(value, dict) and value.keys() == {"file"}:
        return orjson.dumps(plain(value)).decode()
    return value


def metadata_tags(metadata: Mapping[str, object], place: Place, notes: Notes) -> Iterator[str]:
    """`key=value` of short values; the others are noted."""
    for key, value in metadata.items():
        values = value if isinstance(value, list) else [value]
        texts = [written(one) for one in values if isinstance(one, str | int | float)]
        if len(texts) < len(values) or any(len(one) > _MAX_TAG_CHARACTERS or "\n" in one for one in texts):
            if value is not None:
                notes.left_out(f"metadata {key}", "A tag holds a short text, and this is none.", place)
            continue
        if texts:
            notes.converted(f"metadata {key}", f"tags `{key}=...`", place)
        yield from (f"{key}={one}" for one in texts)
