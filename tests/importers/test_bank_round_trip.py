"""Export, edit, import: what was edited changes, and nothing else does, not even a comment."""

from __future__ import annotations

import csv
import io
import json
import string
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmctl.canonical import written
from llmctl.importers.bank.cells import Absent, cell_text, field_value
from llmctl.importers.bank.export import ExportPlan, export_plan, write_csv, write_jsonl, write_xlsx
from llmctl.importers.bank.table_source import column_map, open_table, row_reader
from llmctl.importers.bank.text import UneditableError, YamlEdits
from llmctl.importers.bank.update import OpenedBank, Update, opened_bank, updated_bank
from llmctl.importers.conversion import Notes
from llmctl.importers.writer import write_files
from llmctl.importers.yaml_text import yaml_text
from llmctl.project.loader import load_config

TEXTS = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\r\x85\u2028\u2029\ufeff", exclude_categories=("Cs", "Cn")),
    max_size=12,
)
NAMES = st.sampled_from(["ticket", "brand", "label", "id", "tags", "Ticket"])
VALUES = st.one_of(
    TEXTS,
    st.integers(-1000, 1000),
    st.booleans(),
    st.lists(TEXTS, max_size=2),
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 9), max_size=2),
)
TAGS = st.lists(st.text(string.ascii_letters + " ,;[", min_size=1, max_size=5), max_size=3, unique=True)
CASES = st.lists(
    st.fixed_dictionaries(
        {"vars": st.dictionaries(NAMES, VALUES, min_size=1, max_size=3)},
        optional={"expected": VALUES, "tags": TAGS, "group": st.sampled_from(["g1", "g2"]), "must_pass": st.booleans()},
    ),
    min_size=1,
    max_size=5,
)
SLOW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def project(root: Path, cases: list[dict[str, object]], inline: int) -> OpenedBank:
    """A bank of which some cases stand in its own file, and the others in a table."""
    (root / "testbanks").mkdir()
    (root / "llmctl.toml").write_text("[project]\n", encoding="utf-8")
    numbered = [{"id": f"c{index}", **case} for index, case in enumerate(cases)]
    data: dict[str, object] = {"evaluators": [{"length": {"min": 0}}]}
    if numbered[:inline]:
        data["cases"] = numbered[:inline]
    if numbered[inline:]:
        data["include"] = [{"file": "rows.jsonl"}]
        lines = "".join(f"{json.dumps(case)}\n" for case in numbered[inline:])
        (root / "testbanks/rows.jsonl").write_text(lines, encoding="utf-8")
    text = yaml_text(data).replace("\ncases:", "\n# the cases\ncases:  # here")
    (root / "testbanks/bank.yaml").write_text(text, encoding="utf-8", newline="\n")
    return opened_bank(load_config(root / "llmctl.toml", {}), "bank")


def written_table(bank: OpenedBank, path: Path) -> ExportPlan:
    plan = export_plan(bank.bank, Notes())
    if path.suffix == ".xlsx":
        write_xlsx(plan, path)
    else:
        with path.open("w", encoding="utf-8", newline="") as out:
            (write_csv if path.suffix == ".csv" else write_jsonl)(plan, out)
    return plan


def brought_back(root: Path, path: Path) -> Update:
    config, notes = load_config(root / "llmctl.toml", {}), Notes()
    bank, table = opened_bank(config, "bank"), open_table(path)
    found = column_map(table, {}, bank.variables, notes)
    update = updated_bank(config, bank, table, found, row_reader(table, found, root, []), notes)
    write_files(update.files)
    return update


