"""Laws of the graded measures, sacrebleu as the yardstick, and outputs that are made to hurt."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmctl.evaluators.base import Context, Score
from llmctl.evaluators.built import Judged
from llmctl.evaluators.extras import need_package
from llmctl.evaluators.findings import ArgumentError
from llmctl.evaluators.registry import build
from llmctl.evaluators.similarity.bleu import Bleu
from llmctl.evaluators.similarity.chrf import Chrf
from llmctl.evaluators.similarity.ngrams import common_subsequence
from llmctl.project.models import EvaluatorSettings

from .entries import spec_of

FAST = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TOKENS = [
    "the",
    "The",
    "cat",
    "a",
    "mat.",
    "3.14",
    "1,000",
    "(x)",
    "--",
    "don't",
    "日本",
    "é",
    "&amp;",
    "…",
    "\n",
    "-\nx",
]
SENTENCE = st.lists(st.sampled_from(TOKENS), max_size=12).map(" ".join)
GRADED: list[Any] = [
    "levenshtein",
    {"levenshtein": {"measure": "damerau"}},
    {"levenshtein": {"measure": "indel"}},
    {"levenshtein": {"measure": "hamming"}},
    {"levenshtein": {"measure": "jaro"}},
    {"levenshtein": {"measure": "jaro_winkler"}},
    "token_f1",
    {"token_f1": {"variant": "inspect"}},
    "rouge",
    {"rouge": {"kind": "2", "stemmer": True}},
    {"rouge": {"kind": "1", "tokenize": "treebank"}},
    "bleu",
    {"bleu": {"variant": "promptfoo"}},
    "gleu",
    "chrf",
    {"chrf": {"words": 2}},
]


def judged(entry: Any, output: str, expected: Any) -> Judged:
    entry = {entry: {}} if isinstance(entry, str) else entry
    result = build(spec_of({**entry, "against": expected}), None, EvaluatorSettings()).judge(Context(output=output))
    assert isinstance(result, Judged)
    return result


def score(entry: Any, output: str, expected: Any) -> Score:
    result = judged(entry, output, expected)
    assert result.score is not None, result.error
    return result.score


def ids(entry: Any) -> str:
    return str(entry)


@pytest.mark.parametrize("entry", GRADED, ids=ids)
@FAST
@given(text=st.lists(st.sampled_from(["one", "two", "three", "vier"]), min_size=6).map(" ".join))
def test_a_text_is_like_itself(entry: Any, text: str) -> None:
    assert score(entry, text, text).score == pytest.approx(1.0)
    assert score(entry, text, text).passed


@pytest.mark.parametrize("entry", GRADED, ids=ids)
@FAST
@given(output=SENTENCE, one=SENTENCE, other=SENTENCE)
def test_another_reference_never_lowers_the_score(entry: Any, output: str, one: str, other: str) -> None:
    if "bleu" not in entry:  # its penalty goes by the reference of the nearest length, of all of them
        assert score(entry, output, [one, other]).score >= score(entry, output, one).score


def _table(one: list[int], other: list[int]) -> int:
    lengths = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, left in enumerate(one, start=1):
        for j, right in enumerate(other, start=1):
            longest = max(lengths[i - 1][j], lengths[i][j - 1])
            lengths[i][j] = lengths[i - 1][j - 1] + 1 if left == right else longest
    return lengths[-1][-1]


@FAST
@given(one=st.lists(st.integers(0, 3)), other=st.lists(st.integers(0, 3)))
def test_the_common_subsequence_is_that_of_the_table(one: list[int], other: list[int]) -> None:
    assert common_subsequence([*map(str, one)], [*map(str, other)]) == _table(one, other)


@FAST
@given(
    output=SENTENCE,
    references=st.lists(SENTENCE, min_size=1, max_size=3),
    smooth=st.sampled_from(["exp", "floor", "none"]),
    tokenize=st.sampled_from([("13a", "13a"), ("whitespace", "none"), ("characters", "char")]),
    lower=st.booleans(),
    effective=st.booleans(),
)
def test_bleu_is_that_of_sacrebleu(
    output: str, references: list[str], smooth: Any, tokenize: Any, lower: bool, effective: bool
) -> None:
    library = pytest.importorskip("sacrebleu.metrics.bleu")
    theirs = library.BLEU(lower, tokenize=tokenize[1], smooth_method=smooth, effective_order=effective)
    ours = Bleu(tuple(references), ignore_case=lower, tokenize=tokenize[0], smooth=smooth, effective_order=effective)
    wanted = theirs.corpus_score([output], [[reference] for reference in references]).score / 100
    assert ours.score(Context(output=output)).score == pytest.approx(wanted)


@FAST
@given(
    output=SENTENCE,
    references=st.lists(SENTENCE, min_size=1, max_size=3),
    words=st.integers(0, 2),
    beta=st.integers(1, 3),
    lower=st.booleans(),
)
def test_chrf_is_that_of_sacrebleu(output: str, references: list[str], words: int, beta: int, lower: bool) -> None:
    library = pytest.importorskip("sacrebleu.metrics.chrf")
    theirs = library.CHRF(word_order=words, beta=beta, lowercase=lower).sentence_score(output, references).score / 100
    ours = Chrf(tuple(references), words=words, beta=float(beta), ignore_case=lower)
    assert ours.score(Context(output=output)).score == pytest.approx(theirs)


MEGABYTE = 1_000_000
NASTY = {
    "one letter": "a" * MEGABYTE,
    "words": "word and " * (MEGABYTE // 9),
    "different words": " ".join(map(str, range(140_000))),
    "marks": "-.,\"'" * (MEGABYTE // 10),
    "quotes": "''" * (MEGABYTE // 4),
    "space": "\n \u2003" * (MEGABYTE // 6),
    "accents": "e" + "\u0301" * (MEGABYTE // 4),
    "surrogates": "\ud800\udfff " * (MEGABYTE // 6),
    "stops": ". " * (MEGABYTE // 4),
}


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
@pytest.mark.parametrize(
    "entry",
    [
        "levenshtein",
        "token_f1",
        {"token_f1": {"variant": "inspect"}},
        "rouge",
        {"rouge": {"tokenize": "treebank"}},
        "bleu",
        "gleu",
        {"chrf": {"characters": 2}},
    ],
    ids=ids,
)
def test_a_megabyte_is_compared(entry: Any, text: str) -> None:
    assert 0 <= score(entry, text, "a" * 300).score < 0.5


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_a_megabyte_is_looked_through_for_a_refusal(text: str) -> None:
    result = build(spec_of("refusal"), None, EvaluatorSettings()).judge(Context(output=text))
    assert isinstance(result, Judged)
    assert result.passed is (not text.strip())


@pytest.mark.parametrize(("measure", "size"), [("levenshtein", 50_000), ("damerau", 11_000)])
def test_texts_that_are_too_long_leave_no_verdict(measure: str, size: int) -> None:
    result = judged({"levenshtein": {"measure": measure}}, "a" * size, "b" * size)
    assert result.score is None
    assert "too long to be compared" in (result.error or "")


def test_a_package_that_is_missing_is_found_when_the_evaluator_is_built() -> None:
    with pytest.raises(ArgumentError, match="needs the package no_such_package") as error:
        need_package("levenshtein", "no_such_package")
    assert "pip install 'llmctl-toolkit[text]'" in (error.value.findings[0].hint or "")


def test_rapidfuzz_is_imported_only_to_score() -> None:
    code = """
import sys
from llmctl.evaluators.base import Context
from llmctl.evaluators.similarity.levenshtein import Levenshtein
evaluator = Levenshtein(("a",))
assert not any(name.startswith("rapidfuzz") for name in sys.modules), "at import"
evaluator.score(Context(output="a"))
assert "rapidfuzz" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
