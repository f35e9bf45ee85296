"""What is written to a journal about prompts and models comes back equal."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmctl.canonical import from_json, to_json
from llmctl.errors import Place
from llmctl.project.app_target import AppTarget, CodeFile, CommandCall, HttpCall, PythonCall, SecretHeader
from llmctl.project.models import (
    CaseReference,
    FilePart,
    ImagePart,
    Message,
    ModelConfig,
    OutputFormat,
    PlaceholderMessage,
    Price,
    Prompt,
    TextPart,
)
from llmctl.project.prompt_data import model_data, model_from_data, prompt_data, prompt_from_data
from tests.project.files import Files
from tests.project.test_message_parts import PROMPT
from tests.project.test_prompt_file import DESIGN
from tests.project.test_target_file import HTTP

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
NAMES = st.text(min_size=1, max_size=8, alphabet="abcdefgh_")
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | TEXTS
    | st.floats(allow_nan=False).filter(lambda number: abs(number) != float("inf"))
)
KEYS = TEXTS.filter(lambda key: key != "$written") | st.sampled_from(["$from", "$mapping"])
DATA = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
MAPPINGS = st.dictionaries(KEYS, DATA, max_size=3)
PLACES = st.none() | st.builds(
    Place,
    st.just(Path("prompts/p.yaml")),
    st.none() | st.integers(1, 99),
    st.none() | st.integers(1, 99),
    st.none() | TEXTS,
)
PARTS = (
    st.builds(TextPart, TEXTS, PLACES)
    | st.builds(ImagePart, TEXTS, st.none(), PLACES)
    | st.builds(ImagePart, st.none(), TEXTS, PLACES)
    | st.builds(FilePart, TEXTS, PLACES)
)
MESSAGES = st.builds(PlaceholderMessage, NAMES, PLACES) | st.builds(
    Message, st.sampled_from(["system", "user"]), TEXTS | st.lists(PARTS, max_size=3).map(tuple), PLACES
)
REFERENCES = st.builds(CaseReference, st.lists(TEXTS, min_size=1, max_size=3).map(tuple))
BODIES = st.recursive(
    SCALARS | REFERENCES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
CALLS = (
    st.builds(
        HttpCall,
        TEXTS,
        st.sampled_from(["GET", "POST"]),
        st.dictionaries(NAMES, TEXTS | st.builds(SecretHeader, NAMES, TEXTS), max_size=3),
        BODIES,
    )
    | st.builds(CommandCall, st.lists(TEXTS, min_size=1, max_size=3).map(tuple))
    | st.builds(PythonCall, TEXTS, NAMES)
)
LIMITS = st.none() | st.integers(1, 1000)
TARGETS = st.builds(
    AppTarget,
    CALLS,
    st.none() | TEXTS,
    LIMITS,
    LIMITS,
    st.none() | st.floats(0.1, 600),
    st.lists(st.builds(CodeFile, TEXTS, TEXTS), max_size=3).map(tuple),
    PLACES,
)
PROMPTS = st.builds(
    Prompt,
    name=TEXTS,
    path=st.just(Path("prompts/deep/p.yaml")),
    messages=st.lists(MESSAGES, max_size=3).map(tuple),
    model=st.none() | TEXTS,
    params=MAPPINGS,
    output=st.sampled_from(OutputFormat),
    schema=st.none() | MAPPINGS,
    tools=st.lists(MAPPINGS, max_size=2).map(tuple),
    tool_choice=DATA,
    target=st.none() | TARGETS,
    description=st.none() | TEXTS,
    rev=st.none() | TEXTS,
    commit=st.none() | TEXTS,
    digest=TEXTS,
    place=PLACES,
)
MODELS = st.builds(
    ModelConfig,
    name=TEXTS,
    model=TEXTS,
    transport=st.none() | st.sampled_from(["direct", "litellm"]),
    api_key_env=st.none() | NAMES,
    api_base=st.none() | TEXTS,
    params=MAPPINGS,
    drop=st.lists(TEXTS, max_size=3).map(tuple),
    options=MAPPINGS,
    requests_per_minute=LIMITS,
    tokens_per_minute=LIMITS,
    price=st.none() | st.builds(Price, st.floats(0, 100), st.floats(0, 100)),
    place=PLACES,
)


@given(PROMPTS)
@settings(max_examples=200, deadline=None)
def test_a_prompt_comes_back_equal(prompt: Prompt) -> None:
    assert prompt_from_data(from_json(to_json(prompt_data(prompt)))) == prompt


@given(MODELS)
@settings(max_examples=100, deadline=None)
def test_a_model_comes_back_equal(model: ModelConfig) -> None:
    assert model_from_data(from_json(to_json(model_data(model)))) == model


@pytest.mark.parametrize(
    "body", [{"$from": ["vars", "x"]}, {"$mapping": {"$from": []}}, [{"$mapping": {"a": CaseReference(("vars", "x"))}}]]
)
def test_a_body_that_looks_like_a_reference_stays_a_body(body: object) -> None:
    prompt = Prompt("p", Path("p.yaml"), (), target=AppTarget(HttpCall("https://a.example/", body=body)))
    assert prompt_from_data(from_json(to_json(prompt_data(prompt)))) == prompt


def test_prompts_of_files_come_back_equal(files: Files) -> None:
    files.write("bot.py", "def answer(v): ...\n")
    files.write("s.yaml", "{type: object, properties: {n: {minimum: 1.50, maximum: 010}}}")
    texts = [
        DESIGN,
        PROMPT,
        HTTP,
        "target: {command: [a, 1.10]}",
        "target: {python: bot.py:answer}",
        "template: x\noutput: {format: json, schema: {file: ../s.yaml}}",
    ]
    for text in texts:
        prompt = files.prompt(text)
        again = prompt_from_data(from_json(to_json(prompt_data(prompt))))
        assert again == prompt
        assert to_json(prompt_data(again)) == to_json(prompt_data(prompt)), "how a number was written too"


def test_every_field_is_in_the_data() -> None:
    """A field that is added to a prompt and forgotten here would be lost on the way through a journal."""
    prompt = Prompt("p", Path("p.yaml"), ())
    assert set(prompt_data(prompt)) == set(Prompt.__dataclass_fields__)
    assert set(model_data(ModelConfig("m", "fake/echo"))) == set(ModelConfig.__dataclass_fields__)
