from __future__ import annotations

from pathlib import Path

import pytest

from llmctl.project.app_target import AppKind, CommandCall, HttpCall, PythonCall, SecretHeader
from llmctl.project.models import CaseReference, Prompt
from llmctl.project.templates import (
    TemplateError,
    prompt_variables,
    render_target,
    template_problems,
    uses_every_variable,
)
from tests.project.files import Files

HTTP = """\
description: Our assistant.
target:
  http:
    url: https://app.example/v1/{{ tenant }}/ask
    method: POST
    headers:
      Authorization: {env: APP_TOKEN, prefix: "Bearer "}
      X-Case: "{{ id }}"
    body:
      question: "{{ ticket }}"
      history: {from: vars.history}
      size: 1.50
  output: /answer/text
  requests_per_minute: 60
  concurrency: 4
  timeout_s: 120
"""


def http(more: str = "", url: str = "https://app.example/ask", body: str = "{x: 1}") -> str:
    return f"target: {{http: {{url: '{url}', body: {body}{more}}}}}"


def test_every_key_of_http_arrives(files: Files) -> None:
    prompt = files.prompt(HTTP)
    target = prompt.target
    assert target is not None
    assert (prompt.messages, prompt.model, prompt.description) == ((), None, "Our assistant.")
    call = target.call
    assert isinstance(call, HttpCall)
    assert (call.url, call.method) == ("https://app.example/v1/{{ tenant }}/ask", "POST")
    assert call.headers == {"Authorization": SecretHeader("APP_TOKEN", "Bearer "), "X-Case": "{{ id }}"}
    assert call.body == {"question": "{{ ticket }}", "history": CaseReference(("vars", "history")), "size": 1.5}
    assert (target.kind, target.output, target.code) == (AppKind.HTTP, "/answer/text", ())
    assert (target.requests_per_minute, target.concurrency, target.timeout_s) == (60, 4, 120)
    assert str(target.place) == "prompts/p.yaml:3:3"
    assert template_problems(prompt) == []
    assert prompt_variables(prompt) == {"tenant", "id", "ticket", "history"}
    assert not uses_every_variable(prompt)


def test_output_may_stand_inside_http_and_get_is_what_has_no_body(files: Files) -> None:
    target = files.prompt("target: {http: {url: 'http://localhost:8000/{{ q }}', output: ''}}").target
    assert target is not None
    assert isinstance(target.call, HttpCall)
    assert (target.call.method, target.output) == ("GET", "")


