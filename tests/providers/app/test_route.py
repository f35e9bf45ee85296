from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from llmctl.errors import ProjectError
from llmctl.project.models import ModelConfig, Prompt
from llmctl.providers.app import app_model, app_problems, app_route
from llmctl.providers.app.transport import PROCESSES, app_transport
from llmctl.providers.routes import TransportName, resolve
from tests.providers.app.conftest import Project

HTTP = "target: {http: {url: 'https://app.example/{{ q }}', headers: {A: {env: APP_KEY}}}}"
COMMAND = "target: {command: [python, app.py]}"
PYTHON = "target: {python: app.py:answer}"


@pytest.fixture
def code(project: Project) -> Path:
    return project.write("app.py", "import rules\ndef answer(v): ...\n")


def test_a_route_says_who_is_asked(project: Project, code: Path) -> None:
    route = project.route(HTTP)
    assert (route.provider, route.transport, route.model, route.wire_model) == (
        "app",
        TransportName.APP,
        "app/http",
        "http",
    )
    assert (route.config.name, route.url) == ("http", "https://app.example/{{ q }}")
    assert route.secrets({"APP_KEY": " value ", "OTHER": "x"}) == ("value",)
    assert (route.floats, route.repeatable) == (True, True)
    assert (project.route(COMMAND).url, project.route(COMMAND).repeatable) == ("command", False)
    assert (project.route(PYTHON).config.name, project.route(PYTHON).repeatable) == ("python", False)


def test_limits_of_the_target_are_the_model_s(project: Project) -> None:
    model = app_model(project.prompt(HTTP[:-1] + ", requests_per_minute: 30, timeout_s: 7}"))
    assert (model.name, model.model, model.requests_per_minute) == ("http", "app/http", 30)
    assert project.route(HTTP[:-1] + ", timeout_s: 7}").timeout_s == 7


@pytest.mark.parametrize("text", [COMMAND, PYTHON])
def test_code_runs_only_where_the_config_allows_it(project: Project, code: Path, text: str) -> None:
    prompt = project.prompt(text)
    forbidden = dataclasses.replace(project.config, allow_code=False)
    with pytest.raises(ProjectError) as caught:
        app_route(prompt, app_model(prompt), forbidden)
    (problem,) = caught.value.problems
    assert problem.message.endswith("target runs code, which llmctl.toml does not allow.")
    assert (problem.hint, str(problem.place)) == (
        "Add `allow_code = true` under [project] in llmctl.toml.",
        "prompts/app.yaml:1:10",
    )
    assert app_problems(prompt, project.config) == []


def test_http_and_prompts_need_no_permission(project: Project) -> None:
    forbidden = dataclasses.replace(project.config, allow_code=False)
    assert app_problems(project.prompt(HTTP), forbidden) == []
    assert app_problems(Prompt("p", Path("p.yaml"), ()), forbidden) == []


def test_code_of_another_revision_is_not_run(project: Project, code: Path) -> None:
    old = dataclasses.replace(project.prompt(PYTHON), rev="main", commit="0" * 40)
    with pytest.raises(ProjectError) as caught:
        app_route(old, app_model(old), project.config)
    assert caught.value.problems[0].message == '"app@main" is a python target: only the code that lies here can be run.'
    http = dataclasses.replace(project.prompt(HTTP), rev="main", commit="0" * 40)
    assert app_route(http, app_model(http), project.config).identity == project.route(HTTP).identity


@pytest.mark.parametrize("text", [COMMAND, PYTHON])
def test_an_edit_of_the_code_changes_the_call_key(project: Project, code: Path, text: str) -> None:
    keys = [project.key(text, q=1)]
    code.write_text("import rules\ndef answer(v): return 1\n")
    keys.append(project.key(text, q=1))
    project.write("rules.py", "X = 1\n")
    keys.append(project.key(text, q=1))
    project.write("unrelated.py", "X = 1\n")
    assert len(set(keys)) == 3
    assert project.key(text, q=1) == keys[-1]
    assert project.key(text, q=2) != keys[-1]


@pytest.mark.parametrize(
    "change",
    [
        HTTP.replace("app.example", "app2.example"),
        HTTP.replace("A: {", "B: {"),
        HTTP.replace("APP_KEY", "APP_KEY_2"),
        HTTP[:-2] + ", output: /a}}",
        HTTP[:-2] + ", body: {x: 1}}}",
    ],
)
def test_what_is_asked_changes_the_call_key(project: Project, change: str) -> None:
    assert project.key(change, q="1") != project.key(HTTP, q="1")


def test_how_fast_it_is_asked_does_not_change_the_call_key(project: Project) -> None:
    slow = "# a comment\n" + HTTP[:-1] + ", concurrency: 1, requests_per_minute: 5, timeout_s: 100}"
    assert project.key(slow, q="1") == project.key(HTTP, q="1")
    assert project.key(HTTP, q="1") != project.key(HTTP, q="2")


def test_each_application_has_limits_of_its_own_and_models_share_theirs(project: Project, code: Path) -> None:
    routes = [project.route(text) for text in (HTTP, COMMAND, PYTHON, HTTP.replace("app.", "app2."))]
    assert len({route.line for route in routes}) == 4
    direct = [resolve(ModelConfig(name, f"openai/{name}")) for name in ("gpt-4o", "gpt-4o-mini")]
    assert {route.line for route in direct} == {"direct"}


@pytest.mark.parametrize(
    ("name", "floats"), [("gpt-4o", True), ("gpt-4o-2024-08-06", False), ("claude-3-5-sonnet@20240620", False)]
)
def test_names_without_a_date_float(name: str, floats: bool) -> None:
    assert resolve(ModelConfig("m", f"openai/{name}")).floats is floats
    assert not resolve(ModelConfig("m", "fake/echo")).floats


def test_how_many_calls_run_at_once(project: Project, code: Path) -> None:
    def slots(text: str, wanted: int) -> int:
        route = project.route(text)
        assert route.app is not None
        return app_transport(route.app, wanted, {}).slots

    assert (slots(HTTP, 64), slots(HTTP[:-1] + ", concurrency: 2}", 64)) == (64, 2)
    assert (slots(COMMAND, 64), slots(COMMAND, 1), slots(PYTHON, 64)) == (PROCESSES, 1, PROCESSES)
    assert slots(PYTHON[:-1] + ", concurrency: 9}", 64) == 9
