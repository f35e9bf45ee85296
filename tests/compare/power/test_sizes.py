"""Numbers of cases: the published formulas, exact beside them, and clusters."""

from __future__ import annotations

import pytest

from llmctl.compare.power.report import Clusters, Size
from llmctl.compare.power.sizes import Question, power_table
from llmctl.stats.exact_power import midp_power, pass_power


@pytest.mark.parametrize(
    ("margin", "discordance", "to_pass", "to_see"),
    [(0.02, 0.1, 1578, 1544), (0.03, 0.2, 1386, 1372), (0.05, 0.05, 167, 122), (0.05, 0.1, 274, 246)],
)
def test_the_table_is_connors_and_tangos(margin: float, discordance: float, to_pass: int, to_see: int) -> None:
    needed = Question().needed(margin, discordance)
    assert needed.to_pass.formula == to_pass
    assert needed.to_see is not None and needed.to_see.formula == to_see


def test_the_exact_numbers_have_the_power() -> None:
    needed = Question().needed(0.05, 0.1)
    assert needed.to_pass.exact is not None and needed.to_see is not None and needed.to_see.exact is not None
    assert pass_power(needed.to_pass.exact, 0.05, 0.05, 0.05) >= 0.8
    assert midp_power(needed.to_see.exact, 0.075, 0.025) >= 0.8


def test_no_drop_is_larger_than_what_differs() -> None:
    assert Question().needed(0.1, 0.05).to_see is None
    assert Question().smallest(50, 0.05).formula is None


def test_large_numbers_are_not_computed_exactly() -> None:
    needed = Question().needed(0.01, 0.3)
    assert needed.to_pass == Size(18554, None)


def test_clusters_raise_the_number_of_cases() -> None:
    clusters = Clusters(cases=300, clusters=60, size=5.0, correlation=0.25)
    assert (clusters.effect, clusters.effective) == (2.0, 150)
    question = Question()
    assert question.needed(0.05, 0.1, clusters.effect).to_pass.formula == 548
    assert question.needed(0.05, 0.1).to_pass.formula == 274


def test_looking_early_takes_an_eighth_more() -> None:
    assert Size(100, None).early == 112
    assert Size(274, 263).early == 295


def test_the_table_holds_what_was_asked_for() -> None:
    table = power_table(Question(), [0.04], [0.123])
    assert table.margins == (0.01, 0.02, 0.03, 0.04, 0.05, 0.1)
    assert table.discordances == (0.05, 0.1, 0.123, 0.2, 0.3)
    assert table.own == {0.123}
    assert [len(row) for row in table.to_pass] == [5] * 6
