"""The committed baseline, `testbanks/.baseline/<bank>.jsonl`: counts and keys by cell and case, no texts, no times.

First a line that says where each cell's prompt came from, so that it can be asked again; then a line for each cell and
case, sorted, so that saving the same results again changes no byte and git shows, and merges, what changed.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote as in_url

import orjson

from llmctl.compare.cells import Cell
from llmctl.compare.gate.evidence import CellEvidence, GateCase
from llmctl.compare.gate.origins import PromptOrigin
from llmctl.errors import Place, Problem, ProjectError, UnfinishedError
from llmctl.project.models import Config

__all__ = ["FORMAT", "Baseline", "baseline_path", "read_baseline", "write_baseline"]

FORMAT = "llmctl/baseline/1"
_HINT = "Save it again: `llmctl baseline save`. After a merge with conflicts, too."
_MAX_DIGEST = 64


@dataclass(frozen=True)
class Baseline:
    """What a bank's file holds."""

    bank: str
    path: Path
    cells: Mapping[Cell, CellEvidence]
    """Cases have their id and digest only: tags, groups and `must_pass` are the candidate's."""
    origins: Mapping[Cell, PromptOrigin]


def baseline_path(config: Config, bank: str) -> Path:
    """Where the committed baseline of a bank lies."""
    folder = config.testbanks / ".baseline"
    parts = [in_url(part, safe=" ") for part in bank.split("/")]
    return folder.joinpath(*parts[:-1], f"{parts[-1]}.jsonl")


def write_baseline(
    config: Config, bank: str, cells: Mapping[Cell, CellEvidence], origins: Mapping[Cell, PromptOrigin]
) -> Path:
    """Write the file of a bank whole; where it lies. Cells of other banks are passed over.

    Raises:
        UnfinishedError: it cannot be written.
    """
    own = {cell: cells[cell] for cell in sorted(cells) if cell.bank == bank}
    path = baseline_path(config, bank)
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with scratch.open("xb") as file:  # "x": never through a link that somebody put there
                file.writelines(_lines(own, origins))
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)
    except OSError as error:
        raise UnfinishedError(f"The baseline {path} cannot be written: {error.strerror}.") from None
    return path


def _lines(cells: Mapping[Cell, CellEvidence], origins: Mapping[Cell, PromptOrigin]) -> Iterator[bytes]:
    head = {
        "format": FORMAT,
        "cells": [
            {
                "prompt": cell.prompt,
                "model": cell.model,
                "commit": origins[cell].commit if cell in origins else None,
                "digest": origins[cell].digest if cell in origins else "",
            }
            for cell in cells
        ],
    }
    yield orjson.dumps(head) + b"\n"
    for cell, evidence in cells.items():
        for number in sorted(range(len(evidence.cases)), key=lambda place: evidence.cases[place].case_id):
            yield orjson.dumps(_line(cell, evidence, number)) + b"\n"


def _line(cell: Cell, evidence: CellEvidence, number: int) -> dict[str, object]:
    case = evidence.cases[number]
    return {
        "prompt": cell.prompt,
        "model": cell.model,
        "case": case.case_id,
        "digest": case.digest[:_MAX_DIGEST],
        "planned": int(evidence.planned[number]),
        "evidence": int(evidence.evidence[number]),
        "passed": int(evidence.passed[number]),
        "calls": evidence.calls[number],
        "scores": evidence.scores[number],
    }


def read_baseline(config: Config, bank: str) -> Baseline | None:
    """The committed baseline of a bank; None where it has none.

    Raises:
        ProjectError: the file is there and is not what `write_baseline` writes; says in which line.
    """
    path = baseline_path(config, bank)
    try:
        lines = path.read_bytes().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _broken(path, None, f"The baseline cannot be read: {error.strerror}.") from None
    reader = _Reader(path, bank)
    reader.head(lines[0] if lines else b"")
    for number, line in enumerate(lines[1:], 2):
        reader.case(number, line)
    return reader.baseline()


@dataclass(frozen=True, slots=True)
class _Case:
    """One line."""

    case: GateCase
    evidence: int
    passed: int
    calls: str
    scores: str


