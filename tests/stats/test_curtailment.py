"""What is left cannot change the verdict, where the tail is known by hand: n losses in a row have one of 2^-n."""

from __future__ import annotations

import numpy as np
import pytest

from llmctl.stats.curtailment import Standing, certain_outcome
from llmctl.stats.decision import Outcome, Remaining

NO_PASS = 99.0
"""A boundary that no score reaches."""


def lost(cases: int, *, fail_alpha: float, spent: float) -> Standing:
    """Every case so far passed before and fails now; one case is left."""
    ones = np.ones(cases, np.int64)
    return Standing(-ones, ones, 0.05, fail_alpha, spent, [(cases + 1, NO_PASS)])


NOTHING_TO_GAIN = Remaining.of([1], [1])
ONE_TO_GAIN = Remaining.of([0], [1])


@pytest.mark.parametrize(
    ("fail_alpha", "spent", "outcome"),
    [
        (2**-6, 0.0, Outcome.FAIL),
        (2**-6, 2**-12, None),  # what was spent before is not there any more
        (2**-6 + 2**-8, 2**-8, Outcome.FAIL),
        (2**-6 + 2**-8, 2**-7, None),
    ],
)
def test_the_last_look_fails_only_by_what_is_left_of_alpha(
    fail_alpha: float, spent: float, outcome: Outcome | None
) -> None:
    assert certain_outcome(lost(6, fail_alpha=fail_alpha, spent=spent), NOTHING_TO_GAIN) is outcome


def test_a_case_that_may_gain_keeps_it_open() -> None:
    # Six losses and a gain: at least five more losses than gains of seven, 8 of 128.
    assert certain_outcome(lost(6, fail_alpha=7.9 / 128, spent=0.0), ONE_TO_GAIN) is None
    assert certain_outcome(lost(6, fail_alpha=8.0 / 128, spent=0.0), ONE_TO_GAIN) is Outcome.FAIL


def test_what_can_neither_fail_nor_pass_is_inconclusive() -> None:
    assert certain_outcome(lost(3, fail_alpha=2**-5, spent=0.0), NOTHING_TO_GAIN) is Outcome.INCONCLUSIVE
    assert certain_outcome(lost(4, fail_alpha=2**-5, spent=0.0), NOTHING_TO_GAIN) is None
