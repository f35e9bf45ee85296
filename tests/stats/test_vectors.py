"""Vectors of other packages and of published examples: `vectors.json`, whose meta says where they come from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmctl.stats.agreement import cohen_kappa, krippendorff_alpha
from llmctl.stats.binomial import beta_credible
from llmctl.stats.bootstrap import bca_mean
from llmctl.stats.clustered import standard_error
from llmctl.stats.exact_power import midp_power
from llmctl.stats.intervals import Interval, wilson
from llmctl.stats.multiplicity import benjamini_hochberg, holm
from llmctl.stats.paired import PairedCounts, mcnemar, newcombe_interval
from llmctl.stats.permutation import sign_flip
from llmctl.stats.power import ScoreNoise, cases_for_drop, smallest_difference
from llmctl.stats.ppi import ppi_mean
from llmctl.stats.repeats import pass_at_k, pass_hat_k
from llmctl.stats.tango import tango_interval

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text())["vectors"]
SEQUENTIAL = {"alpha_spend_sign_bounds", "seq_signflip_bounds"}
"""Held by test_sequential_vectors.py."""

Answer = dict[str, Any]


def bounds(interval: Interval | None) -> Answer:
    assert interval is not None
    return {"lo": interval.low, "hi": interval.high}


def of_paired_counts(given: Answer) -> Answer:
    # The vectors take the first side minus the second, llmctl takes the candidate minus the baseline.
    counts = PairedCounts(given["a"], losses=given["c"], gains=given["b"], neither=given["d"])
    return {"diff": counts.difference, **bounds(newcombe_interval(counts, given["conf"]))}


def of_tango(given: Answer) -> Answer:
    interval = tango_interval(given["c"], given["b"], given["n"], given["conf"])
    return {"diff": (given["b"] - given["c"]) / given["n"], **bounds(interval)}


def of_mcnemar(given: Answer) -> Answer:
    test = mcnemar(given["b"], given["c"])
    return {"exact": test.exact, "midp": test.mid_p}


def of_sign_flip(given: Answer) -> Answer:
    test = sign_flip(given["d"])
    assert test is not None
    return {"count": test.count, "total": test.total, "p": test.p_value}


def of_bca(given: Answer) -> Answer:
    found = bca_mean(given["d"], confidence=given["conf"])
    assert found is not None
    return {
        "theta": found.estimate,
        "z0": found.bias_correction,
        "acc": found.acceleration,
        "q_lo": found.low_share,
        "q_hi": found.high_share,
        **bounds(found.interval),
    }


def of_adjusted(adjust: Callable[[list[float]], list[float]], given: Answer) -> Answer:
    adjusted = adjust(given["p"])
    return {"adj": adjusted, "n_reject": sum(p <= given["alpha"] for p in adjusted)}


def of_connor(given: Answer) -> Answer:
    size = cases_for_drop(
        given["loss"], given["gain"], alpha=given["alpha"], power=given["power"], sides=given["sided"]
    )
    assert size is not None
    return {"n_raw": size.raw, "n": size.cases}


def of_miller(given: Answer) -> Answer:
    noise = ScoreNoise(given["omega2"], given["sA2"], given["sB2"], given["KA"], given["KB"])
    return {"mde": smallest_difference(given["n"], noise, alpha=given["alpha"], power=given["power"])}


def of_krippendorff(given: Answer) -> Answer:
    units = [[value for value in item if value is not None] for item in zip(*given["data"], strict=True)]
    return {"alpha": krippendorff_alpha(units, given["level"])}


def of_ppi(given: Answer) -> Answer:
    weight = None if given["lam"] == "auto" else given["lam"]
    found = ppi_mean(given["human"], given["judge_labeled"], given["judge_unlabeled"], weight)
    assert found is not None
    return {"theta": found.mean, **bounds(found.interval(given["conf"]))}


FUNCTIONS: dict[str, Callable[[Answer], Answer]] = {
    "wilson": lambda given: bounds(wilson(given["x"], given["n"], given["conf"])),
    "beta_credible": lambda given: bounds(beta_credible(given["x"], given["n"], given["conf"], tuple(given["prior"]))),
    "mcnemar": of_mcnemar,
    "newcombe_paired": of_paired_counts,
    "tango_ci": of_tango,
    "clustered_se": lambda given: {
        "se": standard_error(given["x"], given["g"], small_sample=False),
        "se_finite": standard_error(given["x"], given["g"]),
    },
    "signflip_exact": of_sign_flip,
    "bca_mean": of_bca,
    "holm": lambda given: of_adjusted(holm, given),
    "fdr_bh": lambda given: of_adjusted(benjamini_hochberg, given),
    "mcnemar_n": of_connor,
    "mcnemar_exact_power_midp_1s": lambda given: {
        "power": midp_power(given["n"], given["loss"], given["gain"], given["alpha"])
    },
    "miller_mde": of_miller,
    "pass_at_k": lambda given: {
        "pass_at_k": pass_at_k(given["n"], given["c"], given["k"]),
        "pass_hat_k": pass_hat_k(given["n"], given["c"], given["k"]),
    },
    "cohen_kappa": lambda given: {"kappa": cohen_kappa(given["table"]).value},
    "krippendorff_alpha": of_krippendorff,
    "ppi_mean": of_ppi,
}


@pytest.mark.parametrize(
    "vector", [pytest.param(vector, id=vector["id"]) for vector in VECTORS if vector["fn"] not in SEQUENTIAL]
)
def test_vector(vector: Answer) -> None:
    answer = FUNCTIONS[vector["fn"]](vector["input"])
    assert answer.keys() == vector["expected"].keys()
    for name, expected in vector["expected"].items():
        assert answer[name] == pytest.approx(expected, abs=vector["tol"], rel=0), name
