"""What several answers to each case say: by case, with the flaky ones marked."""

from __future__ import annotations

import io
import tracemalloc

import pytest

from llmctl.report.documents import report_json
from llmctl.report.markdown_file import write_markdown
from llmctl.report.model import FlakyCase, RunReport
from llmctl.report.tally import Tally
from llmctl.report.terminal import report_text
from llmctl.runs.records import ResultEvent
from llmctl.stats.intervals import ClusterSums, clustered_wilson
from tests.report.samples import failed, head, result, timed_out

CASES = {"a": "ppp", "b": "pfp", "c": "fff", "d": "pp?"}


def events(cases: dict[str, str] = CASES, **values: object) -> list[ResultEvent]:
    """p passes, f fails, ? has no evidence."""
    kinds = {"p": result, "f": failed, "?": timed_out}
    return [
        kinds[mark](name, repeat=repeat, case_number=number, **values)
        for number, (name, marks) in enumerate(cases.items())
        for repeat, mark in enumerate(marks, 1)
    ]


def report(results: list[ResultEvent]) -> RunReport:
    tally = Tally()
    for one in results:
        tally.add(one)
    return tally.report(head(len(results)))


def test_figures_are_by_case() -> None:
    (row,) = report(events()).repeats
    assert (row.k, row.cases) == (3, 3)
    assert row.pass_at_k == pytest.approx(2 / 3)
    assert row.pass_hat_k == pytest.approx(1 / 3)
    assert (row.statistics.cases, row.statistics.flaky, row.statistics.fewest) == (4, 1, 2)
    # Of b, two of three pairs differ; of the others none.
    assert row.statistics.disagreement == pytest.approx((2 / 3) / 4)
    assert row.flaky == (FlakyCase("b", 2, 3),)


def test_the_interval_of_the_rate_is_by_case() -> None:
    found = report(events({"a": "ppp", "b": "fff", "c": "ppp", "d": "pfp"}))
    sums = ClusterSums.of([(3, 3), (0, 3), (3, 3), (2, 3)])
    assert found.total.interval == clustered_wilson(sums)


def test_groups_are_clusters_and_cases_are_still_counted_one_by_one() -> None:
    found = report(events(group="one"))
    assert found.total.interval == clustered_wilson(ClusterSums.of([(7, 11)]))
    assert found.repeats == report(events()).repeats


def test_a_group_that_comes_late_makes_no_case_a_member() -> None:
    alone = events({"a": "pp", "b": "ff", "c": "pp", "d": "ff"})
    grouped = [
        result("x", repeat=1, case_number=5, group="g"), failed("y", repeat=1, case_number=6, group="g")
    ]  # fmt: skip
    assert report(alone + grouped).total.interval == clustered_wilson(
        ClusterSums.of([(2, 2), (0, 2), (2, 2), (0, 2), (1, 2)])
    )


def test_merged_tallies_count_as_one() -> None:
    for group in (None, "one"):
        whole, parts = events(group=group), (Tally(), Tally())
        for number, one in enumerate(whole):
            parts[number % 2].add(one)
        parts[0].merge(parts[1])
        assert parts[0].report(head(len(whole))).repeats == report(whole).repeats
        assert parts[0].report(head(len(whole))).total.interval == report(whole).total.interval


def test_one_answer_a_case_says_nothing_of_repeats() -> None:
    assert report(events({"a": "p", "b": "f"})).repeats == ()
    only_second = [result("a", repeat=2, case_number=0), failed("b", repeat=2, case_number=1)]
    assert report(only_second).repeats == ()


def test_flaky_cases_are_marked_in_the_terminal() -> None:
    text = report_text(report(events()), 100).plain
    assert "Repeats: up to 3 answers a case\n" in text
    assert "25.0 % [4, 70]" in text
    assert "Flaky: b 2/3\n" in text
    assert "triage / b  flaky, 2/3 passed" in text
    assert "triage / c  flaky" not in text
    assert "k = 3. pass@k: at least one of 3 answers passes." in text


def test_flaky_cases_are_marked_in_markdown_and_data() -> None:
    file, found = io.StringIO(), report(events())
    write_markdown(file, found, ())
    assert "## Repeats: up to 3 answers a case" in file.getvalue()
    assert "Flaky with `triage` on `small`: `b` 2/3" in file.getvalue()
    assert "(flaky, 2/3 passed)" in file.getvalue()
    (row,) = report_json(found)["repeats"]
    assert (row["k"], row["flaky"], row["flake_rate"]) == (3, 1, 0.25)
    assert row["flaky_cases"] == [{"case_id": "b", "passed": 2, "answers": 3}]


def test_repeats_take_a_few_bytes_too() -> None:
    results = events({f"{number:05}": "pfp" if number % 5 == 0 else "ppp" for number in range(10_000)})
    tracemalloc.start()
    tally = Tally()
    for one in results:
        tally.add(one)
    held = tracemalloc.get_traced_memory()[0]
    found = tally.report(head(len(results)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert held / len(results) < 24
    assert peak / len(results) < 110
    assert found.repeats[0].statistics.flaky == 2_000
    assert (len(found.repeats[0].flaky), found.repeats[0].unnamed) == (20, 1_980)