def test_a_command_and_a_function(files: Files) -> None:
    files.write("app/bot.py", "async def answer(vars): ...\n")
    command = files.prompt("target: {command: [./app.sh, --fast, 5], output: /answer}")
    function = files.prompt("target: {python: app/bot.py:answer}")
    assert command.target is not None
    assert function.target is not None
    assert (command.target.call, command.target.output) == (CommandCall(("./app.sh", "--fast", "5")), "/answer")
    assert (function.target.call, function.target.kind) == (PythonCall("app/bot.py", "answer"), AppKind.PYTHON)
    assert [file.path for file in function.target.code] == ["app/bot.py"]
    assert uses_every_variable(function)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("target: {}", "1:9: A target has one of `http`, `command`, `python`, not none of them."),
        (
            "target: {command: [a], python: b.py:c}",
            "1:9: A target has one of `http`, `command`, `python`, not 2 of them.",
        ),
        ("target: {comand: [a]}", "1:10: There is no key `comand` in `target`."),
        ("target: {command: []}", "1:19: `command` is empty."),
        ("target: {command: run}", "1:19: `command` must be a list, not the text `run`."),
        ("target: {command: ['']}", "1:20: The name of the program is empty."),
        ("target: {command: [a], output: answer}", "1:32: `output` does not begin with /."),
        ("target: {command: [a], concurrency: 0}", "1:37: `concurrency` must be at least 1, not 0."),
        ("target: {command: [a], timeout_s: 0}", "1:35: `timeout_s` must be greater than 0, not 0."),
        ("target: {command: [a], files: [b.txt]}", "1:32: There is no file b.txt."),
        ("target: {command: [a], files: [../b.txt]}", "1:32: `../b.txt` is no file of this project."),
        ("target: {python: bot.answer}", "1:18: `python` names a file and a function in it."),
        ("target: {python: bot.py}", "1:18: `python` names a file and a function in it."),
        ("target: {python: missing.py:f}", "1:18: There is no file missing.py."),
        ("target: {python: ../up.py:f}", "1:18: `../up.py` is no file of this project."),
        ("target: {python: /abs.py:f}", "1:18: `/abs.py` is no file of this project."),
        ("target: {python: bot.py:anser}", "1:18: bot.py has no function `anser`."),
        ("target: {python: bad.py:f}", "bad.py"),
        ("target: {command: [a]}\ntemplate: x", "2:1: `template` means nothing beside `target`:"),
        ("target: {command: [a]}\nmodel: small", "2:1: `model` means nothing beside `target`:"),
        ("target: {command: [a]}\noutput: {format: json}", "2:1: `output` means nothing beside `target`:"),
        ("description: x", "1:1: The prompt has neither `messages` nor `template` nor `target`."),
    ],
)
def test_one_sentence_for_one_mistake(files: Files, text: str, said: str) -> None:
    files.write("bot.py", "def answer(vars): ...\n")
    files.write("bad.py", "def f(:\n")
    assert files.try_prompt(text) is None
    (problem,) = files.said()
    expected = "bad.py:1:7: This is no Python: invalid syntax." if said == "bad.py" else f"prompts/p.yaml:{said}"
    assert problem.startswith(expected)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (http(url="https://{{ host }}/ask"), "`url` must begin with http:// or https:// and a host"),
        (http(url="https://app.{{ host }}/ask"), "`url` must begin with http:// or https:// and a host"),
        (http(url="https://app.example{{ path }}"), "`url` must begin with http:// or https:// and a host"),
        (http(url="https://app.example:{% if a %}1{% endif %}"), "`url` must begin with http:// or https:// and a"),
        (http(url="{{ url }}"), "`url` must begin with http:// or https:// and a host"),
        (http(url="file:///etc/passwd"), "`url` must begin with http:// or https:// and a host"),
        (http(url="ftp://app.example/"), "`url` must begin with http:// or https:// and a host"),
        (http(url="https://app.example:port/"), "`url` is no address."),
        (http(url="https://app.example/{{ q"), "The template cannot be read: "),
        (http(body='{a: ["{{ q"]}'), "The template cannot be read: "),
        (http(", headers: {X: '{{ q'}"), "The template cannot be read: "),
        (http(", headers: {'X Y': a}"), "`X Y` cannot be the name of a header."),
        (http(", headers: {Host: a}"), "The header `Host` is set by llmctl itself."),
        (http(", headers: {X: {env: 'A B'}}"), "`env` is the name of an environment variable"),
        (http(", headers: {X: {evn: A}}"), "There is no key `evn` in `X`."),
        (http(", method: GET"), "A GET request has no `body`."),
        (http(", method: post"), "`method` must be one of `GET`, "),
        ("target: {http: {url: 'http://a/', method: POST}}", "A POST request needs a `body`."),
        (http(body="{a: {from: expected}}"), "What is expected of the application is not sent to it."),
        (http(body="{a: {from: vars}}"), "`from: vars` does not say which variable."),
        (http(", output: /a}, output: {x: 1"), "`output` must be text, not a mapping."),
        ("target: {http: {url: 'http://a/', output: /a}, output: /b}", "`output` stands twice"),
    ],
)
def test_mistakes_of_http(files: Files, text: str, said: str) -> None:
    assert files.try_prompt(text) is None
    assert len(files.problems) == 1
    assert files.problems[0].message.startswith(said)
    place = files.problems[0].place
    assert place is not None
    assert place.line == 1


@pytest.mark.parametrize(
    "text",
    [
        http(", headers: {Authorization: Bearer abcdef}"),
        http(", headers: {x-api-key: '{{ key }}'}"),
        http(", headers: {Cookie: session=1}"),
        http(", headers: {X-Own: sk-abcdefghijklmnop1234}"),
        http(", headers: {X: {env: sk-abcdefghijklmnop1234}}"),
        http(", headers: {X: {env: A, prefix: Bearer sk-abcdefghijklmnop1234}}"),
        http(url="https://user:sk-abcdefghijklmnop1234@app.example/"),
        http(url="https://app.example/?api_key=sk-abcdefghijklmnop1234"),
        http(body="{token: sk-abcdefghijklmnop1234}"),
        "target: {command: [app, --key, sk-abcdefghijklmnop1234]}",
    ],
)
def test_a_key_in_the_file_is_refused_and_not_shown(files: Files, text: str) -> None:
    assert files.try_prompt(text) is None
    assert [problem.message for problem in files.problems] == ["A key or password does not belong in a file."]
    assert "sk-abc" not in repr(files.problems)
    assert "abcdef" not in repr(files.problems)
    assert "{env: NAME}" in (files.problems[0].hint or "")


