"""The key of a score: the same key always means the same score."""

from __future__ import annotations

import dataclasses
import hashlib
import json

from llmctl.canonical import digest
from llmctl.evaluators.base import Context, Evaluator, Models
from llmctl.evaluators.built import BuiltEvaluator
from llmctl.project.models import EvaluatorSpec

__all__ = ["evaluator_key", "score_key"]


def evaluator_key(evaluator: Evaluator, spec: EvaluatorSpec, against: object, model: str) -> str:
    """Digest of what decides a score beside output and case: name, arguments, `extract`, `against`, model.

    Metric name and weight are not in it: they change what a score counts for, not the score.
    """
    arguments: dict[str, object] = {}
    for field in dataclasses.fields(evaluator):  # type: ignore[arg-type]
        value = getattr(evaluator, field.name)
        if field.name == "children":
            arguments["children"] = [child.key for child in value]
        elif field.init and "setting" not in field.metadata:
            arguments[field.name] = value
    identity = evaluator.identity()
    model = model if evaluator.embeds() else ""
    return _digest(spec.name, arguments, spec.extract, spec.has_against, against, identity, model)


def score_key(built: BuiltEvaluator, context: Context, models: Models = Models()) -> str:  # noqa: B008  # frozen
    """The key of one score: output, evaluator, all that it reads of the case and the call, the models it uses."""
    reads = {name: getattr(context, name) for name in built.reads} if built.reads else {}
    has_expected = context.has_expected and "expected" in reads
    embedding = models.embedding if models.embedding and built.embeds else ""
    if built.asks:
        asked = {name: models.asked.get(name, "") for name in built.asks}
        return _digest(context.output, built.key, reads, has_expected, embedding, asked)
    return _digest(context.output, built.key, reads, has_expected, embedding)


def _digest(*parts: object) -> str:
    try:
        return digest(*parts)
    except TypeError:  # orjson: half a surrogate pair, or a number beyond 64 bits
        text = json.dumps(parts, sort_keys=True, default=repr)
        return hashlib.sha256(text.encode()).hexdigest()
