"""Registry files of OpenAI Evals: names that point to versions, versions with a class, samples and arguments."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from llmctl.errors import Place, UsageError
from llmctl.importers.conversion import Notes
from llmctl.importers.foreign_files import ForeignFiles
from llmctl.importers.openai_evals.classes import CLASSES, GRADED, UNCONVERTED
from llmctl.project.shape_errors import nearest, quoted_list
from llmctl.project.sources import Source
from llmctl.project.syntax.document import Document

__all__ = ["RegisteredEval", "registered_evals"]

_ARGS = frozenset(
    [
        *("samples_jsonl", "few_shot_jsonl", "num_few_shot", "max_tokens", "ignore_case", "modelgraded_spec"),
        *("modelgraded_spec_args", "sample_kwargs", "eval_type", "multicomp_n", "metaeval"),
    ]
)
_UNCONVERTED_ARGS = {
    "eval_kwargs": "The judge is asked by llmctl's own prompt and parameters.",
    "match_fn": "The judge answers with one of the choices as JSON: nothing has to be found in its text.",
}


@dataclass(frozen=True, slots=True)
class RegisteredEval:
    """One version of an eval."""

    name: str
    class_name: str
    """`Match`."""
    samples: PurePosixPath
    tree: Source
    place: Place
    args: Mapping[str, object] = field(default_factory=dict)
    description: str | None = None
    few_shot: PurePosixPath | None = None
    spec: Mapping[str, object] | None = None
    """Of a model-graded eval: how the model grades."""
    spec_args: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Version:
    name: str
    title: str
    """The name that people run."""
    description: str | None
    data: Mapping[str, object]
    place: Place


@dataclass(slots=True)
class _Registry:
    """The folder that holds `evals/`, `data/` and `modelgraded/`; or the folder of a YAML file that stands alone."""

    files: ForeignFiles
    notes: Notes

    def data_path(self, named: str, at: Place) -> PurePosixPath:
        """Samples as an eval names them: below `data/`, or beside the YAML file."""
        path = self.files.path(named, at)
        below = PurePosixPath("data") / path
        return below if (self.files.tree.root / below).is_file() else path

    def spec(self, name: str, at: Place) -> Mapping[str, object] | None:
        """A spec of `modelgraded/` by its name."""
        folder = PurePosixPath("modelgraded")
        first = folder / f"{name}.yaml"
        rest = sorted(p.name for p in (self.files.tree.root / folder).glob("*.yaml"))
        for path in dict.fromkeys([first, *(folder / other for other in rest)]):
            if (self.files.tree.root / path).is_file():
                data = self.files.document(path, at).data
                if isinstance(data, dict) and isinstance(data.get(name), dict):
                    found: Mapping[str, object] = data[name]
                    return found
        return None


def registered_evals(path: Path, wanted: Sequence[str], notes: Notes) -> list[RegisteredEval]:
    """The evals of a registry file that can be converted; of the others it is noted why not.

    Raises:
        UsageError: one of the wanted names is not in the file.
        ProjectError: the file cannot be read, or names files that are not there.
    """
    root = _root(path)
    registry = _Registry(ForeignFiles(root), notes)
    found: list[RegisteredEval] = []
    for file, names in _files(path, root, wanted).items():
        inside = PurePosixPath(posixpath.relpath(file.resolve().as_posix(), root.resolve().as_posix()))
        versions = _versions(registry.files.document(inside, None), names, notes)
        found += [one for version in versions if (one := _registered(version, registry))]
    return found


def _root(path: Path) -> Path:
    """The folder that holds `evals/`; of a file that lies elsewhere its own."""
    if path.is_dir():
        return path.parent if path.name == "evals" else path
    return path.parent.parent if path.parent.name == "evals" else path.parent


def _files(path: Path, root: Path, wanted: Sequence[str]) -> dict[Path, list[str]]:
    """The file itself, or those of a registry that hold a wanted name, with the names that are wanted of each."""
    if not path.is_dir():
        return {path: list(wanted)}
    files = sorted((root / "evals").glob("*.yaml"))
    if not wanted:
        raise UsageError(f"{path} is a whole registry.", hint="Choose evals of it with --eval NAME.")
    texts = {file: file.read_bytes() for file in files}
    found: dict[Path, list[str]] = {}
    for name in wanted:
        file = next((file for file, text in texts.items() if _begins_line(text, f"{name}:".encode())), None)
        if file is None:
            raise UsageError(f"No file in {root / 'evals'} holds the eval `{name}`.")
        found.setdefault(file, []).append(name)
    return found


def _begins_line(data: bytes, start: bytes) -> bool:
    return data.startswith(start) or b"\n" + start in data


def _versions(document: Document, wanted: Sequence[str], notes: Notes) -> list[_Version]:
    data = document.data if isinstance(document.data, dict) else {}
    entries = {name: entry for name, entry in data.items() if isinstance(entry, dict)}
    titles = {str(entry["id"]): name for name, entry in entries.items() if "class" not in entry and "id" in entry}
    for name in wanted:
        if name in entries:
            continue
        hint = nearest(name, entries) or (f"It holds {quoted_list(list(titles.values()) or list(entries))}.")
        raise UsageError(f"There is no eval `{name}` in {document.file}.", hint=hint)
    found = [
        _Version(name, title := titles.get(name, name), _text(entries.get(title, {}), "description"), entry, place)
        for name, entry in entries.items()
        if "class" in entry
        for place in [document.place((name,), key=True)]
    ]
    if not found:
        raise UsageError(f"{document.file} holds no eval: no entry has a `class`.")
    if wanted:
        return [version for version in found if version.name in wanted or version.title in wanted]
    chosen = []
    for version in found:
        base = version.name.split(".")[0]
        if version.name in titles or base not in titles.values():
            chosen.append(version)
        else:
            why = f"`{base}` points to another version; --eval {version.name} imports this one."
            notes.left_out(f"eval {version.name}", why, version.place)
    return chosen


def _text(data: Mapping[str, object], key: str) -> str | None:
    value = data.get(key)
    return value.strip() or None if isinstance(value, str) else None


def _registered(version: _Version, registry: _Registry) -> RegisteredEval | None:
    args = version.data.get("args")
    args = args if isinstance(args, dict) else {}
    class_name = str(version.data["class"]).rpartition(":")[2]
    what = f"eval {version.title}"
    reason = _no_conversion(class_name, args)
    spec = None
    if reason is None and class_name == GRADED:
        spec = registry.spec(str(args.get("modelgraded_spec")), version.place)
        reason = None if spec else f"There is no spec `{args.get('modelgraded_spec')}` in modelgraded/ of the registry."
    if reason is not None:
        registry.notes.left_out(what, reason, version.place)
        return None
    _note_args(args, version, registry.notes)
    few_shot, spec_args = args.get("few_shot_jsonl"), args.get("modelgraded_spec_args")
    samples = registry.data_path(str(args["samples_jsonl"]), version.place)
    return RegisteredEval(
        name=version.title,
        class_name=class_name,
        samples=samples,
        tree=registry.files.tree,
        place=version.place,
        args=args,
        description=version.description,
        few_shot=registry.data_path(few_shot, version.place) if isinstance(few_shot, str) else None,
        spec=spec,
        spec_args=spec_args if isinstance(spec_args, dict) else {},
    )


def _no_conversion(class_name: str, args: Mapping[str, object]) -> str | None:
    """Why there is nothing here that does the same."""
    if class_name not in CLASSES and class_name != GRADED:
        return UNCONVERTED.get(class_name, f"Its class `{class_name}` is a program of its own.")
    if not isinstance(args.get("samples_jsonl"), str):
        return "It names no `samples_jsonl`."
    if class_name == GRADED and args.get("multicomp_n", 1) != 1:
        return "It grades several answers to one question together; a case here has one."
    if class_name == GRADED and args.get("metaeval"):
        return "It measures the grader against labels: that is `llmctl judge calibrate`."
    return None


def _note_args(args: Mapping[str, object], version: _Version, notes: Notes) -> None:
    for key in args:
        if key not in _ARGS:
            why = _UNCONVERTED_ARGS.get(str(key), "llmctl has nothing for it.")
            notes.left_out(f"args.{key}", why, version.place)
