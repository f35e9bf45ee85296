"""The committed baseline: what is written is read again, to the byte, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmctl.compare.cells import Cell
from llmctl.compare.gate.baseline import baseline_path, read_baseline, write_baseline
from llmctl.compare.gate.evidence import CellEvidence, GateCase
from llmctl.compare.gate.origins import PromptOrigin, prompt_origins
from llmctl.compare.gate.pairs import Pairs
from llmctl.compare.gate.side_evidence import side_evidence
from llmctl.errors import ProjectError, UnfinishedError
from llmctl.project.models import Config
from tests.cli.conftest import Invoke
from tests.compare.gate.conftest import BANK, config_of, last_run, write
from tests.compare.gate.samples import CELL, evidence

ORIGIN = PromptOrigin("4f2a91c", "d" * 64)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    write(tmp_path, "llmctl.toml", "[project]\n")
    return config_of(tmp_path)


def test_a_run_survives_the_file_and_the_same_results_give_the_same_bytes(ticket_project: Path, llmctl: Invoke) -> None:
    config = config_of(ticket_project)
    llmctl("eval", "-r", "2")
    side = last_run(ticket_project)
    path = write_baseline(config, "triage", side_evidence(side), prompt_origins(side))
    assert path == ticket_project / "testbanks" / ".baseline" / "triage.jsonl"
    first = path.read_bytes()
    llmctl("eval", "-r", "2")
    again = last_run(ticket_project)
    assert again.run_id != side.run_id
    now = side_evidence(again)
    write_baseline(config, "triage", now, prompt_origins(again))
    assert path.read_bytes() == first
    assert [entry.name for entry in path.parent.iterdir()] == ["triage.jsonl"]
    read = read_baseline(config, "triage")
    assert read is not None
    assert read.origins == prompt_origins(again)
    pairs = Pairs(now[Cell("triage", "triage", "small")], read.cells[Cell("triage", "triage", "small")])
    assert (pairs.evidence_before.tolist(), pairs.passed_before.tolist()) == ([2, 2, 2, 0], [2, 0, 0, 0])
    assert (pairs.changed, pairs.absent) == (0, 0)


def test_the_file_holds_no_texts_and_is_sorted(ticket_project: Path, llmctl: Invoke) -> None:
    llmctl("eval")
    side = last_run(ticket_project)
    path = write_baseline(config_of(ticket_project), "triage", side_evidence(side), prompt_origins(side))
    head, *lines = map(json.loads, path.read_text().splitlines())
    assert head["format"] == "llmctl/baseline/1"
    assert [line["case"] for line in lines] == ["broken", "card", "legal", "parcel"]
    text = path.read_text()
    assert not any(word in text for word in ("declined", "shipping", "billing", "20261"))


def test_a_case_that_changed_is_no_pair_and_sorting_the_bank_changes_nothing(
    ticket_project: Path, llmctl: Invoke
) -> None:
    config = config_of(ticket_project)
    llmctl("eval")
    side = last_run(ticket_project)
    path = write_baseline(config, "triage", side_evidence(side), prompt_origins(side))
    before = path.read_bytes()
    lines = BANK.splitlines(keepends=True)
    write(ticket_project, "testbanks/triage.yaml", "".join(lines[:4] + lines[:3:-1]).replace("hard", "easy"))
    llmctl("eval")
    side = last_run(ticket_project)
    assert write_baseline(config, "triage", side_evidence(side), prompt_origins(side)).read_bytes() == before
    write(ticket_project, "testbanks/triage.yaml", BANK.replace("expected: shipping", "expected: parcels"))
    llmctl("eval")
    read = read_baseline(config, "triage")
    assert read is not None
    pairs = Pairs(next(iter(side_evidence(last_run(ticket_project)).values())), next(iter(read.cells.values())))
    assert (pairs.changed, pairs.absent) == (1, 0)


def test_a_bank_in_a_folder_and_other_banks(config: Config) -> None:
    deep = Cell("de/rück fragen", "p", "m")
    cells = {deep: CellEvidence(deep, [GateCase("a", 1, "x")]), CELL: evidence(["P"])}
    path = write_baseline(config, deep.bank, cells, {})
    assert path.parent == config.testbanks / ".baseline" / "de"
    read = read_baseline(config, deep.bank)
    assert read is not None
    assert (list(read.cells), read.origins[deep]) == ([deep], PromptOrigin(None, ""))
    assert read_baseline(config, "triage") is None


HEAD = '{"format":"llmctl/baseline/1","cells":[{"prompt":"triage","model":"small","commit":null,"digest":""}]}'
LINE = (
    '{"prompt":"triage","model":"small","case":"a","digest":"x","planned":1,"evidence":1,"passed":1,'
    '"calls":"c","scores":"s"}'
)


@pytest.mark.parametrize(
    ("lines", "line", "said"),
    [
        ([], 1, "This is not JSON"),
        (["[]"], 1, "This line is no JSON object."),
        (['{"format": "llmctl/baseline/2"}'], 1, "does not say that this is a baseline"),
        ([HEAD.replace('"commit":null', '"commit":3')], 1, "`commit` must be text or null."),
        ([HEAD.replace('"digest":""', '"digest":"","x":1')], 1, "`x` is no key of a baseline."),
        ([HEAD, "<<<<<<< HEAD"], 2, "This is not JSON"),
        ([HEAD, LINE, ""], 3, "This is not JSON"),
        ([HEAD, LINE, LINE], 3, "The case stands there twice."),
        ([HEAD, LINE.replace('"planned":1', '"planned":true')], 2, "`planned` must be a whole number."),
        ([HEAD, LINE.replace('"planned":1', '"planned":1.0')], 2, "`planned` must be a whole number."),
        ([HEAD, LINE.replace('"passed":1', '"passed":2')], 2, "2 passed of 1, 1 planned, is no count."),
        ([HEAD, LINE.replace('"passed":1,', "")], 2, "`passed` is missing."),
        ([HEAD, LINE.replace("small", "large")], 2, "The first line names no cell triage · large."),
        ([HEAD, LINE.replace('"a"', "NaN")], 2, "This is not JSON"),
    ],
)
def test_what_is_no_baseline_is_said_with_its_line(config: Config, lines: list[str], line: int, said: str) -> None:
    path = baseline_path(config, "triage")
    path.parent.mkdir(parents=True)
    path.write_text("".join(f"{one}\n" for one in lines))
    with pytest.raises(ProjectError) as caught:
        read_baseline(config, "triage")
    (problem,) = caught.value.problems
    assert problem.place is not None
    assert (problem.place.file, problem.place.line) == (path, line)
    assert said in problem.message
    assert "llmctl baseline save" in str(problem.hint)


def test_a_file_that_cannot_be_written_is_one_sentence(config: Config) -> None:
    config.testbanks.mkdir()
    (config.testbanks / ".baseline").write_text("in the way")
    with pytest.raises(UnfinishedError, match="cannot be written"):
        write_baseline(config, "triage", {CELL: evidence(["P"])}, {CELL: ORIGIN})
    assert read_baseline(config, "triage") is None
