"""The user's own application as a target, and images in messages, through the front door."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Invoke, write
from tests.support.openai_server import OpenAIServer, Reply

BANK = """
prompts: [app]
evaluators: [exact]
cases:
  - {id: card, vars: {ticket: My "card"}, expected: billing}
  - {id: dog, vars: {ticket: My dog}, expected: other}
"""
CODE = """
import sys
def answer(vars):
    open('calls.txt', 'a').write(vars['ticket'] + '\\n')
    return 'billing' if 'card' in vars['ticket'] else 'other'
"""
PYTHON = "target: {python: app/bot.py:answer}\n"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    write(tmp_path, "llmctl.toml", "[project]\nallow_code = true\n")
    write(tmp_path, "testbanks/app.yaml", BANK)
    write(tmp_path, "app/bot.py", CODE)
    write(tmp_path, "prompts/app.yaml", PYTHON)
    return tmp_path


def calls(root: Path) -> list[str]:
    path = root / "calls.txt"
    return sorted(path.read_text().splitlines()) if path.exists() else []


def test_a_function_is_scored_kept_and_called_again_when_its_code_changes(app: Path, llmctl: Invoke) -> None:
    assert llmctl("validate", "--strict").code == 0
    first = llmctl("eval")
    assert first.code == 0
    assert "2 of 2 passed" in first.out
    assert calls(app) == ['My "card"', "My dog"]
    assert "2 answers reused" in llmctl("eval").out
    assert len(calls(app)) == 2
    write(app, "app/bot.py", CODE + "# edited\n")
    llmctl("eval")
    assert len(calls(app)) == 4


@pytest.mark.parametrize("command", ["validate", "eval"])
@pytest.mark.parametrize("target", [PYTHON, "target: {command: [python3, app/bot.py]}\n"])
def test_no_code_runs_unless_the_project_says_so(app: Path, llmctl: Invoke, command: str, target: str) -> None:
    write(app, "llmctl.toml", "[project]\n")
    write(app, "prompts/app.yaml", target)
    result = llmctl(command)
    assert result.code == 2
    assert "prompts/app.yaml:1:10" in result.err
    assert "Add `allow_code = true` under [project] in llmctl.toml." in result.err
    assert calls(app) == []


def test_a_case_without_a_variable_is_found_before_any_call(app: Path, llmctl: Invoke) -> None:
    write(app, "prompts/app.yaml", "target: {http: {url: 'http://127.0.0.1:1/', body: {q: '{{ tikcet }}'}}}\n")
    for command in ("validate", "eval"):
        result = llmctl(command)
        assert result.code == 2
        assert "the variable `tikcet` is not given; did you mean `ticket`?" in " ".join(result.err.split())


def test_http_through_the_front_door(app: Path, llmctl: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "canary-55aa77cc"
    monkeypatch.setenv("APP_PASS", secret)
    with OpenAIServer() as server:
        server.script("/ask", Reply(payload={"answer": "other", "echo": secret}))
        url = server.url.removesuffix("/v1")
        write(
            app,
            "prompts/app.yaml",
            f"target: {{http: {{url: '{url}/ask', headers: {{X-Key: {{env: APP_PASS}}}},"
            " body: {q: '{{ ticket }}'}, output: /answer}}",
        )
        result = llmctl("eval")
        assert "1 of 2 passed" in result.out
        assert sorted(seen.json["q"] for seen in server.seen) == ['My "card"', "My dog"]
        assert {seen.headers["X-Key"] for seen in server.seen} == {secret}
    kept = [path for path in (app / ".llmctl").rglob("*") if path.is_file()]
    assert any(path.suffix == ".jsonl" for path in kept)
    assert not [path for path in kept if secret.encode() in path.read_bytes()]


def test_a_missing_secret_ends_before_any_call(app: Path, llmctl: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APP_PASS", raising=False)
    write(app, "prompts/app.yaml", "target: {http: {url: 'http://127.0.0.1:1/', headers: {X: {env: APP_PASS}}}}\n")
    result = llmctl("eval")
    assert result.code == 4
    assert "needs a key in APP_PASS" in result.err


def test_an_image_goes_out_as_data_and_a_missing_one_is_named(app: Path, llmctl: Invoke) -> None:
    with OpenAIServer() as server:
        server.script("see", Reply("other"))
        write(app, "llmctl.toml", f'[models.see]\nmodel = "openai/see"\napi_base = "{server.url}"\n')
        content = "[{text: What is it?}, {image: {file: 'images/{{ ticket }}.png'}}]"
        write(app, "prompts/app.yaml", f"model: see\nmessages: [{{role: user, content: {content}}}]\n")
        write(app, "testbanks/app.yaml", BANK.replace('My "card"', "card").replace("My dog", "dog"))
        missing = llmctl("validate")
        assert missing.code == 2
        assert "there is no file images/card.png" in missing.err
        (app / "images").mkdir()
        for name in ("card", "dog"):
            (app / "images" / f"{name}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + name.encode())
        assert "1 of 2 passed" in llmctl("eval").out
        sent = sorted(json.dumps(body["messages"][0]["content"]) for body in server.bodies("see"))
    assert sent[0] == json.dumps(
        [
            {"type": "text", "text": "What is it?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgpjYXJk"}},
        ]
    )


def test_the_local_model_takes_no_image(app: Path, llmctl: Invoke) -> None:
    write(
        app,
        "prompts/app.yaml",
        "model: local/smollm2-135m\nmessages: [{role: user, content: [{image: {url: 'https://a.example/b.png'}}]}]\n",
    )
    result = llmctl("validate")
    assert result.code == 2
    assert "the local model takes text only" in result.err
    assert "prompts/app.yaml:1:1" in result.err
