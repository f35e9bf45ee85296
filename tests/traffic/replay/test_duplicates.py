"""Near duplicates: how good the estimate is, and that texts that are all alike stay cheap."""

from __future__ import annotations

import random
import subprocess
import sys
import time

import numpy as np
import pytest
from numpy.typing import NDArray

from llmctl.traffic.replay.duplicates import Groups, near_groups
from llmctl.traffic.replay.shingles import PLACES, signature


def words(count: int, seed: int = 0) -> list[str]:
    chance = random.Random(seed)
    return [f"w{chance.randrange(10_000)}" for _ in range(count)]


def jaccard(one: list[str], other: list[str]) -> float:
    runs = [{tuple(text[at : at + 3]) for at in range(len(text) - 2)} for text in (one, other)]
    return len(runs[0] & runs[1]) / len(runs[0] | runs[1])


def grouped(texts: list[str], contexts: list[int] | None = None) -> Groups:
    marks = np.stack([signature(text) for text in texts])
    context = np.array([[one, 0] for one in contexts or [0] * len(texts)], dtype=np.uint64)
    return near_groups(Groups.single(len(texts)), marks, context, np.arange(len(texts)))


@pytest.mark.parametrize("replaced", [0, 1, 2, 5, 20, 60])
def test_the_share_of_equal_places_estimates_jaccard(replaced: int) -> None:
    errors = []
    for seed in range(30):
        one = words(200, seed)
        other = [f"new{at}" if at < replaced else word for at, word in enumerate(one)]
        share = (signature(" ".join(one)) == signature(" ".join(other))).mean()
        errors.append(share - jaccard(one, other))
    assert abs(float(np.mean(errors))) < 0.03
    assert float(np.abs(errors).max()) < 0.16


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Where is it?", "where  IS it", True),
        ("Yes", "yes!", True),
        ("Yes", "No", False),
        ("yes", "yes yes", False),
        ("", "...", True),
        ("荷物はどこにありますか、注文番号は", "荷物はどこにありますか、注文番号を", False),
    ],
)
def test_words_count_not_how_they_are_written(one: str, other: str, same: bool) -> None:
    assert bool((signature(one) == signature(other)).all()) is same


def test_writing_without_spaces_is_compared_by_its_characters() -> None:
    text = "昨日注文した荷物がまだ届いていません配送状況を教えてください" * 3
    share = (signature(text) == signature(text + "至急")).mean()
    assert 0.7 < share < 1


def test_a_long_text_is_hashed_in_pieces() -> None:
    long = words(10_000)
    whole = signature(" ".join(long))
    halves = [signature(" ".join(long[:6_000])), signature(" ".join(long[5_998:]))]
    assert whole.shape == (PLACES,)
    assert ((whole == halves[0]) | (whole == halves[1])).all()
    assert 0.3 < (whole == halves[0]).mean() < 0.9
    assert 0.2 < (whole == halves[1]).mean() < 0.7


def test_signatures_are_the_same_in_every_process() -> None:
    code = "from llmctl.traffic.replay.shingles import signature; print(signature('Where is my parcel?')[:4].tolist())"
    found = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert found == {f"{signature('Where is my parcel?')[:4].tolist()}\n"}


def test_another_context_keeps_texts_apart() -> None:
    text = " ".join(words(50))
    assert grouped([text, text + " x"], [0, 0]).sizes.tolist() == [2]
    assert grouped([text, text + " x"], [0, 1]).sizes.tolist() == [1, 1]


def test_nothing_is_lost_and_nothing_far_is_joined() -> None:
    texts = []
    for seed in range(100):
        text = words(100, seed)
        texts += [" ".join(text), " ".join([*text, "more"]), " ".join([*text[:50], *words(50, seed + 1_000)])]
    groups = grouped(texts)
    assert groups.sizes.sum() == 300
    assert groups.members.tolist() == sorted(set(range(300)) - set(range(1, 300, 3)))
    assert set(groups.sizes[::2].tolist()) == {2}
    assert set(groups.sizes[1::2].tolist()) == {1}


def test_a_chain_of_small_changes_is_not_one_group() -> None:
    text = words(100)
    chain = []
    for step in range(12):
        chain.append(" ".join(text))
        text[step * 8] = f"new{step}"
    sizes = grouped(chain).sizes
    assert sizes.sum() == 12
    assert sizes.max() < 6


def test_thousands_of_texts_that_are_almost_near_stay_cheap() -> None:
    chance = np.random.default_rng(1)
    marks: NDArray[np.uint16] = np.tile(chance.integers(0, 2**16, PLACES, dtype=np.uint16), (5_000, 1))
    for one in marks:  # each differs from all others in about 24 of its 128 places: not near enough
        one[chance.choice(PLACES, 12, replace=False)] = chance.integers(0, 2**16, 12)
    started = time.process_time()
    groups = near_groups(Groups.single(5_000), marks, np.zeros((5_000, 2), dtype=np.uint64), np.arange(5_000))
    assert time.process_time() - started < 3
    assert groups.sizes.sum() == 5_000
