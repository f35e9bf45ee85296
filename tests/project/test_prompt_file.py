from __future__ import annotations

from pathlib import Path

import pytest

from llmctl.errors import Severity
from llmctl.project.models import Message, OutputFormat, PlaceholderMessage
from tests.project.files import Files

DESIGN = """\
description: Routes a support ticket to one queue.
model: small
params: {temperature: 0, max_tokens: 24}
messages:
  - role: system
    content: |-
      You route support tickets of {{ brand }} to one queue:
      other: everything else
  - placeholder: history
  - role: user
    content: |-
      Ticket: {{ ticket }}
output:
  format: json
  schema: {type: object, properties: {queue: {enum: [billing, shipping, other]}}, required: [queue]}
tools:
  - {type: function, function: {name: look_up}}
tool_choice: auto
"""


def test_every_key_of_the_design_arrives(files: Files) -> None:
    prompt = files.prompt(DESIGN, "support/triage")
    assert (prompt.name, prompt.path, prompt.model) == ("support/triage", Path("prompts/support/triage.yaml"), "small")
    assert prompt.description == "Routes a support ticket to one queue."
    assert prompt.params == {"temperature": 0, "max_tokens": 24}
    system, history, user = prompt.messages
    assert isinstance(system, Message)
    assert (system.role, str(system.content).splitlines()[1]) == ("system", "other: everything else")
    assert system.place is not None
    assert system.place.line == 7
    assert isinstance(history, PlaceholderMessage)
    assert history.name == "history"
    assert isinstance(user, Message)
    assert user.content == "Ticket: {{ ticket }}"
    assert prompt.output is OutputFormat.JSON
    assert prompt.schema is not None
    assert prompt.schema["required"] == ["queue"]
    assert (len(prompt.tools), prompt.tool_choice, prompt.rev) == (1, "auto", None)


def test_a_template_is_one_user_message(files: Files) -> None:
    (message,) = files.prompt("template: 1.10").messages
    assert isinstance(message, Message)
    assert (message.role, message.content, str(message.place)) == ("user", "1.10", "prompts/p.yaml:1:11")


def test_content_template_and_schema_may_lie_in_files_beside_the_prompt(files: Files) -> None:
    files.write("prompts/texts/system.txt", "Be kind.\r\nAlways.\r\n")
    files.write("shared/schema.json", '{"type": "object"}')
    prompt = files.prompt(
        "messages:\n  - {role: system, content: {file: texts/system.txt}}\n  - {role: user, content: x}\n"
        "output: {format: json, schema: {file: ../shared/schema.json}}\n"
    )
    system = prompt.messages[0]
    assert isinstance(system, Message)
    assert (system.content, str(system.place)) == ("Be kind.\nAlways.\n", "prompts/texts/system.txt:1:1")
    assert prompt.schema == {"type": "object"}


@pytest.mark.parametrize("path", ["../../outside.txt", "/etc/hostname", "a\\b.txt", '"a\\0b"', "link.txt"])
def test_nothing_outside_the_project_is_read(files: Files, path: str) -> None:
    project = Files(files.root / "inside")
    files.write("outside.txt", "secret")
    project.write("prompts/x.txt", "")
    (project.root / "prompts" / "link.txt").symlink_to(files.root / "outside.txt")
    assert project.try_prompt(f"template: {{file: {path}}}") is None
    (problem,) = project.problems
    said = "lies outside the project" if path == "link.txt" else "is no file of this project"
    assert said in problem.message
    assert problem.place is not None
    assert problem.place.line == 1
    assert problem.excerpt is not None


def test_a_link_that_leads_to_itself_is_a_sentence(files: Files) -> None:
    files.write("prompts/x.txt", "")
    (files.root / "prompts" / "loop.txt").symlink_to(files.root / "prompts" / "loop.txt")
    assert files.try_prompt("template: {file: loop.txt}") is None
    assert len(files.problems) == 1


@pytest.mark.parametrize(
    "change",
    [
        DESIGN.replace("max_tokens: 24", "max_tokens: 25"),
        DESIGN.replace("other: everything else", "other: all else"),
        DESIGN.replace("role: user", "role: assistant"),
        DESIGN.replace("model: small", "model: fake/other"),
        DESIGN.replace("enum: [billing, ", "enum: ["),
        DESIGN.replace("name: look_up", "name: search"),
        DESIGN.replace("tool_choice: auto", "tool_choice: none"),
        DESIGN.replace("placeholder: history", "placeholder: past"),
    ],
)
def test_the_digest_changes_with_all_that_can_change_an_answer(files: Files, change: str) -> None:
    assert files.prompt(DESIGN).digest != files.prompt(change).digest


