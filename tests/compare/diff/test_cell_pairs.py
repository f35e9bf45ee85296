"""Which cells are compared with which."""

from __future__ import annotations

import pytest

from llmctl.compare.diff.cell_pairs import SideCell, pair_cells
from llmctl.errors import UsageError


def cell(label: str, model: str = "small", bank: str = "bank") -> SideCell:
    return SideCell(bank, label.partition("@")[0], label, model)


def paired(a: list[SideCell], b: list[SideCell]) -> list[tuple[str, str, str, str]]:
    found = pair_cells(a, b).pairs
    return [(pair.a.label, pair.a.model, pair.b.label, pair.b.model) for pair in found]


def test_the_same_label_is_paired_before_the_same_name() -> None:
    found = pair_cells([cell("t@main"), cell("t")], [cell("t")])
    assert [pair.a.label for pair in found.pairs] == ["t"]
    assert [str(one) for one in found.only_a] == ["bank · t · small"]


def test_two_versions_of_a_prompt_are_one_cell_by_name() -> None:
    assert paired([cell("t@HEAD")], [cell("t")]) == [("t@HEAD", "small", "t", "small")]


def test_two_versions_on_one_side_are_refused_with_the_way_out() -> None:
    with pytest.raises(UsageError) as caught:
        pair_cells([cell("t@v1"), cell("t@v2")], [cell("t")])
    assert caught.value.message == "Side A holds two versions of the prompt t: t@v1 and t@v2."
    assert caught.value.hint == "Say which one: `--prompt t@v2`, or `prompt:t@v2` as a side."


def test_two_versions_that_nothing_stands_against_are_only_told() -> None:
    assert pair_cells([cell("t@v1"), cell("t@v2"), cell("u")], [cell("u")]).only_a == (cell("t").cell,)


def test_a_prompt_moved_to_another_model_is_compared_with_itself() -> None:
    assert paired([cell("t", "small")], [cell("t", "gpt")]) == [("t", "small", "t", "gpt")]


def test_two_models_against_two_others_are_not_guessed() -> None:
    found = pair_cells([cell("t", "m1"), cell("t", "m2")], [cell("t", "m3"), cell("t", "m4")])
    assert not found.pairs and len(found.only_a) == len(found.only_b) == 2


def test_one_model_more_leaves_the_others_paired() -> None:
    found = pair_cells([cell("t", "m1")], [cell("t", "m1"), cell("t", "m2")])
    assert [pair.b.model for pair in found.pairs] == ["m1"]
    assert [one.model for one in found.only_b] == ["m2"]


def test_two_prompts_are_paired_by_bank_and_model() -> None:
    a = [cell("old", "m1"), cell("old", "m2")]
    b = [cell("new", "m1"), cell("new", "m2"), cell("new", "m1", "other")]
    assert paired(a, b) == [("old", "m1", "new", "m1"), ("old", "m2", "new", "m2")]


def test_two_prompts_are_not_compared_where_one_of_them_stands_on_both_sides() -> None:
    found = pair_cells([cell("t"), cell("old")], [cell("t"), cell("new")])
    assert [pair.b.name for pair in found.pairs] == ["t"]
    assert [one.prompt for one in (*found.only_a, *found.only_b)] == ["old", "new"]
