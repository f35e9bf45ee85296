"""`llmctl.toml`: where the project's files lie, its models, and the defaults of its commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping as MappingType
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import Field

from llmctl.errors import Problem
from llmctl.project.gate_rules import GateShape, gate_rules
from llmctl.project.key_guard import guard_keys, looks_like_key
from llmctl.project.models import (
    Config,
    EvalSettings,
    GateSettings,
    JudgeSettings,
    ModelConfig,
    Price,
    SemanticSettings,
)
from llmctl.project.shape_errors import check_parts, kind_of
from llmctl.project.shapes import Fraction, Maybe, Name, Number, PlainMapping, Shape, TextList, Truth, Whole, given
from llmctl.project.syntax.document import Document

__all__ = ["ConfigShape", "config_of"]

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_AGE = re.compile(r"[0-9]{1,6}[smhdw]")
_ONE_OR_MORE = Annotated[Whole, Field(ge=1)]


class ProjectShape(Shape):
    """`[project]`."""

    prompts: Name = "prompts"
    testbanks: Name = "testbanks"
    store: Name = ".llmctl"
    allow_code: Truth = False


class PriceShape(Shape):
    """USD per million tokens."""

    input: Annotated[Number, Field(ge=0)]
    output: Annotated[Number, Field(ge=0)]


class ModelShape(Shape):
    """`[models.NAME]`."""

    model: Name
    transport: Maybe[Literal["direct", "litellm"]] = None
    api_key_env: Maybe[Name] = None
    api_base: Maybe[Name] = None
    params: PlainMapping = Field(default_factory=dict)
    drop: TextList = Field(default_factory=list)
    options: PlainMapping = Field(default_factory=dict)
    requests_per_minute: Maybe[_ONE_OR_MORE] = None
    tokens_per_minute: Maybe[_ONE_OR_MORE] = None
    price: Maybe[PriceShape] = None


class EvalShape(Shape):
    """`[eval]`."""

    concurrency: Annotated[Whole, Field(ge=1, le=10_000)] = 32
    repeat: _ONE_OR_MORE = 1
    timeout_s: Annotated[Number, Field(gt=0)] = 60.0
    cache_max_age: Name = "7d"
    max_cost: Maybe[Annotated[Number, Field(ge=0)]] = None


class SemanticShape(Shape):
    """`[semantic]`."""

    model: Name = "all-MiniLM-L6-v2"
    threshold: Fraction = 0.8


class JudgeShape(Shape):
    """`[judge]`."""

    model: Maybe[Name] = None


class GateConfigShape(GateShape):
    """`[gate]`: settings of the command, and the rules for banks without their own."""

    baseline: Maybe[Name] = None
    inconclusive: Literal["fail", "warn"] = "fail"
    alpha: Annotated[Number, Field(gt=0, lt=1)] = 0.05
    max_missing: Annotated[Number, Field(ge=0, lt=1)] = 0.02


class ConfigShape(Shape):
    """`llmctl.toml`."""

    project: ProjectShape = ProjectShape()
    models: dict[str, ModelShape] = Field(default_factory=dict)
    eval: EvalShape = EvalShape()
    semantic: SemanticShape = SemanticShape()
    judge: JudgeShape = JudgeShape()
    gate: GateConfigShape = GateConfigShape()


def config_of(document: Document, path: Path, environ: MappingType[str, str], problems: list[Problem]) -> Config | None:
    """The config of a file that lies at `path`, or None with every mistake added to `problems`."""
    found = list(document.problems)
    shape = check_parts(ConfigShape, document, found) if document.readable else None
    if document.readable:
        guard_keys(document, found)
    if shape is not None:
        found.extend(_meaningless(shape, document, path.resolve().parent))
    problems.extend(found)
    return None if shape is None or found else _config(shape, document, path.resolve(), environ)


def _meaningless(shape: ConfigShape, document: Document, root: Path) -> Iterator[Problem]:
    """Values of the right type that cannot be meant."""
    for key in ("prompts", "testbanks"):
        path = ("project", key)
        if given(shape.project, key) and not _inside(root, getattr(shape.project, key)):
            hint = "Write a folder below the one that holds llmctl.toml, with / between names."
            yield document.problem(path, f"`{key}` must lie inside the project.", hint)
    if not _AGE.fullmatch(shape.eval.cache_max_age):
        message = f"`cache_max_age` is a number and a unit, not {kind_of(shape.eval.cache_max_age)}."
        yield document.problem(("eval", "cache_max_age"), message, "Write 30s, 15m, 12h, 7d or 2w.")
    for name, model in shape.models.items():
        yield from _meaningless_model(model, document, ("models", name))


def _meaningless_model(model: ModelShape, document: Document, path: tuple[str, ...]) -> Iterator[Problem]:
    if path[-1] == "" or "@" in path[-1]:
        yield document.problem(path, "A model's name cannot be empty or hold `@`.", key=True)
    variable = model.api_key_env
    if variable and not looks_like_key(variable) and not _VARIABLE.fullmatch(variable):
        message = f"`{variable}` cannot be the name of an environment variable."
        yield document.problem((*path, "api_key_env"), message, "Write it like OPENAI_API_KEY.")
    if model.api_base and not model.api_base.startswith(("http://", "https://")):
        message = f"`api_base` must be a URL, not {kind_of(model.api_base)}."
        yield document.problem((*path, "api_base"), message, "Begin it with https:// or http://.")


def _inside(root: Path, folder: str) -> bool:
    if "\\" in folder or "\0" in folder or PurePosixPath(folder).is_absolute():
        return False
    return (root / folder).resolve().is_relative_to(root)


def _config(shape: ConfigShape, document: Document, path: Path, environ: MappingType[str, str]) -> Config:
    root = path.parent
    store = Path(environ.get("LLMCTL_STORE") or shape.project.store).expanduser()
    gate = shape.gate
    return Config(
        root=root,
        path=path,
        prompts=root / shape.project.prompts,
        testbanks=root / shape.project.testbanks,
        store=root / store,
        models={name: _model(name, model, document) for name, model in shape.models.items()},
        eval=EvalSettings(**shape.eval.model_dump()),
        semantic=SemanticSettings(**shape.semantic.model_dump()),
        judge=JudgeSettings(shape.judge.model, document.place(("judge", "model"))),
        gate=GateSettings(
            gate.baseline, gate.inconclusive, gate.alpha, gate.max_missing, gate_rules(gate, document, ("gate",))
        ),
        allow_code=shape.project.allow_code,
    )


def _model(name: str, shape: ModelShape, document: Document) -> ModelConfig:
    return ModelConfig(
        name=name,
        model=shape.model,
        transport=shape.transport,
        api_key_env=shape.api_key_env,
        api_base=shape.api_base,
        params=shape.params,
        drop=tuple(shape.drop),
        options=shape.options,
        requests_per_minute=shape.requests_per_minute,
        tokens_per_minute=shape.tokens_per_minute,
        price=Price(shape.price.input, shape.price.output) if shape.price else None,
        place=document.place(("models", name), key=True),
    )
