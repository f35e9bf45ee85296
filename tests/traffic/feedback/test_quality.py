"""Quality by version and time: a call counts once, explicit and implicit apart, and few calls conclude nothing."""

from __future__ import annotations

from pathlib import Path

from llmctl.report.quality import change_sentence, quality_json, quality_text
from llmctl.stats.intervals import wilson
from llmctl.traffic.feedback.quality import By, Period, QualityFilter, quality
from tests.traffic.feedback.logs import NOW, call, keep, logged, say

WEEK = 7 * 86_400


def many(store: Path, version: str, up: int, down: int, *, at: float = NOW) -> None:
    names = [f"{version}-{number}" for number in range(up + down)]
    logged(store, *(call(name, version=version, at=at) for name in names))
    keep(store, *(say(name, value=float(number < up)) for number, name in enumerate(names)))


def test_a_call_counts_once_with_the_last_that_was_said(tmp_path: Path) -> None:
    logged(tmp_path, call("a"), call("b"), call("c"))
    keep(
        tmp_path,
        say("a", value=0.0, at=NOW + 1),
        say("a", value=1.0, at=NOW + 2),
        say("b", "score", 2.0, at=NOW + 1),
        say("b", "score", 4.0, at=NOW + 2),
        say("b", "comment", None, text="x"),
        say("a", "edit", 0.5, at=NOW + 1),
        say("a", "edit", 0.0, at=NOW + 2),
        say("b", "edit", None),
        say("nobody"),
    )
    found = quality(tmp_path)
    [group] = found.groups
    assert (group.prompt, group.version, group.calls, group.judged) == ("reply", "1", 3, 2)
    assert (group.up.count, group.up.total) == (1, 1)
    assert [(score.count, score.mean) for score in group.scores] == [(1, 4.0)]
    assert (group.accepted.count, group.accepted.total, group.abandoned, group.edited) == (1, 2, 1, 0)
    assert (group.corrections, group.comments, group.distance) == (0, 1, None)
    assert (found.unknown, found.of_runs) == (1, 0)


def test_rates_have_wilsons_interval_and_edits_are_no_feedback(tmp_path: Path) -> None:
    many(tmp_path, "1", 8, 4)
    logged(tmp_path, call("e"))
    keep(tmp_path, say("e", "edit", 0.25))
    [group] = quality(tmp_path).groups
    assert group.judged == 12
    assert group.up.interval == wilson(8, 12)
    assert not group.up.few
    assert group.accepted.few
    assert group.distance is not None
    assert (group.distance.median, group.distance.interval) == (0.25, None)


def test_versions_are_compared_as_evidence(tmp_path: Path) -> None:
    many(tmp_path, "1", 90, 10)
    many(tmp_path, "2", 60, 40, at=NOW + WEEK)
    found = quality(tmp_path)
    assert [group.version for group in found.groups] == ["1", "2"]
    assert [change_sentence(one) for one in found.changes] == [
        "reply 1 to 2, rated up: 90.0 % to 60.0 %, -30.0 points (95 % interval -41 to -18): evidence of a drop."
    ]
    many(tmp_path, "3", 3, 0, at=NOW + 2 * WEEK)
    sentences = [change_sentence(one) for one in quality(tmp_path).changes]
    assert sentences[0] == "reply 2 to 3, rated up: 100 against 3 answers: no conclusion."
    assert "evidence of a drop" in sentences[1]
    many(tmp_path, "4", 62, 38, at=NOW + 3 * WEEK)
    assert "no evidence of a change" in change_sentence(quality(tmp_path).changes[-1])


def test_by_model_over_time_and_filtered(tmp_path: Path) -> None:
    many(tmp_path, "1", 2, 1)
    many(tmp_path, "2", 1, 1, at=NOW + WEEK)
    logged(tmp_path, call("untimed", at=NOW))
    found = quality(tmp_path, By.MODEL, Period.WEEK)
    assert [(one.model, one.calls) for one in found.groups] == [("gpt", 6)]
    assert [(one.period, one.up.count, one.up.total) for one in found.over_time] == [
        ("2026-11-16", 2, 3),
        ("2026-11-23", 1, 2),
    ]
    assert found.changes == ()
    assert quality(tmp_path, chosen=QualityFilter(since=NOW + 1)).groups[0].calls == 2
    assert quality(tmp_path, chosen=QualityFilter(prompts=("none",))).groups == ()
    assert quality(tmp_path, chosen=QualityFilter(names=("none",))).groups[0].judged == 0


def test_text_says_what_is_little_and_what_is_not_counted(tmp_path: Path) -> None:
    many(tmp_path, "1", 2, 1)
    keep(tmp_path, say("nobody"))
    text = quality_text(quality(tmp_path), 80).plain
    assert "66.7 % [20, 94]*" in text
    assert "* Fewer than 10: no conclusion." in text
    assert "Not counted: 1 thing said of no call that is known here." in text
    assert max(map(len, text.splitlines())) <= 80
    data = quality_json(quality(tmp_path))
    assert data["groups"][0]["explicit"]["up"]["conclusive"] is False


def test_an_empty_store(tmp_path: Path) -> None:
    assert "No logged calls" in quality_text(quality(tmp_path), 80).plain
    logged(tmp_path, call("a"))
    assert quality_text(quality(tmp_path), 80).plain == (
        "1 logged call, and no feedback. Next: llmctl feedback add CALL --up\n"
    )