def test_the_digest_does_not_change_with_comments_line_ends_or_the_way_of_writing(files: Files) -> None:
    same = [
        "# a comment\n" + DESIGN,
        DESIGN.replace("\n", "\r\n"),
        DESIGN.replace("temperature: 0,", "temperature: 00,"),
        DESIGN.replace("Routes a support ticket", "Sends a ticket"),
    ]
    assert {files.prompt(text).digest for text in [DESIGN, *same]} == {files.prompt(DESIGN).digest}


def test_a_number_of_a_parameter_is_a_number_however_it_was_written(files: Files) -> None:
    value = files.prompt("params: {temperature: 1.10}\ntemplate: x").params["temperature"]
    assert (value, type(value)) == (1.1, float)


def test_a_tool_may_have_an_argument_called_api_key(files: Files) -> None:
    prompt = files.prompt("template: x\ntools: [{type: function, function: {parameters: {api_key: text}}}]")
    assert prompt.tools == ({"type": "function", "function": {"parameters": {"api_key": "text"}}},)


def test_a_bare_model_near_a_configured_one_is_only_a_warning(files: Files) -> None:
    assert files.try_prompt("model: smal\ntemplate: x") is not None
    (problem,) = files.problems
    assert (problem.severity, problem.hint) == (Severity.WARNING, "Did you mean `small`?")
    assert files.try_prompt("model: gpt-4o\ntemplate: x") is not None
    assert files.problems == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a", "1:1: The file must be a mapping, not a list."),
        ("messages: []", "1:11: `messages` is empty."),
        ("messages: [hello]", "1:12: Item 1 of `messages` must be a mapping, not the text `hello`."),
        ("messages: {role: user, content: x}", "1:11: `messages` must be a list, not a mapping."),
        ("template: {fil: x.txt}", "1:12: There is no key `fil` in `template`."),
        ("context: [a]\ntemplate: y", "1:1: `context` is planned and does not work yet."),
        ("template: x\nparams: {api_key: sk-1}", "2:10: An API key does not belong in a file."),
        ("template: x\noutput: {format: xml}", "2:18: `format` must be one of `text`, `json`, not the text `xml`."),
        ("template: x\nmodel: ''", "2:8: `model` is empty."),
        ("template: x\nmodel: null", "2:8: `model` is null."),
        ("template: x\ntools: [a]", "2:9: Item 1 of `tools` must be a mapping, not the text `a`."),
        ("template: x\n'<text>': y", "2:1: There is no key `<text>`."),
        ("messages: [{role: user, content: x, '<text>': y}]", "1:37: There is no key `<text>`."),
        ("template: x\noutput: {format: json, schema: {file: p.yaml, x: 1}}", ""),
    ],
)
def test_one_sentence_for_one_mistake(files: Files, text: str, said: str) -> None:
    files.try_prompt(text)
    assert files.said() == ([f"prompts/p.yaml:{said}"] if said else [])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("s.json", '{"type": "object"', "prompts/s.json:1:18: The JSON is cut off here."),
        ("s.json", '{"type": "object", "type": "array"}', "prompts/s.json: The key `type` stands twice."),
        ("s.json", "{} {}", "prompts/s.json: The file goes on after its JSON value."),
        ("s.yaml", "type: a\ntype: b", "prompts/s.yaml:2:1: `type` stands twice in this mapping; first on line 1."),
        ("s.txt", "type", "prompts/p.yaml:2:32: The file holds no JSON Schema: a schema is a mapping."),
        ("s.json", b"\xff", "prompts/s.json:1:1: The byte 0xFF is not UTF-8."),
    ],
)
def test_a_broken_schema_file_is_named(files: Files, name: str, content: str | bytes, said: str) -> None:
    files.write(f"prompts/{name}", content)
    assert files.try_prompt(f"template: x\noutput: {{format: json, schema: {{file: {name}}}}}") is None
    assert files.said() == [said]


def test_a_deep_schema_does_not_end_in_a_traceback(files: Files) -> None:
    schema = "{properties: {a: " * 30 + "{}" + "}}" * 30
    assert files.try_prompt(f"template: x\noutput: {{format: json, schema: {schema}}}") is not None
