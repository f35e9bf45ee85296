"""Whatever a dataset holds: one sentence and no file, or a project without a mistake."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmctl.errors import UsageError
from llmctl.importers.bank.new import NewBank, write_new_bank
from llmctl.importers.bank.table_source import column_map, open_table, row_reader
from llmctl.importers.bank.update import opened_bank
from llmctl.importers.conversion import Notes
from llmctl.importers.inspect_ai.scorers import SCORERS
from llmctl.importers.openai_evals.classes import CLASSES
from llmctl.project.loader import load_config
from tests.importers.datasets import evals_of, inspect_of

NASTY = ["", " ", "{{ x }}", "{% if %}", "\x1b[31m", "\0", "a: b", "- x", "null", "1.10", "\u2028", "{file: x}", "😀"]
TEXTS = st.one_of(st.sampled_from(NASTY), st.text(max_size=6))
LEAVES = st.one_of(TEXTS, st.none(), st.booleans(), st.integers(-9, 10**20), st.floats())
ANY = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["file", "from", "a", "role"]), inner, max_size=2)
    ),
    max_leaves=5,
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant", "tool", "x"]), "content": st.one_of(TEXTS, ANY)},
        optional={"name": st.one_of(TEXTS, st.just("example_user")), "tool_calls": ANY},
    ),
    max_size=3,
)
INPUTS = st.one_of(TEXTS, MESSAGES, ANY)
ANSWERS = st.one_of(TEXTS, st.lists(TEXTS, max_size=3), st.sampled_from(["A", "5", '{"a": 1}', "[1]"]), ANY)
OPTIONAL = {"id": ANY, "metadata": ANY, "choices": st.one_of(st.lists(TEXTS, max_size=3), ANY), "files": ANY}
LAW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def rows(question: str, answer: str) -> st.SearchStrategy[list[dict[str, object]]]:
    row = st.fixed_dictionaries({question: INPUTS, answer: ANSWERS}, optional=OPTIONAL)
    return st.lists(row, min_size=1, max_size=3)


def dataset(root: Path, data: list[dict[str, object]]) -> Path:
    path = root / "data.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in data), encoding="utf-8")
    return path


@LAW
@given(data=rows("input", "ideal"), eval_class=st.sampled_from(list(CLASSES)))
def test_openai_evals(data: list[dict[str, object]], eval_class: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            result = evals_of(dataset(Path(folder), data), Path(folder) / "p", eval_class=eval_class)
        except UsageError:
            assert not (Path(folder) / "p").exists()
        else:
            assert result.problems() == []


@LAW
@given(data=rows("input", "target"), scorer=st.sampled_from(list(SCORERS)), numeric=st.booleans())
def test_inspect(data: list[dict[str, object]], scorer: str, numeric: bool) -> None:
    args: dict[str, object] = {"pattern": "(a)"} if scorer == "pattern" else {}
    args |= {"numeric": numeric} if scorer == "match" else {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            result = inspect_of(dataset(Path(folder), data), Path(folder) / "p", scorer, **args)
        except UsageError:
            assert not (Path(folder) / "p").exists()
        else:
            assert result.problems() == []


CELLS = st.one_of(TEXTS, st.integers(-5, 5), st.lists(TEXTS, max_size=2), ANY)
NAMES = ["id", "vars", "vars.x", "expected", "tags", "must_pass", "group", "ticket", "a b", "evaluators"]
COLUMNS = st.sampled_from(NAMES)


@LAW
@given(data=st.lists(st.dictionaries(COLUMNS, CELLS, max_size=4), min_size=1, max_size=4))
def test_a_new_bank(data: list[dict[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "llmctl.toml").write_text("[project]\n", encoding="utf-8")
        config, notes = load_config(root / "llmctl.toml", {}), Notes()
        table = open_table(dataset(root, data))
        try:
            found = column_map(table, {}, frozenset(), notes)
            bank = NewBank("new", (), ({"length": {"min": 0}},))
            count = write_new_bank(config, bank, table, row_reader(table, found, root, []), notes)
        except UsageError:
            assert not (root / "testbanks").exists() or not list((root / "testbanks").iterdir())
        else:
            assert len(opened_bank(config, "new").cases) == count.written