@SLOW
@given(cases=CASES, inline=st.integers(0, 5), ending=st.sampled_from([".csv", ".xlsx", ".jsonl"]))
def test_what_nobody_edited_changes_nothing(cases: list[dict[str, object]], inline: int, ending: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        bank = project(root, cases, inline)
        before = {path: path.read_bytes() for path in (root / "testbanks").iterdir()}
        written_table(bank, root / f"out{ending}")
        update = brought_back(root, root / f"out{ending}")
        assert (update.changed, update.added, update.unchanged) == (0, 0, len(cases))
        assert {path: path.read_bytes() for path in (root / "testbanks").iterdir()} == before


@SLOW
@given(cases=CASES, inline=st.integers(0, 5), data=st.data())
def test_just_the_edited_cells_change(cases: list[dict[str, object]], inline: int, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        before = project(root, cases, inline)
        plan = written_table(before, root / "out.csv")
        with (root / "out.csv").open(encoding="utf-8-sig", newline="") as file:
            table = list(csv.reader(file))
        row = data.draw(st.integers(1, len(table) - 1))
        editable = [
            index
            for index, field in enumerate(plan.fields)
            if field == "expected" or field.startswith("vars.")
            if not isinstance(field_value(before.cases[table[row][0]], field), list | dict)
        ]
        if not editable:
            return
        column = data.draw(st.sampled_from(editable))
        new = data.draw(TEXTS)
        table[row][column] = new
        out = io.StringIO()
        csv.writer(out).writerows(table)
        (root / "out.csv").write_text(out.getvalue(), encoding="utf-8", newline="")
        texts = {path: path.read_text(encoding="utf-8") for path in (root / "testbanks").iterdir()}
        brought_back(root, root / "out.csv")
        after = opened_bank(load_config(root / "llmctl.toml", {}), "bank")
        _same_but(before.cases, after.cases, table[row][0], plan.fields[column], new)
        for path, text in texts.items():
            now = path.read_text(encoding="utf-8")
            assert "# the cases" not in text or "# the cases\ncases:  # here" in now
            if path.suffix == ".jsonl":
                changed = [old for old, line in zip(text.split("\n"), now.split("\n"), strict=True) if old != line]
                assert len(changed) <= 1


def _same_but(before: Mapping[str, object], after: Mapping[str, object], name: str, field: str, new: str) -> None:
    from llmctl.project.models import Case

    assert list(before) == list(after)
    for key in before:
        old, now = before[key], after[key]
        assert isinstance(old, Case)
        assert isinstance(now, Case)
        fields = {"id", "expected", "tags", "group", "must_pass", *(f"vars.{var}" for var in (*old.vars, *now.vars))}
        for one in fields:
            if (key, one) == (name, field):
                got = field_value(now, one)
                lines = new.replace("\r\n", "\n")
                assert ("" if isinstance(got, Absent) else written(got)) in (lines, cell_text(old, one))
            else:
                assert cell_text(old, one) == cell_text(now, one)


YAML = """\
# my bank
prompts: [p]   # one
cases:
  # first
  - id: a
    vars:
      ticket: |-
        two
        lines
      other: 'quoted'   # why
    expected: "yes"

  - {id: b, vars: {ticket: x}}   # flow
# the end
"""


def edited(path: tuple[str | int, ...], **changes: object) -> str:
    edits = YamlEdits(YAML)
    edits.edit(path, changes)
    return edits.result()


def test_values_keep_their_style() -> None:
    assert edited(("cases", 0, "vars"), ticket="three\n\nmore", other="it's") == YAML.replace(
        "        two\n        lines", "        three\n\n        more"
    ).replace("'quoted'", "'it''s'")
    assert edited(("cases", 0), expected="no: no") == YAML.replace('"yes"', '"no: no"')
    assert edited(("cases", 1, "vars"), ticket="a, b") == YAML.replace("ticket: x", 'ticket: "a, b"')


def test_keys_are_added_and_taken_away() -> None:
    assert edited(("cases", 0), tags=["a"]) == YAML.replace('"yes"\n', '"yes"\n    tags: ["a"]\n')
    assert edited(("cases", 1), expected="y") == YAML.replace("ticket: x}}", "ticket: x}, expected: y}")
    edits = YamlEdits(YAML)
    edits.remove(("cases", 0), "expected")
    assert edits.result() == YAML.replace('   # why\n    expected: "yes"', "")
    edits = YamlEdits(YAML)
    edits.append("include", {"file": "a.jsonl"})
    assert edits.result() == YAML.rstrip("\n") + "\ninclude:\n  - file: a.jsonl\n"


@pytest.mark.parametrize("text", ["- a\n", "a\n", "{cases: []}\n"])
def test_files_that_cannot_be_edited(text: str) -> None:
    with pytest.raises(UneditableError):
        YamlEdits(text).append("include", {"file": "a.jsonl"})
