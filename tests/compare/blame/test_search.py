"""The search for the first bad version: a table of what is known, and what follows."""

from __future__ import annotations

import pytest

from llmctl.compare.blame.report import Finding, Version, search

ANSWERS = {"g": (1, 1), "b": (0, 1), "f": (1, 2), "?": (0, 0)}


def versions(known: str) -> list[Version]:
    """Good, bad, flaky and unknown versions, the oldest first."""
    return [Version(f"p@{n}", "fake", f"key-{n}", f"{n:07}", "", None, *ANSWERS[mark]) for n, mark in enumerate(known)]


@pytest.mark.parametrize(
    ("known", "finding", "good", "bad", "probe", "steps"),
    [
        ("g", Finding.PASSES, None, None, None, 0),
        ("bg", Finding.PASSES, None, None, None, 0),
        ("gf", Finding.FLAKY, None, None, None, 0),
        ("gb", Finding.FOUND, 0, 1, None, 0),
        ("ggbb", Finding.FOUND, 1, 2, None, 0),
        ("gbgb", Finding.FOUND, 2, 3, None, 0),
        ("gfb", Finding.FOUND, 0, 2, None, 0),
        ("g?b", Finding.OPEN, 0, 2, 1, 1),
        ("g??b", Finding.OPEN, 0, 3, 2, 2),
        ("g???????b", Finding.OPEN, 0, 8, 4, 3),
        ("?g?b?b", Finding.OPEN, 1, 3, 2, 1),
        ("b", Finding.NEVER, None, 0, None, 0),
        ("bb", Finding.NEVER, None, 0, None, 0),
        ("fb", Finding.NEVER, None, 1, None, 0),
        ("???b", Finding.OPEN, None, 3, 0, 3),
        ("g?", Finding.OPEN, None, None, 1, 1),
        ("????", Finding.OPEN, None, None, 3, 4),
    ],
)
def test_what_is_known_and_what_follows(
    known: str, finding: Finding, good: int | None, bad: int | None, probe: int | None, steps: int
) -> None:
    found = search(versions(known))
    assert (found.finding, found.good, found.bad, found.probe, found.steps) == (finding, good, bad, probe, steps)


@pytest.mark.parametrize("size", range(2, 40))
def test_every_first_bad_version_is_found_in_as_many_steps_as_were_said(size: int) -> None:
    for broken in range(1, size):
        truth = "g" * broken + "b" * (size - broken)
        known = ["?"] * size
        said: int | None = None
        asked = 0
        while (found := search(versions("".join(known)))).probe is not None:
            said = found.steps if said is None else said
            known[found.probe] = truth[found.probe]
            asked += 1
        assert (found.finding, found.bad) == (Finding.FOUND, broken)
        assert said is not None and asked <= said
