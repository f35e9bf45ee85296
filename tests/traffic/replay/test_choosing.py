"""Choosing logged calls: what can be asked again, what stands for what, and which are drawn."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from llmctl.errors import ProjectError, UsageError
from llmctl.project.loader import load_config
from llmctl.providers.redaction import Redactor
from llmctl.traffic.filters import TrafficFilter
from llmctl.traffic.importing import Importing, import_traffic
from llmctl.traffic.readers.mapped import mapped_reader
from llmctl.traffic.replay.choosing import ChoiceRequest, Chosen, Dedupe, Stratum, choose
from llmctl.traffic.replay.records import Mode
from llmctl.traffic.replay.replayability import OTHER, Reasons
from llmctl.traffic.replay.variables import VariableFinder
from llmctl.traffic.sources import sources_of
from llmctl.traffic.store import TrafficStore

MAPS = ["messages", "tools", "response_format", "model", "output", "started_at", "prompt_name", "params", "variables"]
MAPS += ["id", "tags", "endpoint", "status"]
NOON = 1_795_262_400  # 2026-11-22, 12:00 UTC
LONG = " ".join(f"word{number}" for number in range(200))

Row = dict[str, Any]


def row(text: str | None = "Where is my parcel?", **more: Any) -> Row:
    asked = {} if text is None else {"messages": [{"role": "user", "content": text}]}
    return {"model": "gpt-4o-mini", "output": "shipping", "started_at": NOON, **asked, **more}


def stored(tmp_path: Path, *logs: list[Row]) -> TrafficStore:
    """A store with one import for each log."""
    for number, rows in enumerate(logs):
        file = tmp_path / f"log{number}.jsonl"
        file.write_text("".join(json.dumps(one) + "\n" for one in rows))
        reader = mapped_reader([f"{name}={name}" for name in MAPS])
        import_traffic(tmp_path / "store", sources_of([str(file)]), Importing(reader=reader), Redactor({}))
    return TrafficStore(tmp_path / "store")


def chosen(store: TrafficStore, variables: VariableFinder | None = None, **request: Any) -> Chosen:
    made = ChoiceRequest(**{"mode": Mode.VERBATIM, **request})
    return choose(store, made, variables)


def counts(found: Chosen) -> tuple[int, int, int, int]:
    """Looked at, chosen, duplicates, not sampled; they and those set aside are all there are."""
    choice = found.choice
    parts = choice.chosen, choice.duplicates, choice.not_sampled
    assert choice.looked_at == sum(parts) + sum(choice.set_aside.values())
    assert choice.chosen == sum(1 for _ in found.calls())
    return choice.looked_at, *parts


def texts(found: Chosen) -> list[str]:
    return [str((one.call.messages or ({},))[-1].get("content")) for one in found.calls()]


def finder(tmp_path: Path, template: str = "Ticket: {{ ticket }}") -> VariableFinder:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "llmctl.toml").write_text("")
    (tmp_path / "prompts" / "triage.yaml").write_text(f"template: {json.dumps(template)}\n")
    return VariableFinder(load_config(tmp_path / "llmctl.toml", {}), {}, {})


def test_an_empty_store_has_nothing_to_choose(tmp_path: Path) -> None:
    for dedupe in Dedupe:
        assert counts(chosen(TrafficStore(tmp_path / "store"), dedupe=dedupe, sample=5)) == (0, 0, 0, 0)


def test_calls_come_with_their_ids(tmp_path: Path) -> None:
    store = stored(tmp_path, [row("a"), row("b")])
    found = chosen(store)
    assert counts(found) == (2, 2, 0, 0)
    assert [one.id for one in found.calls()] == [one.id for one in store.calls()]
    assert [(one.weight, one.variables) for one in found.calls()] == [(1, None), (1, None)]
    assert texts(found) == ["a", "b"]


def test_reasons_of_verbatim(tmp_path: Path) -> None:
    turn = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "1", "content": "5"},
    ]
    rows = [row(), row(None), row("b", endpoint="/v1/embeddings"), row(None, messages=turn), row("c", status=429)]
    found = chosen(stored(tmp_path, rows))
    assert found.choice.set_aside == {"no messages were logged": 1, "it is no chat call": 1}
    assert counts(found)[:2] == (5, 3)


def test_what_the_log_says_cannot_be_replayed(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    body = {"model": "gpt-4o", "input": "And then?", "previous_response_id": "resp_1"}
    answer = {"id": "resp_2", "object": "response", "created_at": NOON, "model": "gpt-4o", "output": []}
    file.write_text(json.dumps({"request": body, "response": answer}) + "\n")
    import_traffic(tmp_path / "store", sources_of([str(file)]), Importing(), Redactor({}))
    (reason,) = chosen(TrafficStore(tmp_path / "store")).choice.set_aside
    assert "provider" in reason


def test_reasons_of_output_only(tmp_path: Path) -> None:
    rows = [row(), row(None), row("a", output=None), row("b", output=None, status=500)]
    found = chosen(stored(tmp_path, rows), mode=Mode.OUTPUT_ONLY)
    assert found.choice.set_aside == {"no answer was logged": 1}
    assert counts(found)[:2] == (4, 3)


def test_reasons_of_template_are_counted_by_kind(tmp_path: Path) -> None:
    rows = [row(f"Ticket: {number}", prompt_name="triage") for number in range(3)]
    rows += [row(f"Frage: {number}", prompt_name="triage") for number in range(2)]
    rows += [row(None, variables={"ticket": "recorded"}), row(None, output="only this")]
    found = chosen(stored(tmp_path, rows), finder(tmp_path), mode=Mode.TEMPLATE)
    assert found.choice.set_aside == {
        "no known version of its prompt makes its messages": 2,
        "no messages were logged": 1,
    }
    assert [one.variables for one in found.calls()] == [{"ticket": text} for text in ("0", "1", "2", "recorded")]


def test_what_the_new_prompt_needs(tmp_path: Path) -> None:
    rows = [row("Ticket: 1", prompt_name="triage"), row(None, variables={"ticket": "2", "brand": "Acme"})]
    needed = frozenset({"ticket", "brand"})
    found = chosen(stored(tmp_path, rows), finder(tmp_path), mode=Mode.TEMPLATE, needed=needed)
    assert found.choice.set_aside == {"it lacks a variable that the prompt needs": 1}
    assert [one.variables for one in found.calls()] == [{"ticket": "2", "brand": "Acme"}]


def test_many_reasons_are_not_kept_apart() -> None:
    reasons = Reasons()
    counted = Counter(reasons.counted_as(f"reason {number}") for number in range(300))
    assert (len(counted), counted[OTHER], reasons.counted_as("reason 5")) == (101, 200, "reason 5")


def test_equal_requests_are_asked_once_and_keep_their_weight(tmp_path: Path) -> None:
    rows = [row(id=str(number), started_at=NOON - number, output=f"o{number}") for number in range(3)]
    rows += [row("other", id="x", started_at=NOON - 9), row("other", id="y", params={"stream": True})]
    store = stored(tmp_path, rows)
    found = chosen(store)
    assert counts(found) == (5, 2, 3, 0)
    # The earliest stands for the others.
    assert [(one.call.source_id, one.weight) for one in found.calls()] == [("2", 3), ("x", 2)]
    assert counts(chosen(store, dedupe=Dedupe.NONE)) == (5, 5, 0, 0)
    assert [one.weight for one in chosen(store, dedupe=Dedupe.NONE).calls()] == [1] * 5


@pytest.mark.parametrize(
    "other",
    [
        {"model": "gpt-4o"},
        {"params": {"temperature": 1}},
        {"params": {"seed": 7}},
        {"response_format": {"type": "json_object"}},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Where is my parcel?"}]},
    ],
)
def test_what_changes_the_request_is_no_duplicate(tmp_path: Path, other: Row) -> None:
    store = stored(tmp_path, [row(), row(**other)])
    for dedupe in (Dedupe.EXACT, Dedupe.NEAR):
        assert counts(chosen(store, dedupe=dedupe)) == (2, 2, 0, 0)


def test_an_answer_belongs_to_what_is_scored(tmp_path: Path) -> None:
    rows = [row(id="1"), row(id="2"), row(id="3", output="billing")]
    store = stored(tmp_path, rows)
    assert counts(chosen(store)) == (3, 1, 2, 0)
    for dedupe in (Dedupe.EXACT, Dedupe.NEAR):
        assert counts(chosen(store, mode=Mode.OUTPUT_ONLY, dedupe=dedupe)) == (3, 2, 1, 0)


def test_other_variables_are_another_request(tmp_path: Path) -> None:
    rows = [row(id=str(number), variables={"lang": lang}) for number, lang in enumerate(["de", "fr", "fr"])]
    store = stored(tmp_path, rows)
    assert counts(chosen(store)) == (3, 1, 2, 0)
    found = chosen(store, finder(tmp_path), mode=Mode.TEMPLATE)
    assert counts(found) == (3, 2, 1, 0)
    assert [(one.variables, one.weight) for one in found.calls()] == [({"lang": "de"}, 1), ({"lang": "fr"}, 2)]


def test_near_duplicates_are_asked_once(tmp_path: Path) -> None:
    rows = [row(LONG), row(f"{LONG} please"), row(LONG, id="again"), row(LONG.replace("word5 ", "x ")), row("else")]
    rows += [row(LONG[: len(LONG) // 2])]
    store = stored(tmp_path, rows)
    found = chosen(store, dedupe=Dedupe.NEAR)
    assert counts(found) == (6, 3, 3, 0)
    assert sorted(one.weight for one in found.calls()) == [1, 1, 4]
    assert counts(chosen(store)) == (6, 5, 1, 0)


def test_a_turn_before_is_part_of_the_text(tmp_path: Path) -> None:
    def conversation(before: str) -> Row:
        asked = [{"role": "user", "content": before}, {"role": "assistant", "content": "Shall I?"}]
        return row(None, messages=[*asked, {"role": "user", "content": "Yes, please do that for me now."}])

    store = stored(tmp_path, [conversation("Cancel my order."), conversation("Send me another parcel.")])
    assert counts(chosen(store, dedupe=Dedupe.NEAR)) == (2, 2, 0, 0)


def test_images_are_not_near_each_other(tmp_path: Path) -> None:
    def picture(name: str) -> Row:
        image = {"type": "image_url", "image_url": {"url": f"https://a.example/{name}.png"}}
        return row(None, messages=[{"role": "user", "content": [{"type": "text", "text": "What is this?"}, image]}])

    assert counts(chosen(stored(tmp_path, [picture("a"), picture("b")]), dedupe=Dedupe.NEAR)) == (2, 2, 0, 0)


def many(tmp_path: Path) -> list[Row]:
    """90 calls of one model on two days, 9 of another, 1 of a third; with duplicates."""
    models = ["a"] * 90 + ["b"] * 9 + ["c"]
    return [
        row(f"text {number % 60}", model=model, id=str(number), started_at=NOON + 86_400 * (number % 2))
        for number, model in enumerate(models)
    ]


@pytest.mark.parametrize("dedupe", Dedupe)
def test_the_choice_does_not_hang_on_the_order(tmp_path: Path, dedupe: Dedupe) -> None:
    rows = many(tmp_path)
    found = []
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        random.Random(number).shuffle(rows)
        store = stored(folder, rows[:40], rows[40:])
        one = chosen(store, dedupe=dedupe, sample=20, stratify=(Stratum.MODEL, Stratum.DAY), seed=7)
        found.append(sorted((call.id, call.weight) for call in one.calls()))
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 20


def test_a_seed_draws_another_sample(tmp_path: Path) -> None:
    store = stored(tmp_path, many(tmp_path))

    def drawn(seed: int, sample: int = 20) -> set[str]:
        return {one.id for one in chosen(store, sample=sample, seed=seed, dedupe=Dedupe.NONE).calls()}

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert drawn(-1) != drawn(2**70)
    assert drawn(1) < drawn(1, sample=40)


def test_each_stratum_has_its_share(tmp_path: Path) -> None:
    store = stored(tmp_path, many(tmp_path))
    found = chosen(store, sample=20, stratify=(Stratum.MODEL,), dedupe=Dedupe.NONE)
    assert counts(found) == (100, 20, 0, 80)
    assert Counter(one.call.model for one in found.calls()) == {"a": 17, "b": 2, "c": 1}
    days = chosen(store, sample=10, stratify=(Stratum.DAY,), dedupe=Dedupe.NONE)
    assert Counter(one.call.started_at for one in days.calls()) == {NOON: 5, NOON + 86_400: 5}


def test_prompts_as_strata_and_what_the_log_does_not_say(tmp_path: Path) -> None:
    rows = [row(f"{number}", prompt_name=name) for number, name in enumerate(["p"] * 50 + ["q"] + [None])]
    found = chosen(stored(tmp_path, rows), sample=3, stratify=(Stratum.PROMPT,))
    assert Counter(one.call.prompt_name for one in found.calls()) == {"p": 1, "q": 1, None: 1}


def test_weights_count_duplicates_only(tmp_path: Path) -> None:
    rows = [row(f"text {number // 4}", id=str(number)) for number in range(40)]
    found = chosen(stored(tmp_path, rows), sample=5)
    assert counts(found) == (40, 5, 30, 5)
    assert [one.weight for one in found.calls()] == [4] * 5


def test_a_sample_of_more_than_there_is_is_all(tmp_path: Path) -> None:
    assert counts(chosen(stored(tmp_path, [row("a"), row("b")]), sample=10)) == (2, 2, 0, 0)


def test_filters(tmp_path: Path) -> None:
    store = stored(tmp_path, many(tmp_path))
    found = chosen(store, filter=TrafficFilter(models=("b",), where="source_id <> '95'"), dedupe=Dedupe.NONE)
    assert counts(found) == (8, 8, 0, 0)
    with pytest.raises(ProjectError):
        chosen(store, filter=TrafficFilter(where="nothing_like_it = 1"))
    with pytest.raises(UsageError, match="--sample takes"):
        chosen(store, sample=0)
