"""The rules of a gate, as a bank's `gate:` and the config's `[gate]` write them."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Discriminator, Field, Tag

from llmctl.project.models import GateRules, RateRule
from llmctl.project.shapes import Fraction, Maybe, Number, Shape, Whole
from llmctl.project.syntax.document import Document

__all__ = ["GateShape", "RulesShape", "gate_rules"]

Positive = Annotated[Number, Field(gt=0)]


class RateShape(Shape):
    """`{rate: 0.9, confidence: 0.95}`: about cases like these."""

    tag: ClassVar[str] = "<rate>"

    rate: Fraction
    confidence: Annotated[Number, Field(gt=0, lt=1)]


def _rate_or_number(value: object) -> str:
    return "<rate>" if isinstance(value, dict | RateShape) else "<number>"


Rate = Annotated[
    Annotated[Fraction, Tag("<number>")] | Annotated[RateShape, Tag("<rate>")],
    Discriminator(_rate_or_number),
]


class RulesShape(Shape):
    """Rules that all must hold."""

    min_pass_rate: Maybe[Rate] = None
    max_new_failures: Maybe[Annotated[Whole, Field(ge=0)]] = None
    margin: Maybe[Annotated[Number, Field(gt=0, lt=1)]] = None
    max_flake_rate: Maybe[Fraction] = None
    max_latency_p95_ms: Maybe[Positive] = None
    max_cost_per_1000_usd: Maybe[Annotated[Number, Field(ge=0)]] = None


class GateShape(RulesShape):
    """Rules of a bank, and of the cases with a tag."""

    tags: dict[str, RulesShape] = Field(default_factory=dict)


def gate_rules(shape: RulesShape, document: Document, path: tuple[str, ...]) -> GateRules | None:
    """The rules that stand at `path` of a document, or None where there is not one."""
    tags = {}
    if isinstance(shape, GateShape):
        inner = {tag: gate_rules(rules, document, (*path, "tags", tag)) for tag, rules in shape.tags.items()}
        tags = {tag: rules for tag, rules in inner.items() if rules is not None}
    rate = shape.min_pass_rate
    rules = GateRules(
        min_pass_rate=RateRule(rate.rate, rate.confidence) if isinstance(rate, RateShape) else _observed(rate),
        max_new_failures=shape.max_new_failures,
        margin=shape.margin,
        max_flake_rate=shape.max_flake_rate,
        max_latency_p95_ms=shape.max_latency_p95_ms,
        max_cost_per_1000_usd=shape.max_cost_per_1000_usd,
        tags=tags,
        places={
            key: document.place((*path, key), key=True)
            for key in RulesShape.model_fields
            if getattr(shape, key) is not None
        },
    )
    return None if rules == GateRules() else rules


def _observed(rate: float | None) -> RateRule | None:
    return None if rate is None else RateRule(rate)
