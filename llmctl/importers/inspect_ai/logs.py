"""Logs of inspect_ai: the samples that a run was made of, its scorer, and its system message."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from llmctl.errors import Place, Problem, ProjectError, UsageError
from llmctl.importers.conversion import Notes
from llmctl.importers.inspect_ai.samples import InspectSample, inspect_sample
from llmctl.importers.inspect_ai.scorers import SCORERS, Scorer, scorer_of

__all__ = ["InspectLog", "is_log", "read_log"]

_MAX_UNPACKED_BYTES = 500 * 2**20
_HEADERS = ("header.json", "_journal/start.json")
_SOLVERS = frozenset({"generate", "multiple_choice", "system_message"})
_ZIP = b"PK"


@dataclass(frozen=True, slots=True)
class InspectLog:
    """What of a log is imported."""

    task: str
    samples: tuple[InspectSample, ...]
    scorers: tuple[tuple[str, Mapping[str, object]], ...]
    system: str | None
    place: Place

    def scorer(self, notes: Notes) -> Scorer:
        """The first scorer that has an evaluator.

        Raises:
            UsageError: none has.
        """
        names = [name for name, _ in self.scorers]
        found = next(((name, args) for name, args in self.scorers if name in SCORERS), None)
        for name in names:
            if found is None or name != found[0]:
                notes.left_out(f"scorer {name}", "It has no evaluator here, or another one is taken.", self.place)
        if not names:
            raise UsageError("The log names no scorer.", hint="Name one with --scorer.")
        name, args = found or (names[0], {})
        known = SCORERS[name].args if name in SCORERS else ()
        for key, value in args.items():
            if key not in known and value is not None:
                notes.left_out(f"scorer {name}: {key}", "The evaluator has nothing for it.", self.place)
        return scorer_of(name, {key: value for key, value in args.items() if key in known and value is not None})


def is_log(path: Path) -> bool:
    """Whether a file is a log, and no dataset."""
    if path.suffix.lower() == ".eval":
        return True
    if path.suffix.lower() != ".json":
        return False
    with path.open("rb") as file:
        start = file.read(4_096)
    return start.lstrip().startswith(b"{") and b'"eval"' in start and b'"version"' in start


def read_log(path: Path, notes: Notes) -> InspectLog:
    """A `.eval` file (a zip of JSON), or a log as one JSON file.

    Raises:
        ProjectError: it is damaged, too large, or holds no samples.
    """
    place = Place(Path(path.name))
    try:
        parts = list(_zip_parts(path)) if path.suffix.lower() == ".eval" else _json_parts(path)
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile, RuntimeError) as error:
        said = f"The log cannot be read: {error}."
        hint = "`inspect log convert --to json` writes it as JSON, which can be imported too."
        raise ProjectError([Problem(said, place, hint)]) from None
    header, *raw = parts
    samples = [inspect_sample(_known(one), _place(place, one), {}, notes) for one in raw if one.get("epoch", 1) == 1]
    if not samples:
        raise ProjectError([Problem("The log holds no samples.", place, "It may be of a run that was cut off.")])
    spec = _mapping(header.get("eval"))
    notes.changed("log", "Only samples and their scorer are imported: answers and scores of the run are not.", place)
    return InspectLog(
        task=str(spec.get("task") or path.stem).rpartition("/")[2],
        samples=tuple(samples),
        scorers=tuple(_scorers(spec)),
        system=_system(header, place, notes),
        place=place,
    )


def _zip_parts(path: Path) -> Iterator[Mapping[str, object]]:
    """The header, and every sample."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > _MAX_UNPACKED_BYTES:
            raise ValueError(f"it unpacks to more than {_MAX_UNPACKED_BYTES >> 20} MB")
        names = archive.namelist()
        head = next((name for name in _HEADERS if name in names), None)
        if head is None:
            raise ValueError("it has no header")
        yield _mapping(orjson.loads(archive.read(head)))
        for name in names:
            if name.startswith("samples/") and name.endswith(".json"):
                yield _mapping(orjson.loads(archive.read(name)))


def _json_parts(path: Path) -> Sequence[Mapping[str, object]]:
    if path.stat().st_size > _MAX_UNPACKED_BYTES:
        raise ValueError(f"it is larger than {_MAX_UNPACKED_BYTES >> 20} MB")
    data = _mapping(orjson.loads(path.read_bytes()))
    samples = data.get("samples")
    return [data, *map(_mapping, samples if isinstance(samples, list) else [])]


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _known(sample: Mapping[str, object]) -> Mapping[str, object]:
    """The sample's own fields, without what the run made of it."""
    return {key: sample[key] for key in _OWN if key in sample}


_OWN = ("id", "input", "target", "choices", "metadata", "sandbox", "files", "setup")


def _place(place: Place, sample: Mapping[str, object]) -> Place:
    return Place(place.file, None, None, f"sample {sample.get('id')}")


def _scorers(spec: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, object]]]:
    scorers = spec.get("scorers")
    for one in scorers if isinstance(scorers, list) else []:
        name = _mapping(one).get("name")
        if isinstance(name, str):
            yield name.rpartition("/")[2], _mapping(_mapping(one).get("options"))


def _system(header: Mapping[str, object], place: Place, notes: Notes) -> str | None:
    """The template of the solver `system_message`; other solvers are noted."""
    steps = _mapping(header.get("plan")).get("steps")
    system = None
    for step in steps if isinstance(steps, list) else []:
        name = str(_mapping(step).get("solver", "")).rpartition("/")[2]
        template = _mapping(_mapping(step).get("params")).get("template")
        if name == "system_message" and isinstance(template, str) and system is None:
            system = template
        elif name not in _SOLVERS:
            notes.left_out(f"solver {name}", "A solver is a program; prompts here are messages.", place)
    return system
