"""A file of evaluators alone: what logged answers are scored by where no bank is named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import Field

from llmctl.canonical import digest
from llmctl.errors import Problem, ProjectError, Severity
from llmctl.project.evaluator_entry import EvaluatorEntries, EvaluatorNames
from llmctl.project.gate_rules import GateShape, gate_rules
from llmctl.project.models import EvaluatorSpec, GateRules
from llmctl.project.references import Companions, read_file
from llmctl.project.shape_errors import check_parts
from llmctl.project.shapes import Fraction, Items, Maybe, Shape
from llmctl.project.sources import WorkingTree
from llmctl.project.syntax.yaml_reader import read_yaml

__all__ = ["EvaluatorsFile", "read_evaluators"]


class EvaluatorsShape(Shape):
    """The keys of a bank that do not speak of cases."""

    evaluators: Items = Field(default_factory=list)
    pass_score: Maybe[Fraction] = None
    gate: Maybe[GateShape] = None


@dataclass(frozen=True, slots=True)
class EvaluatorsFile:
    """What such a file holds."""

    path: Path
    evaluators: tuple[EvaluatorSpec, ...]
    pass_score: float | None = None
    gate: GateRules | None = None
    digest: str = ""


def read_evaluators(path: Path, names: EvaluatorNames) -> EvaluatorsFile:
    """Read a file with the same `evaluators:` (and `pass_score:`, `gate:`) as a bank.

    Raises:
        ProjectError: it cannot be read, or holds mistakes: all of them at once.
    """
    problems: list[Problem] = []
    source, name = WorkingTree(path.parent), PurePosixPath(path.name)
    raw = read_file(source, name, problems)
    found = None
    if raw is not None:
        document = read_yaml(raw, Path(name))
        companions = Companions(source, name, document, problems)
        found = _read(path, raw, EvaluatorEntries(document, companions, names, problems))
    if found is None or any(problem.severity is Severity.ERROR for problem in problems):
        raise ProjectError(problems)
    return found


def _read(path: Path, raw: bytes, entries: EvaluatorEntries) -> EvaluatorsFile | None:
    document, problems = entries.document, entries.problems
    problems.extend(document.problems)
    shape = check_parts(EvaluatorsShape, document, problems)
    if shape is None:
        return None
    specs = entries.read(shape.evaluators, ("evaluators",))
    if not specs and not problems:
        problems.append(document.problem((), "The file has no evaluator.", "Write some under `evaluators:`."))
    rules = gate_rules(shape.gate, document, ("gate",)) if shape.gate else None
    read = [(str(file.path), file.digest) for file in entries.companions.read]
    return EvaluatorsFile(path, specs, shape.pass_score, rules, digest(raw.hex(), read))