class _Reader:
    """Reads line after line, strictly."""

    def __init__(self, path: Path, bank: str) -> None:
        self._path = path
        self._bank = bank
        self._origins: dict[Cell, PromptOrigin] = {}
        self._cases: dict[Cell, dict[str, _Case]] = {}
        self._by_names: dict[tuple[str, str], dict[str, _Case]] = {}
        """The same by prompt and model."""

    def head(self, line: bytes) -> None:
        """The first line."""
        head = self._object(1, line)
        if head.get("format") != FORMAT:
            raise _broken(self._path, 1, f"The first line does not say that this is a baseline ({FORMAT}).")
        self._has_only(1, head, {"format": str, "cells": list})
        for one in head["cells"]:
            if not isinstance(one, dict):
                raise _broken(self._path, 1, "A cell of the baseline is no object.")
            commit = one.pop("commit", None)
            if not isinstance(commit, str | None):
                raise _broken(self._path, 1, "`commit` must be text or null.")
            self._has_only(1, one, {"prompt": str, "model": str, "digest": str})
            cell = Cell(self._bank, one["prompt"], one["model"])
            self._origins[cell] = PromptOrigin(commit, one["digest"])
            self._cases[cell] = self._by_names[cell.prompt, cell.model] = {}

    def case(self, number: int, line: bytes) -> None:
        """Any other line."""
        one = self._object(number, line)
        if tuple(one) != _NAMES or tuple(map(type, one.values())) != _KINDS:  # as it was written: quick
            self._has_only(number, one, _KEYS)
        cases = self._by_names.get((one["prompt"], one["model"]))
        if cases is None:
            raise _broken(self._path, number, f"The first line names no cell {one['prompt']} · {one['model']}.")
        planned, evidence, passed = one["planned"], one["evidence"], one["passed"]
        if not 0 <= passed <= evidence or planned < 1:
            raise _broken(self._path, number, f"{passed} passed of {evidence}, {planned} planned, is no count.")
        if one["case"] in cases:
            raise _broken(self._path, number, "The case stands there twice.")
        case = GateCase(one["case"], planned, one["digest"])
        cases[case.case_id] = _Case(case, evidence, passed, one["calls"], one["scores"])

    def baseline(self) -> Baseline:
        """What was read."""
        cells = {cell: _evidence(cell, cases.values()) for cell, cases in self._cases.items()}
        return Baseline(self._bank, self._path, cells, self._origins)

    def _object(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise _broken(self._path, number, f"This is not JSON: {error.msg}.") from None
        if not isinstance(value, dict):
            raise _broken(self._path, number, "This line is no JSON object.")
        return value

    def _has_only(self, number: int, one: dict[str, Any], keys: Mapping[str, type]) -> None:
        if one.keys() != keys.keys():
            wrong = sorted(one.keys() ^ keys.keys())[0]
            what = f"`{wrong}` is missing" if wrong in keys else f"`{wrong}` is no key of a baseline"
            raise _broken(self._path, number, f"{what}.")
        for name, kind in keys.items():
            if type(one[name]) is not kind:  # a truth value is no count
                raise _broken(self._path, number, f"`{name}` must be {_WORDS[kind]}.")


_KEYS: Mapping[str, type] = {
    "prompt": str,
    "model": str,
    "case": str,
    "digest": str,
    "planned": int,
    "evidence": int,
    "passed": int,
    "calls": str,
    "scores": str,
}
_NAMES, _KINDS = tuple(_KEYS), tuple(_KEYS.values())
_WORDS: Mapping[type, str] = {str: "text", int: "a whole number", list: "a list"}


def _evidence(cell: Cell, lines: Iterable[_Case]) -> CellEvidence:
    found = list(lines)
    evidence = CellEvidence(cell, [one.case for one in found])
    for number, one in enumerate(found):
        evidence.evidence[number], evidence.passed[number] = one.evidence, one.passed
        evidence.calls[number], evidence.scores[number] = one.calls, one.scores
    return evidence


def _broken(path: Path, line: int | None, message: str) -> ProjectError:
    return ProjectError([Problem(message, Place(path, line), _HINT)])
