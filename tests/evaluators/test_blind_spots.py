"""What is said of two similar texts whose difference an embedding does not see."""

from __future__ import annotations

import pytest

from llmctl.evaluators.similarity.blind_spots import unseen_difference


@pytest.mark.parametrize(
    ("output", "reference", "said"),
    [
        ("You cannot return it.", "You can return it.", 'only the output says "cannot"'),
        ("It is free.", "It isn't free.", 'only the reference says "isn\'t"'),
        ("It isn\u2019t free.", "It is free.", "only the output says"),
        ("No refunds, never.", "Refunds.", 'only the output says "No", "never"'),
        ("It works without a key.", "It works with a key.", 'only the output says "without"'),
        ("Not A, not B.", "A, not B.", "the output negates 2 times and the reference 1 times"),
        ("Within 60 days.", "Within 30 days.", 'the output has "60" in place of "30"'),
        ("5 to 7 days", "5 days", 'only the output has "7"'),
        ("5 days", "5 to 7 days", 'only the reference has "7"'),
        ("Not within 60 days.", "Within 30 days.", 'only the output says "Not" and the output has "60"'),
        ("It costs $1,000.00.", "It costs 1000 dollars.", None),
        ("Within 30 days.", "Within thirty days.", None),
        ("It does not work.", "It never works.", None),
        ("Notify the note holder, noon.", "Tell the holder at twelve.", None),
        ("", "", None),
        ("x" * 6_000 + " not 5", "x" * 6_000 + " 6", None),
    ],
)
def test_unseen_difference(output: str, reference: str, said: str | None) -> None:
    found = unseen_difference(output, reference)
    if said is None:
        assert found is None
    else:
        assert found is not None
        assert said in found
        assert found.endswith("embeddings are blind to that.")
