"""docs/migrating.md says of every assertion, class and scorer what becomes of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llmctl.importers.inspect_ai.scorers import SCORERS
from llmctl.importers.openai_evals.classes import CLASSES, GRADED
from llmctl.importers.promptfoo.assertions import BUILDERS
from llmctl.importers.promptfoo.types import ASSERTION_TYPES, UNCONVERTED

PAGE = (Path(__file__).parents[2] / "docs/migrating.md").read_text(encoding="utf-8")
TABLE, REST = PAGE.split("\nNot converted, since", maxsplit=1)


@pytest.mark.parametrize("kind", sorted(ASSERTION_TYPES | set(UNCONVERTED) | {"assert-set"}))
def test_every_type_is_on_the_page(kind: str) -> None:
    converted = kind in BUILDERS or kind == "assert-set"
    where = TABLE if converted and kind != "similar:euclidean" else REST
    assert re.search(rf"`{re.escape(kind)}`", where)


@pytest.mark.parametrize("name", [*CLASSES, GRADED])
def test_every_class_of_openai_evals_is_on_the_page(name: str) -> None:
    assert f"\n| `{name}` |" in REST


@pytest.mark.parametrize("name", SCORERS)
def test_every_scorer_of_inspect_is_on_the_page(name: str) -> None:
    assert re.search(rf"\n\| (`\w+`, )?`{name}`(, `\w+`)? \|", REST)


def test_every_type_has_a_builder_or_a_reason() -> None:
    assert set(BUILDERS) | set(UNCONVERTED) >= ASSERTION_TYPES
