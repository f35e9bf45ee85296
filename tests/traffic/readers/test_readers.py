"""Every reader on its case files: the records that documents become, field by field, and what is set aside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from llmctl.traffic.logged_call import LoggedCall, LoggedFeedback
from llmctl.traffic.readers.base import Document, Entry, SetAside
from llmctl.traffic.readers.registry import reader_named, readers

# A case file is `cases/<format>.yaml` (or several: `cases/<format>_<what>.yaml`):
#
#   reader: openai_chat                # the format's name; default: the file's name without .yaml
#   cases:
#   - name: a refusal
#     documents: [{...}, {...}]        # lines 1, 2 ...; a text is a line as it stands in the file
#     sample: name.jsonl               # or: a file of tests/traffic/samples, a document a line (.json: its items)
#     detected: false                  # default true: no other reader may be as sure of one of its documents
#     records:                         # in order; `line` is 1 where not said. A field that is not named must be empty,
#     - {line: 2, source_id: x}        # and `format` the reader's name.
#     partly:                          # or: only the fields that are named are compared
#     - {output: Hello}
#     feedback: [{kind: rating, value: 1.0, target: t}]   # those that are records of their own, in order
#     set_aside: [{line: 1, reason: no messages were logged}]

ROOM = Path(__file__).parent
CASES = ROOM / "cases"
SAMPLES = ROOM.parent / "samples"


@dataclass(frozen=True)
class Case:
    reader: str
    name: str
    documents: tuple[Document, ...]
    content: Mapping[str, Any]

    @property
    def id(self) -> str:
        return f"{self.reader}: {self.name}"


def _document(value: Any, line: int) -> Document:
    raw = value if isinstance(value, str) else orjson.dumps(value).decode()
    return Document(orjson.loads(raw), raw, line)


def _documents(case: Mapping[str, Any]) -> tuple[Document, ...]:
    if "sample" not in case:
        return tuple(_document(value, line) for line, value in enumerate(case["documents"], 1))
    path = SAMPLES / case["sample"]
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        value = orjson.loads(text)
        return tuple(_document(one, line) for line, one in enumerate(value if isinstance(value, list) else [value], 1))
    return tuple(_document(one, line) for line, one in enumerate(text.splitlines(), 1))


def _cases() -> Iterator[Case]:
    for path in sorted(CASES.glob("*.yaml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        reader = content.get("reader", path.stem)
        for case in content["cases"]:
            known = {"name", "documents", "sample", "detected", "records", "partly", "feedback", "set_aside"}
            assert not case.keys() - known, f"{path.name}: {case['name']}: {case.keys() - known}"
            yield Case(reader, case["name"], _documents(case), case)


ALL = list(_cases())
each_case = pytest.mark.parametrize("case", ALL, ids=lambda case: case.id)


def _plain(value: Any) -> Any:
    """As YAML has it: lists for tuples, texts for enums, feedback as mappings without what is empty."""
    if isinstance(value, LoggedFeedback):
        return {one.name: _plain(found) for one in fields(value) if (found := getattr(value, one.name)) is not None}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, str) else value


def _filled(record: LoggedCall) -> dict[str, Any]:
    """The fields that are not empty."""
    found = {}
    for one in fields(record):
        value = getattr(record, one.name)
        empty = one.default_factory() if one.default_factory is not MISSING else one.default
        if value != empty:
            found[one.name] = _plain(value)
    return found


@each_case
def test_case(case: Case) -> None:
    found = list(reader_named(case.reader).read(iter(case.documents)))
    calls = [one for one in found if isinstance(one, Entry) and isinstance(one.record, LoggedCall)]
    said = [_plain(one.record) for one in found if isinstance(one, Entry) and isinstance(one.record, LoggedFeedback)]
    aside = [{"line": one.line, "reason": one.reason} for one in found if isinstance(one, SetAside)]
    assert aside == case.content.get("set_aside", [])
    assert said == case.content.get("feedback", [])
    if "partly" in case.content:
        expected = case.content["partly"]
        shown = [{name: _field(entry, name) for name in wanted} for entry, wanted in zip(calls, expected, strict=False)]
        assert (len(calls), shown) == (len(expected), expected)
    else:
        expected = [{"line": 1, "format": case.reader, **record} for record in case.content.get("records", [])]
        assert [{"line": one.line, **_filled(_call(one))} for one in calls] == expected


def _call(entry: Entry) -> LoggedCall:
    assert isinstance(entry.record, LoggedCall)
    return entry.record


def _field(entry: Entry, name: str) -> Any:
    return entry.line if name == "line" else _plain(getattr(entry.record, name))


@each_case
def test_what_is_read_keeps_its_line(case: Case) -> None:
    """Of every entry `raw` is what stands in the file on its line, or on one of the lines that make it up."""
    lines = {document.line: document.raw for document in case.documents}
    for one in reader_named(case.reader).read(iter(case.documents)):
        assert one.line in lines
        if isinstance(one, Entry):
            assert one.raw


@each_case
def test_its_reader_is_the_surest(case: Case) -> None:
    if not case.content.get("detected", True):
        return
    for document in case.documents:
        sure = {reader.name: reader.recognises(document.value) for reader in readers()}
        best = max(sure, key=lambda name: sure[name])
        rivals = [name for name, points in sure.items() if points >= sure[case.reader] and name != case.reader]
        assert (best, rivals) == (case.reader, []), f"line {document.line}: {sure}"
        assert 0 < sure[case.reader] <= 100


def test_every_format_has_cases() -> None:
    assert {reader.name for reader in readers()} - {case.reader for case in ALL} == set()
