"""Canonical JSON, digests, and scalars that print as they were written."""

from __future__ import annotations

import json
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmctl.canonical import (
    WrittenBool,
    WrittenFloat,
    WrittenInt,
    canonical_json,
    digest,
    from_json,
    plain,
    to_json,
    written,
)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.integers(0, 99).map(lambda n: WrittenInt(n, f"0{n}"))
    | st.floats(0, 99).map(lambda x: WrittenFloat(x, f"{x}0"))
    | st.booleans().map(lambda b: WrittenBool(b, str(b)))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)

DIGEST = "1a8b98fd02848e8b18cd98a448f22ec67deb0b569bcbea004896212e70ced308"
WRITTEN_DIGEST = "912d1b932f7be24671ef9d6d306f09c5fef1d99c837f18d4ead258388a05dc71"


def _texts(value: object) -> object:
    """The value with every scalar as its type and text: what equality alone does not see."""
    if isinstance(value, list):
        return [_texts(item) for item in value]
    if isinstance(value, dict):
        return {key: _texts(item) for key, item in value.items()}
    return type(value).__name__, written(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        (True, "true"),
        (False, "false"),
        (None, "null"),
        (10, "10"),
        (1.5, "1.5"),
        (WrittenInt(10, "010"), "010"),
        (WrittenFloat(1.1, "1.10"), "1.10"),
        (WrittenBool(True, "True"), "True"),
        ([1, WrittenFloat(1.1, "1.10"), None], "[1,1.1,null]"),
        ({"b": True, "a": "ü"}, '{"b":true,"a":"ü"}'),
        ((1, 2), "[1,2]"),
    ],
)
def test_written(value: object, text: str) -> None:
    assert written(value) == text


def test_written_scalars_are_numbers() -> None:
    assert WrittenInt(10, "010") + 1 == 11
    assert WrittenFloat(1.1, "1.10") == 1.1
    assert not WrittenBool(False, "FALSE")
    assert f"{WrittenInt(10, '010')!s}" == "010"


@given(VALUES)
def test_json_comes_back_with_its_texts(value: object) -> None:
    assert _texts(from_json(to_json(value))) == _texts(value)


@given(VALUES)
def test_plain_is_ordinary_json(value: object) -> None:
    assert plain(plain(value)) == plain(value)
    assert json.loads(json.dumps(plain(value))) == plain(value)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), VALUES, max_size=5))
def test_the_order_of_keys_changes_nothing(value: dict[str, object]) -> None:
    backwards = dict(reversed(value.items()))
    assert canonical_json(value) == canonical_json(backwards)
    assert digest(value) == digest(backwards)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((1,), ("1",)),
        (("a", "b"), ("ab",)),
        ((1.1,), (WrittenFloat(1.1, "1.10"),)),
        ((True,), (WrittenBool(True, "True"),)),
        (([1, 2],), ([2, 1],)),
        ((None,), ()),
    ],
)
def test_different_parts_have_different_digests(left: tuple[object, ...], right: tuple[object, ...]) -> None:
    assert digest(*left) != digest(*right)


def test_a_digest_is_stable_across_versions() -> None:
    # Stored call keys are compared with it: a change here makes every cached answer unreachable.
    assert digest({"b": [1, 2.5, None, True], "a": "ü"}) == DIGEST
    assert digest(WrittenFloat(1.1, "1.10")) == WRITTEN_DIGEST


def test_mappings_and_sets_are_taken_as_their_plain_kind() -> None:
    assert canonical_json(MappingProxyType({"a": 1})) == b'{"a":1}'
    assert canonical_json({"x", "b"}) == b'["b","x"]'


def test_an_object_is_refused() -> None:
    with pytest.raises(TypeError):
        canonical_json({"a": object()})
