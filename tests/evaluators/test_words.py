"""How texts become words, against what the tools that are followed give (recorded: NLTK 3.10.4, js-rouge 3.2.3)."""

from __future__ import annotations

import pytest

from llmctl.evaluators.similarity.porter import stem
from llmctl.evaluators.similarity.treebank import treebank_words
from llmctl.evaluators.similarity.words import inspect_words, mteval_words, plain_words, rouge_words, squad_words

# the examples of Porter's paper, and then those of NLTK's departures
STEMS = """
caresses caress, ponies poni, ties tie, cats cat, feed feed, agreed agre, plastered plaster, bled bled, motoring
motor, sing sing, conflated conflat, troubled troubl, sized size, hopping hop, tanned tan, falling fall, hissing hiss,
fizzed fizz, failing fail, filing file, happy happi, relational relat, conditional condit, rational ration, valenci
valenc, hesitanci hesit, digitizer digit, conformabli conform, radicalli radic, differentli differ, vileli vile,
analogousli analog, vietnamization vietnam, predication predic, operator oper, feudalism feudal, decisiveness decis,
hopefulness hope, callousness callous, formaliti formal, sensitiviti sensit, sensibiliti sensibl, triplicate triplic,
formative form, formalize formal, electriciti electr, electrical electr, hopeful hope, goodness good, revival reviv,
allowance allow, inference infer, airliner airlin, gyroscopic gyroscop, adjustable adjust, defensible defens, irritant
irrit, replacement replac, adjustment adjust, dependent depend, adoption adopt, homologou homolog, communism commun,
activate activ, angulariti angular, homologous homolog, effective effect, bowdlerize bowdler, probate probat, rate
rate, cease ceas, controll control, roll roll, dies die, died die, flies fli, spied spi, dying die, news news, skies
sky, sky sky, enjoy enjoy, by by, toy toy, syzygy syzygi, geology geolog, theology theolog, generally gener, fully
fulli, skilfully skil, carefully care, proceed proceed, yyyyy yyyyy, is is, ions ion, onion onion, oed o, ing ing, ied
i
"""


@pytest.mark.parametrize("pair", [tuple(pair.split()) for pair in STEMS.split(",")])
def test_stem(pair: tuple[str, str]) -> None:
    assert stem(pair[0]) == pair[1]


def test_a_word_of_a_megabyte_is_its_own_stem() -> None:
    assert stem("y" * 1_000_000) == "y" * 1_000_000


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('"hello," he said. it\'s fine.', "`` hello , '' he said. it 's fine ."),
        ("i can't, won't and cannot go.", "i ca n't , wo n't and can not go ."),
        ("u.s. policy: 3,000 days!", "u.s. policy : 3,000 days !"),
        ("in the u.s.", "in the u.s."),
        ("wait... what?", "wait ... what ?"),
        ("the end...", "the end ..."),
        ("a--b (c) [d] <e>", "a -- b ( c ) [ d ] < e >"),
        ("'tis more'n gonna wanna go", "'t is more 'n gon na wan na go"),
        ("say ``hi'' or ''yes''", "say `` hi '' or `` yes ''"),
        ('he said "no".', "he said `` no '' ."),
        ("the end.)", "the end . )"),
        ("x;y @z #1 50% a&b", "x ; y @ z # 1 50 % a & b"),
        ("", ""),
        ("\u00a0 \n", ""),
    ],
)
def test_treebank_words(text: str, words: str) -> None:
    assert treebank_words(text) == words.split()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The cat, (yes).", "The cat , ( yes ) ."),
        ("3.14 1,000 2.", "3.14 1,000 2 ."),
        ("10-20 well-known", "10 - 20 well-known"),
        ("over-\nride", "override"),
        ("a &amp; b &lt;c&gt;", "a & b < c >"),
        ("don't", "don't"),
        ("", ""),
    ],
)
def test_mteval_words(text: str, words: str) -> None:
    assert mteval_words(text) == words.split()


def test_squad_words() -> None:
    assert squad_words("The U.S.A., an “answer” — it’s 3.14!") == ["usa", "answer", "its", "314"]  # noqa: RUF001


def test_rouge_words() -> None:
    assert rouge_words("Für 2 well_known don't") == ["für", "2", "well", "known", "don", "t"]
    assert rouge_words("Für 2", ascii_only=True) == ["f", "r", "2"]


def test_inspect_words() -> None:
    assert inspect_words("The (3.14) well-known $1,000. x nan", ["X"]) == {"3.14", "well", "known", "1000.0", "nan"}


def test_plain_words() -> None:
    assert plain_words(" The  CAT.\n") == ["the", "cat."]