def rendered(prompt: Prompt, **variables: object) -> dict[str, object]:
    assert prompt.target is not None
    return render_target(prompt.target, variables)


def test_what_is_sent_to_http(files: Files) -> None:
    case = {"tenant": "a/b", "id": "7", "ticket": 'x"y', "history": [{"role": "user"}], "unused": object}
    assert rendered(files.prompt(HTTP), **case) == {
        "method": "POST",
        "url": "https://app.example/v1/a%2Fb/ask",
        "headers": {"X-Case": "7"},
        "body": {"question": 'x"y', "history": [{"role": "user"}], "size": 1.5},
    }


def test_a_program_gets_every_variable(files: Files) -> None:
    assert rendered(files.prompt("target: {command: [a]}"), a=1, b=[None]) == {"vars": {"a": 1, "b": [None]}}


@pytest.mark.parametrize(
    ("text", "variables", "said"),
    [
        (HTTP, {"tenant": "a", "id": "1", "ticket": "x"}, "the variable `history` is not given"),
        (HTTP, {"tenant": "a", "id": "1", "history": []}, "the variable `ticket` is not given"),
        (
            HTTP,
            {"tenant": "a", "id": "1\nX: 2", "ticket": "x", "history": 1},
            "the header X-Case would hold a line end",
        ),
        (http(body="{a: {from: vars.x/0/y}}"), {"x": []}, "`vars.x` has no `0`"),
        (http(body="{a: {from: vars.x/0/y}}"), {"x": [5]}, "`vars.x.0` has no `y`"),
        (http(body="{a: {from: vars.x}}"), {"x": object()}, "`x` is no plain data: it holds a object"),
        ("target: {command: [a]}", {"x": object()}, "`x` is no plain data: it holds a object"),
    ],
)
def test_a_case_that_cannot_be_sent(files: Files, text: str, variables: dict[str, object], said: str) -> None:
    prompt = files.prompt(text)
    with pytest.raises(TemplateError) as caught:
        rendered(prompt, **variables)
    assert caught.value.message.startswith(said)


def digest(files: Files, text: str) -> str:
    return files.prompt(text).digest


def test_the_digest_changes_with_what_is_called_and_with_its_code(files: Files) -> None:
    files.write("app/bot.py", "import rules\ndef answer(v): ...\n")
    files.write("app/rules.py", "A = 1\n")
    files.write("data.txt", "a")
    text = "target: {python: app/bot.py:answer, files: [data.txt]}"
    digests = [digest(files, text)]
    for name, content in [
        ("app/bot.py", "import rules\ndef answer(v): return 1\n"),
        ("app/rules.py", "A = 2\n"),
        ("data.txt", "b"),
    ]:
        files.write(name, content)
        digests.append(digest(files, text))
    digests += [digest(files, text.replace("}", ", output: /a}")), digest(files, "target: {command: [a]}")]
    assert len(set(digests)) == len(digests)


def test_the_digest_does_not_change_with_how_fast_it_is_asked(files: Files) -> None:
    same = [
        http(),
        "# comment\n" + http(),
        http()[:-1] + ", concurrency: 3, requests_per_minute: 5, timeout_s: 9}",
        "description: x\n" + http(),
    ]
    assert len({digest(files, text) for text in same}) == 1
    files.write("a.py", "x = 1\n")
    first = digest(files, "target: {command: [python, a.py]}")
    files.write("other.py", "x = 1\n")
    files.write("a.py", "x = 1\r\n")
    assert digest(files, "target: {command: [python, a.py]}") == first


def test_no_code_is_run_by_reading(files: Files, tmp_path: Path) -> None:
    files.write("bot.py", f"open({str(tmp_path / 'ran')!r}, 'w')\ndef answer(v): ...\n")
    files.prompt("target: {python: bot.py:answer}")
    assert not (tmp_path / "ran").exists()
