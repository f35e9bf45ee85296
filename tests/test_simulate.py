"""The simulation behind docs/statistics.md runs, keeps its promises loosely, and cannot rot unseen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.simulate.__main__ import main, simulate
from benchmarks.simulate.failures import Broken, failures_row
from benchmarks.simulate.gate import bank_row, gate_row
from benchmarks.simulate.results import Rate, within
from benchmarks.simulate.table import BEGIN, END, replaced
from benchmarks.simulate.worlds import World, draw

_PAGE = Path(__file__).parents[1] / "docs" / "statistics.md"


@pytest.mark.parametrize("repeats", [1, 3])
@pytest.mark.parametrize("clustered", [False, True])
def test_errors_are_near_alpha_at_most(repeats: int, clustered: bool) -> None:
    random = np.random.default_rng(4)
    for drop in (0.0, 0.05):
        row = gate_row(World(150, repeats, clustered, 0.1, drop), 60, random)
        assert row.wrong is not None
        assert row.wrong.value <= 0.15
        assert row.holds
    worse = gate_row(World(150, repeats, clustered, 0.3, 0.3), 20, random)
    assert worse.failed.value >= 0.9
    assert worse.wrong == worse.passed == Rate(0, 20)
    assert 0 <= worse.saved < 1


def test_bank_mode_agrees_with_the_bank() -> None:
    random = np.random.default_rng(4)
    beyond = bank_row(200, 0.1, 11, 30, random)
    assert beyond.whole == "fail"
    assert beyond.wrong.value <= 0.15
    row = bank_row(200, 0.1, 0, 30, random)
    assert (row.whole, row.drop) == ("pass", 0)
    assert row.wrong.value <= 0.15
    assert row.saved > 0


def test_new_failures_are_found_and_coin_flips_are_not() -> None:
    random = np.random.default_rng(4)
    flips = failures_row((40, 1), Broken(), 0.05, 20_000, random)
    assert flips.holds
    assert 0.02 < flips.failed.value <= 0.05  # a bound that nothing comes near would be no test of it
    broken = failures_row((80, 3), Broken(3, 0.9, flaky=1.0), 0.05, 20_000, random)
    assert broken.holds
    assert broken.failed.value == pytest.approx(1 - (1 - 0.9**7) ** 3, abs=0.01)


@pytest.mark.parametrize("clustered", [False, True])
def test_worlds_are_what_they_say(clustered: bool) -> None:
    world = World(500, 3, clustered, 0.2, 0.05)
    drawn = draw(world, 400, np.random.default_rng(4))
    assert drawn.sizes.sum(axis=1).tolist() == [1500] * 400
    assert (drawn.baseline <= drawn.sizes).all()
    assert (drawn.candidate <= drawn.sizes).all()
    assert (drawn.baseline - drawn.candidate).sum() / drawn.sizes.sum() == pytest.approx(0.05, abs=0.005)
    single = draw(World(500, 1, False, 0.2, 0.05), 400, np.random.default_rng(5))
    assert (single.baseline != single.candidate).mean() == pytest.approx(0.2, abs=0.005)
    if clustered:
        spread = (drawn.candidate - drawn.baseline).sum(axis=1).std()
        alone = draw(World(500, 3, False, 0.2, 0.05), 400, np.random.default_rng(6))
        assert spread > 1.3 * (alone.candidate - alone.baseline).sum(axis=1).std()


def test_a_rate_above_its_bound_is_noticed() -> None:
    assert within(Rate(220, 4000), 0.05)
    assert not within(Rate(250, 4000), 0.05)


def test_the_tables_go_into_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, data = tmp_path / "page.md", tmp_path / "counts.json"
    page.write_text(f"before\n{BEGIN}\nstale table\n{END}\nafter\n", encoding="utf-8")
    code = main(["--rounds", "1", "--json", str(data), "--page", str(page)])
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{BEGIN}\n\n1 rounds a cell, seed 1")
    assert text.endswith(f"{END}\nafter\n")
    assert "stale table" not in text
    assert "max_new_failures: 0" in capsys.readouterr().out
    counts = json.loads(data.read_text(encoding="utf-8"))
    assert len(counts["gate"]) == 45
    assert code in {0, 1}
    with pytest.raises(ValueError, match="no lines"):
        replaced("no marks", "table")


def test_the_same_seed_gives_the_same_counts() -> None:
    first, second = (simulate(1, 7, lambda _: None) for _ in range(2))
    assert (first.gate, first.bank, first.failures) == (second.gate, second.bank, second.failures)


def test_the_page_shows_the_simulation() -> None:
    text = _PAGE.read_text(encoding="utf-8")
    table = text.partition(BEGIN)[2].partition(END)[0]
    assert "Every error rate is at or below its bound" in table
    assert "500 x 3" in table
