"""Two runs of a store, compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmctl.errors import UsageError
from llmctl.runs.selection import PromptReference, Selection
from llmctl.stats.clustered import estimate_difference
from llmctl.stats.paired import mcnemar
from llmctl.stats.tango import tango_interval
from tests.compare.diff.samples import Answer, SampleCase, Store, Target, cases


def test_flips_are_counted_and_tango_says_how_sure(store: Store) -> None:
    before = store.run(Target(cases(True, True, True, False, True, False)))
    after = store.run(Target(cases(True, False, False, True, True, False)))
    cell = store.cell(before, after)
    assert (cell.pairs, cell.clusters, cell.draws) == (6, 6, 6)
    assert [case.name.case_id for case in cell.regressions] == ["c1", "c2"]
    assert [case.name.case_id for case in cell.fixes] == ["c3"]
    interval = tango_interval(2, 1, 6)
    assert cell.difference and interval
    assert cell.difference.value == pytest.approx(-1 / 6)
    assert (cell.difference.low, cell.difference.high) == (interval.low, interval.high)
    assert cell.difference.p_value == mcnemar(2, 1).mid_p
    assert cell.difference.p_exact == mcnemar(2, 1).exact
    assert (cell.rate_a.passed, cell.rate_b.passed) == (4, 3)


def test_texts_and_reasons_come_with_a_flip(store: Store) -> None:
    before = store.run(Target([SampleCase("c", [Answer(True, "yes", latency_ms=10.0)], must_pass=True)]))
    after = store.run(Target([SampleCase("c", [Answer(False, "\x1b[31mno", cost_usd=None)], ["x"], must_pass=True)]))
    (case,) = store.cell(before, after).regressions
    assert (case.output_a, case.output_b) == ("yes", "\x1b[31mno")
    assert (case.reason_a, case.reason_b, case.expected) == ("", "exact: not equal", "yes")
    assert (case.tags, case.must_pass) == (("x",), True)
    assert (case.latency_a_ms, case.cost_b_usd) == (10.0, None)


def test_inserting_renaming_a_tag_and_sorting_change_no_result(store: Store) -> None:
    before = store.run(Target([SampleCase(name, [Answer(call=f"call-{name}")], ["old"]) for name in "abc"]))
    moved = [SampleCase(name, [Answer(call=f"call-{name}")], ["new"]) for name in "cab"]
    after = store.run(Target([SampleCase("first"), *moved]))
    report = store.diff(before, after)
    assert report.empty
    (cell,) = report.cells
    assert (cell.pairs, cell.only_b, cell.cases_only_b, cell.only_a) == (3, 1, ("first",), 0)
    assert [tag.tag for tag in cell.tags] == ["new"]


def test_a_removed_case_shifts_no_pair(store: Store) -> None:
    before = store.run(Target(cases(True, False, True)))
    after = store.run(Target(cases(True, False, True)[1:]))
    cell = store.cell(before, after)
    assert (cell.regression_count, cell.fix_count, cell.only_a, cell.cases_only_a) == (0, 0, 1, ("c0",))


def test_must_pass_comes_first_and_flaky_last(store: Store) -> None:
    yes, no = Answer(True), Answer(False)
    before = [SampleCase("flaky", [yes, yes]), SampleCase("plain", [yes, yes]), SampleCase("must", [yes, yes])]
    after = [
        SampleCase("flaky", [no, yes]),
        SampleCase("plain", [no, no]),
        SampleCase("must", [no, yes], must_pass=True),
    ]
    cell = store.cell(store.run(Target(before)), store.run(Target(after)))
    assert [(case.name.case_id, case.flaky) for case in cell.regressions] == [
        ("must", True),
        ("plain", False),
        ("flaky", True),
    ]
    assert (cell.regression_count, cell.flaky_regressions) == (3, 2)
    assert (cell.regressions[1].passed_a, cell.regressions[1].evidence_b, cell.regressions[1].passed_b) == (2, 2, 0)


def test_of_several_repeats_one_that_flipped_is_shown(store: Store) -> None:
    before = store.run(Target([SampleCase("c", [Answer(False, "bad"), Answer(True, "good")])]))
    after = store.run(Target([SampleCase("c", [Answer(None, None), Answer(False, "wrong")])]))
    (case,) = store.cell(before, after).regressions
    assert (case.output_a, case.output_b) == ("good", "wrong")


def test_a_case_that_failed_before_on_the_same_call_is_flaky(store: Store) -> None:
    store.run(Target([SampleCase("c", [Answer(False, call_key="k")]), SampleCase("d", [Answer(call_key="l")])]))
    before = store.run(Target([SampleCase("c", [Answer(call_key="k")]), SampleCase("d", [Answer(call_key="l")])]))
    after = store.run(Target([SampleCase("c", [Answer(False)]), SampleCase("d", [Answer(False)])]))
    cell = store.cell(before, after)
    assert [(case.name.case_id, case.flaky) for case in cell.regressions] == [("d", False), ("c", True)]


def test_other_repeats_of_the_same_request_in_another_run_count_too(store: Store) -> None:
    store.run(Target([SampleCase("c", [Answer(call="x", call_key="k"), Answer(False)])]))
    before = store.run(Target([SampleCase("c", [Answer(call="x", call_key="k")])]))
    after = store.run(Target([SampleCase("c", [Answer(False)])]))
    assert store.cell(before, after).regressions[0].flaky


def test_a_verdict_by_other_evaluators_makes_no_case_flaky(store: Store) -> None:
    store.run(Target([SampleCase("c", [Answer(False, call_key="k")], expected="other")]))
    before = store.run(Target([SampleCase("c", [Answer(call_key="k")])]))
    after = store.run(Target([SampleCase("c", [Answer(False)])]))
    assert not store.cell(before, after).regressions[0].flaky


def test_one_draw_on_both_sides_is_said_and_has_no_latency(store: Store) -> None:
    before = store.run(Target([SampleCase(name, [Answer(call=f"c-{name}")]) for name in "abc"]))
    after = store.run(Target([SampleCase("a", [Answer(call="c-a")]), SampleCase("b"), SampleCase("c")]))
    cell = store.cell(before, after)
    assert (cell.pairs, cell.draws) == (3, 2)
    assert cell.latency and cell.latency.pairs == 2
    assert store.cell(before, before).latency is None


def test_without_evidence_there_is_no_pair(store: Store) -> None:
    before = store.run(Target(cases(True, None, True, None)))
    after = store.run(Target([*cases(True, True, None), SampleCase("c3", [Answer(None)])]))
    cell = store.cell(before, after)
    assert (cell.pairs, cell.no_evidence, cell.one_sided) == (1, 3, 2)
    assert not store.diff(before, after).empty


def test_a_stale_score_of_a_judge_is_no_evidence(store: Store) -> None:
    before = store.run(Target([SampleCase("a"), SampleCase("b", [Answer(stale=True)])]))
    cell = store.cell(before, store.run(Target([SampleCase("a"), SampleCase("b")])))
    assert (cell.pairs, cell.no_evidence) == (1, 1)


def test_another_text_with_the_same_verdict_is_a_changed_output(store: Store) -> None:
    before = store.run(Target([SampleCase("a", [Answer(output="x"), Answer(output="y")])]))
    after = store.run(Target([SampleCase("a", [Answer(output="y"), Answer(output="x")])]))
    other = store.run(Target([SampleCase("a", [Answer(output="y"), Answer(output="z")])]))
    assert store.cell(before, after).changed_outputs == 0
    assert store.cell(before, other).changed_outputs == 1


def test_groups_are_clusters_and_repeats_are_means(store: Store) -> None:
    def side(*shares: int) -> Target:
        return Target(
            [
                SampleCase(f"c{number}", [Answer(one < share) for one in range(3)], group=f"g{number // 2}")
                for number, share in enumerate(shares)
            ]
        )

    cell = store.cell(store.run(side(3, 3, 2, 3, 1, 0)), store.run(side(3, 2, 2, 0, 1, 0)))
    assert (cell.pairs, cell.clusters, cell.repeats_a, cell.repeats_b) == (6, 3, 3, 3)
    assert cell.difference
    assert cell.difference.method == "clustered t, sign-flip p"
    assert cell.difference.value == pytest.approx((-1 / 3 - 1) / 6)
    before, after = [1, 1, 2 / 3, 1, 1 / 3, 0], [1, 2 / 3, 2 / 3, 0, 1 / 3, 0]
    estimate = estimate_difference(before, after, [0, 0, 1, 1, 2, 2])
    interval = estimate.interval() if estimate else None
    assert interval and cell.difference.high == pytest.approx(interval.high)
    assert cell.rate_a.passed == pytest.approx(4) and cell.rate_a.evidence == 6


def test_repeats_are_never_pooled(store: Store) -> None:
    once = [SampleCase(f"c{number}", [Answer(number > 2)]) for number in range(20)]
    thrice = [replace(case, answers=list(case.answers) * 3) for case in once]
    other = [SampleCase(f"c{number}", [Answer(number > 5)]) for number in range(20)]
    other3 = [replace(case, answers=list(case.answers) * 3) for case in other]
    single = store.cell(store.run(Target(once)), store.run(Target(other)))
    repeated = store.cell(store.run(Target(thrice)), store.run(Target(other3)))
    assert repeated.difference == single.difference  # three equal answers are no more evidence than one
    assert repeated.pairs == 20


def test_metrics_and_tags_have_adjusted_p_values(store: Store) -> None:
    def side(shift: float) -> Target:
        return Target(
            [
                SampleCase(
                    f"c{number}",
                    [Answer(number % 3 > 0, scores={"length": number / 40 + shift * (number % 5)})],
                    ["even" if number % 2 == 0 else "odd", "all"],
                )
                for number in range(20)
            ]
        )

    cell = store.cell(store.run(side(0)), store.run(side(0.05)))
    assert [(row.metric, row.pairs) for row in cell.metrics] == [("exact", 20), ("length", 20)]
    length = cell.metrics[1]
    assert length.difference.method == "paired t, sign-flip p"
    assert length.mean_b - length.mean_a == pytest.approx(0.1)
    assert length.difference.p_value is not None and length.difference.adjusted_p is not None
    assert length.difference.adjusted_p == pytest.approx(2 * length.difference.p_value)
    assert {(tag.tag, tag.pairs) for tag in cell.tags} == {("all", 20), ("even", 10), ("odd", 10)}


def test_ratios_are_of_medians(store: Store) -> None:
    before = Target([SampleCase(f"c{n}", [Answer(latency_ms=100.0 + n, cost_usd=0.01)]) for n in range(9)])
    after = Target([SampleCase(f"c{n}", [Answer(latency_ms=200.0 + 2 * n, cost_usd=None)]) for n in range(9)])
    cell = store.cell(store.run(before), store.run(after))
    assert cell.latency and cell.latency.value == pytest.approx(2)
    assert (cell.latency.before, cell.latency.after, cell.latency.pairs) == (104, 208, 9)
    assert cell.cost is None  # never 0


def test_only_some_regressions_are_listed_and_all_are_counted(store: Store) -> None:
    before, after = store.run(Target(cases(*[True] * 30))), store.run(Target(cases(*[False] * 30)))
    (cell,) = store.diff(before, after, listed=4).cells
    assert (len(cell.regressions), cell.regression_count) == (4, 30)


def test_tags_and_patterns_choose_cases(store: Store) -> None:
    def side(passed: bool) -> Target:
        return Target([SampleCase(f"c{n}", [Answer(passed)], ["x"] if n < 3 else ["y"]) for n in range(12)])

    before, after = store.run(side(True)), store.run(side(False))
    assert store.cell(before, after, Selection(tags=("x",))).pairs == 3
    assert store.cell(before, after, Selection(pattern="c1")).pairs == 3  # c1, c10, c11
    assert store.cell(before, after, Selection(pattern="c1?")).pairs == 2


def test_cells_on_one_side_are_named(store: Store) -> None:
    before = store.run(Target(cases(True)), Target(cases(True), bank="gone"))
    after = store.run(Target(cases(True)), Target(cases(True), model="new"))
    report = store.diff(before, after)
    assert [str(cell.cell) for cell in report.cells] == ["bank · greet · small"]
    assert [str(cell) for cell in report.only_in_a] == ["gone · greet · small"]
    assert [str(cell) for cell in report.only_in_b] == ["bank · greet · new"]


def test_a_run_with_two_versions_is_compared_by_the_one_that_is_asked_for(store: Store) -> None:
    old = Target(cases(True), label="greet@v1")
    before = store.run(old, Target(cases(False), label="greet@v2"), labels=("greet@v2",))
    after = store.run(Target(cases(True)))
    assert store.cell(before, after).fix_count == 1
    asked = Selection(prompts=(PromptReference("greet", "v1"),))
    assert store.cell(before, after, asked).label_a == "greet@v1"


def test_an_empty_selection_is_a_mistake(store: Store) -> None:
    side = store.run(Target(cases(True)))
    with pytest.raises(UsageError, match="No results of the two sides are selected"):
        store.diff(side, side, Selection(banks=("nowhere",)))


def test_changes_of_sources_are_told(store: Store) -> None:
    before = store.run(Target([SampleCase("a", variables={"word": "x"}), SampleCase("b")], text="Say {{ word }}"))
    after = store.run(
        Target([SampleCase("a", variables={"word": "y"}), SampleCase("new")], text="Please\nsay {{ word }}")
    )
    report = store.diff(before, after)
    changes = {(change.kind, change.name): (change.before, change.after) for change in report.changes}
    assert changes["prompt", "greet"] == ("user:\n  Say {{ word }}", "user:\n  Please\n  say {{ word }}")
    told = changes["bank", "bank (1 added, 1 removed, 1 changed)"]
    assert told[0] and "word: x" in told[0] and told[1] and "word: y" in told[1]
    (cell,) = report.cells
    assert (cell.apart, cell.pairs) == (1, 0)
    assert cell.cases_apart[0].reason == "A variable of the case is another one: it asks something else."


def test_a_variable_that_came_with_the_prompt_changes_no_case(store: Store) -> None:
    before = store.run(Target([SampleCase("a", variables={"word": "x"})]))
    after = store.run(Target([SampleCase("a", variables={"word": "x", "tone": "kind"})]))
    cell = store.cell(before, after)
    assert (cell.apart, cell.pairs) == (0, 1)


def test_changed_evaluators_without_a_journal_are_set_apart(store: Store) -> None:
    strict = [{"name": "exact", "metric": "exact", "weight": 1.0, "args": {"ignore_case": True}}]
    before = store.run(Target([SampleCase("a"), SampleCase("b")]))
    after = store.run(Target([SampleCase("a", evaluators=strict), SampleCase("b")]))
    report = store.diff(before, after)
    (cell,) = report.cells
    assert (cell.pairs, cell.apart, cell.rescored) == (1, 1, 0)
    assert "is gone" in cell.cases_apart[0].reason
    assert [(change.kind, change.name) for change in report.changes][:1] == [("evaluators", "bank (1 case)")]


_ANSWERS = st.builds(
    Answer,
    passed=st.sampled_from([True, False, None]),
    output=st.sampled_from(["yes", "no", "", "\x00\x1b[2J", "漢字", None]),
    call=st.none(),
    latency_ms=st.sampled_from([None, 0.0, 12.5]),
    cost_usd=st.sampled_from([None, 0.0, 0.25]),
    stale=st.booleans(),
)
_CASES = st.lists(
    st.builds(
        SampleCase,
        case_id=st.text("abc/ \u202e", min_size=1, max_size=4),
        answers=st.lists(_ANSWERS, min_size=0, max_size=3),
        tags=st.lists(st.sampled_from(["x", "y"]), max_size=3),
        group=st.sampled_from([None, "g", "h"]),
        must_pass=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda case: case.case_id,
)
_TARGETS = st.lists(
    st.builds(Target, cases=_CASES, bank=st.sampled_from(["b1", "b2"]), model=st.sampled_from(["m1", "m2"])),
    min_size=1,
    max_size=3,
    unique_by=lambda target: (target.bank, target.model),
)


@settings(max_examples=12, deadline=None)
@given(_TARGETS)
def test_a_run_does_not_differ_from_itself(targets: list[Target]) -> None:
    with TemporaryDirectory() as folder:
        store = Store(Path(folder))
        side = store.run(*targets)
        report = store.diff(side, side)
    assert report.empty and not report.changes and not report.only_in_a and not report.only_in_b
    assert len(report.cells) == len(targets)
    for cell in report.cells:
        assert (cell.regression_count, cell.fix_count, cell.draws, cell.only_a, cell.apart) == (0, 0, 0, 0, 0)
        assert cell.difference is None or cell.difference.value == 0
