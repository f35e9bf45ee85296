"""The shared check values of sequential methods, and published boundaries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmctl.stats.gaussian_boundaries import gaussian_boundaries
from llmctl.stats.signflip_boundaries import SignFlipBoundary
from llmctl.stats.spending import SpendingFunction, obrien_fleming_type, pocock_type, power_family

_SEQUENTIAL = {"alpha_spend_sign_bounds", "seq_signflip_bounds"}
_VECTORS = [
    vector
    for vector in json.loads((Path(__file__).parent / "vectors.json").read_text(encoding="utf-8"))["vectors"]
    if vector["fn"] in _SEQUENTIAL
]


def _spending(name: str) -> SpendingFunction:
    return power_family(float(name.removeprefix("t^")))


def test_there_are_vectors() -> None:
    assert {vector["fn"] for vector in _VECTORS} == _SEQUENTIAL


@pytest.mark.parametrize("vector", _VECTORS, ids=lambda vector: vector["id"])
def test_shared_vectors_hold(vector: dict[str, Any]) -> None:
    given, expected = vector["input"], vector["expected"]
    boundary = SignFlipBoundary(given["alpha"], _spending(given["spend"]))
    if vector["fn"] == "seq_signflip_bounds":
        found = [
            boundary.look(magnitudes, fraction).critical
            for magnitudes, fraction in zip(given["absd_by_look"], given["frac"], strict=True)
        ]
        assert found == expected["crit_sum"]
        return
    pairs = 0
    for count, fraction, critical in zip(given["ndisc"], given["frac"], expected["crit_losses"], strict=True):
        look = boundary.look([1] * (count - pairs), fraction)
        pairs = count
        assert look.critical is not None
        assert (look.critical + pairs) / 2 == critical  # S = losses - gains, losses + gains = pairs
    assert boundary.spent == pytest.approx(expected["spent"], abs=vector["tol"])


_FIFTHS = (0.2, 0.4, 0.6, 0.8, 1.0)


@pytest.mark.parametrize(
    ("spend", "published"),
    [  # five equal looks, two-sided 0.05: Lan and DeMets (1983), as the R package ldbounds prints them
        (obrien_fleming_type, (4.8769, 3.3569, 2.6803, 2.2898, 2.0310)),
        (pocock_type, (2.4380, 2.4268, 2.4101, 2.3966, 2.3860)),
    ],
)
def test_gaussian_boundaries_are_the_published_ones(spend: SpendingFunction, published: tuple[float, ...]) -> None:
    assert gaussian_boundaries(_FIFTHS, 0.025, spend) == pytest.approx(published, abs=2e-4)


def test_one_look_is_the_plain_normal_quantile() -> None:
    assert gaussian_boundaries((1.0,), 0.05) == pytest.approx((1.6448536269514722,), abs=1e-9)


def test_a_path_of_no_effect_crosses_as_often_as_allowed() -> None:
    import numpy as np

    fractions = tuple(at / 500 for at in range(50, 501, 25))
    random = np.random.default_rng(3)
    steps = np.diff((0.0, *fractions))
    paths = np.cumsum(random.normal(size=(40_000, len(steps))) * np.sqrt(steps), axis=1) / np.sqrt(fractions)
    crossed = (paths >= gaussian_boundaries(fractions, 0.05)).any(axis=1).mean()
    assert crossed == pytest.approx(0.05, abs=0.0045)


@pytest.mark.parametrize("fractions", [(), (0.5, 0.5), (0.5, 0.4), (0.5, 1.1), (0.0, 1.0)])
def test_looks_that_do_not_rise_are_refused(fractions: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="rising"):
        gaussian_boundaries(fractions, 0.05)


@pytest.mark.parametrize("spend", [power_family(1.5), power_family(2), pocock_type, obrien_fleming_type])
def test_spending_starts_at_nothing_rises_and_ends_at_alpha(spend: SpendingFunction) -> None:
    spent = [spend(at / 20, 0.05) for at in range(21)]
    assert spent[0] == 0
    assert spent == sorted(spent)
    assert spent[-1] == pytest.approx(0.05, abs=1e-12)
    with pytest.raises(ValueError, match="share"):
        spend(1.01, 0.05)


def test_an_exponent_is_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        power_family(0)
