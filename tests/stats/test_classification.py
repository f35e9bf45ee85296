"""Figures of confusion matrices: by hand, against published values, and the laws that hold for every matrix."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmctl.stats.classification import Averages, classification, matthews
from llmctl.stats.intervals import wilson


def three(averages: Averages) -> list[float | None]:
    return [averages.precision, averages.recall, averages.f1]


# Expected a, b, c; answered a, b, c, anything else. Worked by hand; scikit-learn 1.9.1 gives the same with
# labels=[0, 1, 2] and zero_division=0, kappa and MCC over all four columns.
TABLE = [[5, 1, 0, 1], [2, 3, 1, 0], [0, 0, 0, 2]]


def test_by_hand() -> None:
    figures = classification(TABLE)
    assert (figures.total, figures.correct) == (15, 8)
    assert figures.accuracy == pytest.approx(8 / 15)
    first, second, third = figures.classes
    assert (first.precision, first.recall, first.f1) == pytest.approx((5 / 7, 5 / 7, 10 / 14))
    assert (second.precision, second.recall, second.f1) == pytest.approx((3 / 4, 3 / 6, 6 / 10))
    assert (third.precision, third.recall, third.f1) == (0.0, 0.0, 0.0)
    assert (third.hits, third.expected, third.answered) == (0, 2, 1)
    assert figures.macro.f1 == pytest.approx((10 / 14 + 6 / 10) / 3)
    assert three(figures.micro) == pytest.approx([8 / 12, 8 / 15, 16 / 27])
    assert figures.weighted.precision == pytest.approx((7 * 5 / 7 + 6 * 3 / 4) / 15)


def test_as_scikit_learn_has_it() -> None:
    figures = classification(TABLE)
    assert three(figures.macro) == pytest.approx([0.48809523809523814, 0.4047619047619048, 0.4380952380952381])
    assert three(figures.weighted) == pytest.approx([0.6333333333333333, 0.5333333333333333, 0.5733333333333334])
    assert figures.kappa.value == pytest.approx(0.3)
    assert figures.mcc == pytest.approx(0.31506301890630223)


def test_two_classes_give_the_coefficient_of_matthews() -> None:
    hits, missed, false, rejected = 90, 10, 5, 95
    by_hand = (hits * rejected - false * missed) / (
        ((hits + false) * (hits + missed) * (rejected + false) * (rejected + missed)) ** 0.5
    )
    assert matthews([[hits, missed], [false, rejected]]) == pytest.approx(by_hand)


def test_a_class_that_is_never_answered_has_no_precision_and_lowers_the_mean() -> None:
    figures = classification([[4, 0], [4, 0]])
    assert figures.classes[1].precision is None
    assert figures.classes[1].precision_interval is None
    assert figures.classes[1].recall == 0.0
    assert figures.macro.precision == pytest.approx(0.25)
    assert figures.mcc is None


def test_a_class_that_nobody_names_is_in_no_mean() -> None:
    with_it, without = classification([[3, 1, 0], [1, 3, 0], [0, 0, 0]]), classification([[3, 1], [1, 3]])
    assert with_it.classes[2].f1 is None
    assert with_it.macro == without.macro


def test_nothing_counted_is_no_figure() -> None:
    figures = classification([[0, 0], [0, 0]])
    nothing = Averages(None, None, None)
    assert (figures.macro, figures.micro, figures.weighted) == (nothing, nothing, nothing)
    assert (figures.accuracy, figures.accuracy_interval, figures.kappa.value, figures.mcc) == (None, None, None, None)


def test_intervals_are_wilsons_and_a_cluster_counts_once() -> None:
    one, three = classification([[9, 1], [0, 10]]), classification([[27, 3], [0, 30]], cluster_size=3)
    assert one.classes[0].recall_interval == wilson(9, 10)
    assert one.classes[1].precision_interval == wilson(10, 11)
    assert one.accuracy_interval == wilson(19, 20)
    assert three.classes[0].recall_interval == wilson(9, 10)


@pytest.mark.parametrize("matrix", [[[1], [1, 2]], [[1], [2]], [[-1, 0], [0, 0]]])
def test_what_is_no_confusion_matrix(matrix: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="confusion matrix"):
        classification(matrix)
    with pytest.raises(ValueError, match="cluster"):
        classification([[1, 0], [0, 1]], cluster_size=0.5)


@given(
    st.integers(1, 5).flatmap(
        lambda size: st.lists(
            st.lists(st.integers(0, 50), min_size=size + 2, max_size=size + 2), min_size=size, max_size=size
        )
    )
)
def test_laws(matrix: list[list[int]]) -> None:
    figures = classification(matrix)
    shares = [figures.accuracy, *(share for one in figures.classes for share in (one.precision, one.recall, one.f1))]
    assert all(share is None or 0 <= share <= 1 for share in shares)
    assert figures.weighted.recall == (None if figures.accuracy is None else pytest.approx(figures.accuracy))
    assert figures.micro.recall == figures.accuracy
    assert figures.mcc is None or -1 - 1e-9 <= figures.mcc <= 1 + 1e-9
    for one in figures.classes:
        if one.precision is not None and one.recall is not None and one.precision + one.recall:
            assert one.f1 == pytest.approx(2 * one.precision * one.recall / (one.precision + one.recall))
