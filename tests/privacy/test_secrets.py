"""A key put wherever it can come back from, and looked for in everything that is left."""

from __future__ import annotations

import base64
import html
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import pytest

from llmctl.providers.embeddings_cache import VectorCache
from llmctl.store.database import open_database
from llmctl.store.layout import Layout
from tests.privacy.canary import KEY, SHAPED, leaks, leaks_in_folder
from tests.privacy.projects import write, write_applications
from tests.privacy.watched import Watched, watch
from tests.support.openai_server import OpenAIServer, Reply

PADDING = "x" * 480


def _error(message: str) -> dict[str, object]:
    return {"error": {"message": message, "type": "invalid_request_error", "code": KEY}}


def _stream(*pieces: str) -> str:
    deltas: list[dict[str, object]] = [
        {"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]} for piece in pieces
    ]
    deltas.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return "".join(f"data: {json.dumps(delta)}\n\n" for delta in deltas) + "data: [DONE]\n\n"


def _answer(content: object, **choice: object) -> dict[str, object]:
    message: dict[str, object] = {"role": "assistant", "content": content}
    return {"model": "served", "choices": [{"index": 0, "message": message, "finish_reason": "stop", **choice}]}


EVENTS = {"Content-Type": "text/event-stream"}
REPLIES: Mapping[str, Mapping[str, object]] = {
    "denied": {"status": 401, "payload": _error(f"Incorrect API key provided: {KEY}.")},
    "echo-of-headers": {"status": 400, "payload": _error(json.dumps({"Authorization": f"Bearer {KEY}"}))},
    "echo-as-html": {"status": 422, "text_body": f"<html>{html.escape(KEY)}</html>"},
    "echo-as-url": {"status": 400, "payload": _error(f"https://host/?key={quote(KEY, safe='')}")},
    "echo-as-base64": {"status": 400, "payload": _error(base64.b64encode(f"user:{KEY}".encode()).decode())},
    "echo-as-json-in-json": {"status": 400, "payload": _error(json.dumps(json.dumps(KEY)))},
    "echo-with-escaped-slashes": {"status": 400, "text_body": json.dumps(_error(KEY)).replace("/", "\\/")},
    "echo-that-is-cut": {"status": 400, "payload": _error(f"{PADDING}{KEY}{KEY}")},
    "echo-without-a-place": {"status": 400, "payload": {KEY: {"a": KEY}}},
    "shapes": {"status": 400, "payload": _error(" ; ".join(SHAPED))},
    "redirect": {"status": 302, "text_body": "", "headers": {"Location": f"https://user:{quote(KEY)}@evil/?k={KEY}"}},
    "in-the-answer": {"text": f"parcel {KEY} and {json.dumps(KEY)}"},
    "in-the-headers": {"headers": {"x-request-id": KEY, "x-ratelimit-remaining": KEY, "Set-Cookie": f"a={KEY}"}},
    "as-finish-reason": {"payload": _answer("parcel", finish_reason=KEY)},
    "as-the-model": {"payload": {**_answer("parcel"), "model": KEY}},
    "as-usage": {"payload": {**_answer("parcel"), "usage": {"prompt_tokens": KEY}}},
    "in-parts": {"payload": _answer([{"type": "text", "text": KEY[:9]}, {"type": "text", "text": KEY[9:]}])},
    "as-a-tool-call": {
        "message": {
            "content": None,
            "tool_calls": [
                {
                    "id": KEY,
                    "type": "function",
                    "function": {"name": KEY, "arguments": json.dumps({KEY: KEY})},
                    KEY: {"deep": [KEY]},
                }
            ],
        }
    },
    "streamed": {"text_body": _stream("parcel ", KEY[:5], KEY[5:12], KEY[12:], " it is"), "headers": EVENTS},
    "streamed-by-letter": {"text_body": _stream("parcel ", *KEY, " it is"), "headers": EVENTS},
    "streamed-error": {"text_body": f'data: {{"error": {json.dumps(_error(KEY))}}}\n\n', "headers": EVENTS},
    "broken-json": {"text_body": json.dumps(_answer(KEY))[:-9]},
    "no-json": {"text_body": f"Gateway says {KEY}"},
}
STREAMED = {name for name in REPLIES if name.startswith("streamed")}
SILENT = '[models.silent]\nmodel = "fake/echo"\n'
KEYS = {"SOME_API_KEY": KEY, "UNUSED_SECRET": "another-secret-9Zz"}
BANK = """\
prompts: [route]
models: [{models}]
evaluators:
  - contains: parcel
  - exact
cases:
  - id: lost
    vars: {{ticket: {key}}}
    expected: {key}
    tags: [{key}]
"""


def _config(transport: str, key_variable: str = "SOME_API_KEY") -> str:
    models = []
    for name in REPLIES:
        options = "params = {stream = true}\n" if name in STREAMED else ""
        models.append(
            f'[models.{name}]\nmodel = "openai/{name}"\ntransport = "{transport}"\napi_base = "URL0"\n'
            f'api_key_env = "{key_variable}"\n{options}'
        )
    return "\n".join(models)


def _project(folder: Path, transport: str, key_variable: str = "SOME_API_KEY") -> Path:
    names = [name for name in REPLIES if transport == "direct" or name not in STREAMED]
    bank = BANK.format(models=", ".join(names), key=json.dumps(KEY))
    return write(folder / "p", _config(transport, key_variable), model="in-the-answer", bank=bank)


def _scripts() -> list[Mapping[str, list[Mapping[str, object]]]]:
    return [{name: [dict(reply)] for name, reply in REPLIES.items()}]


def _places(folder: Path) -> dict[str, str]:
    """Folders of the test's own for everything that is kept beside the project."""
    places = {"TMPDIR": "temporary", "HOME": "home", "XDG_CACHE_HOME": "cache", "LLMCTL_CACHE": "cache/llmctl"}
    for name in places.values():
        (folder / name).mkdir(parents=True, exist_ok=True)
    return {variable: str(folder / name) for variable, name in places.items()}


def assert_nothing_leaked(watched: Watched, folder: Path) -> None:
    """Neither in what was printed nor in any file but those that the user wrote."""
    for ended in watched.ended:
        assert leaks(ended.out) == []
        assert leaks(ended.err) == []
    for place in ("p/.llmctl", "p/reports", "temporary", "home", "cache"):
        assert leaks_in_folder(folder / place) == []


REPORTS = ("a.json", "a.jsonl", "a.csv", "a.md", "a.junit.xml")


def _eval() -> list[str]:
    return ["eval", *(word for name in REPORTS for word in ("-o", f"reports/{name}"))]


@pytest.mark.parametrize("transport", ["direct", "litellm"])
def test_a_key_that_comes_back_is_not_kept(tmp_path: Path, transport: str) -> None:
    project = _project(tmp_path, transport)
    (project / "reports").mkdir()
    watched = watch(
        project,
        [*_eval(), "--debug", "--label", f"with {KEY}"],
        ["show", "@last", "--json"],
        ["show", "@last", "lost", "--payloads"],
        ["show", "@last", "lost", "--json"],
        ["runs", "--json"],
        ["try", "route", "--var", f"ticket={KEY}", "--json"],
        *([["try", "route", "-m", "streamed-by-letter", "--var", "ticket=a"]] if transport == "direct" else []),
        environ=KEYS | _places(tmp_path) | {"LITELLM_LOG": "DEBUG", "OPENAI_LOG": "debug"},
        servers=1,
        scripts=_scripts(),
        templates=[project / "llmctl.toml"],
    )
    assert_nothing_leaked(watched, tmp_path)
    # What is sent is sent as it is: nobody tests another prompt than the one that was written.
    assert {one["headers"]["Authorization"] for one in watched.seen[0]} == {f"Bearer {KEY}"}
    assert all(json.dumps(KEY)[1:-1] in one["body"] for one in watched.seen[0][:10])
    shown = json.loads(watched.ended[3].out)["results"]
    by_model = {one["model"]: one for one in shown}
    assert by_model["in-the-answer"]["output"] == 'parcel [redacted] and "[redacted]"'
    assert "[redacted]" in by_model["denied"]["call"]["attempts"][0]["response_body"]
    assert "[redacted]" in by_model["shapes"]["call"]["error"]
    if transport == "direct":
        assert by_model["streamed-by-letter"]["output"] == "parcel [redacted] it is"
        assert watched.ended[-1].out == "parcel [redacted] it is\n"


def test_a_key_from_an_env_file_with_a_name_like_no_other(tmp_path: Path) -> None:
    project = _project(tmp_path, "direct", "MY_DOOR")
    (project / "reports").mkdir()
    (tmp_path / "door.env").write_text(f"# keys\nexport MY_DOOR='{KEY}'\n", encoding="utf-8")
    door = ["--env-file", str(tmp_path / "door.env")]
    watched = watch(
        project,
        [*door, *_eval()],
        [*door, "show", "@last", "lost", "--json"],
        [*door, "eval", "--dry-run"],
        [*door, "doctor", "--json"],
        environ=_places(tmp_path),
        servers=1,
        scripts=_scripts(),
        templates=[project / "llmctl.toml"],
    )
    assert_nothing_leaked(watched, tmp_path)
    assert watched.seen[0][0]["headers"]["Authorization"] == f"Bearer {KEY}"


def test_a_key_that_an_application_gives_away(tmp_path: Path) -> None:
    project = write_applications(tmp_path / "p", "URL0")
    (project / "reports").mkdir()
    scripts: list[Mapping[str, list[Mapping[str, object]]]] = [
        {"/ask": [{"status": 400, "payload": _error(KEY)}, {"payload": {"text": KEY, "tool_calls": [{"id": KEY}]}}]}
    ]
    watched = watch(
        project,
        [*_eval(), "-j", "1"],
        ["show", "@last", "lost", "--json"],
        ["show", "@last", "late", "--payloads"],
        environ=_places(tmp_path) | {"MY_DOOR": KEY},
        servers=1,
        scripts=scripts,
        templates=[project / "prompts" / "asked.yaml"],
    )
    assert_nothing_leaked(watched, tmp_path)
    assert watched.seen[0][0]["headers"]["Authorization"] == f"Bearer {KEY}"
    assert {path.name for path in project.glob("was-*")} == {"was-run", "was-called"}
    assert "answer [redacted]" in watched.ended[1].out


def test_mistakes_do_not_show_a_key(tmp_path: Path) -> None:
    broken = f"model: silent\nmessages: [{{role: user, contnt: {json.dumps(KEY)}}}]\n"
    files = {"prompts/broken.yaml": broken, "testbanks/list.yaml": f"- {json.dumps(KEY)}\n"}
    project = write(tmp_path / "p", SILENT, model="silent", files=files)
    (project / "no.env").write_text(KEY, encoding="utf-8")
    (project / "latin.env").write_bytes(b"\xff" + KEY.encode())
    watched = watch(
        project,
        ["validate"],
        ["validate", "--json"],
        ["eval", "-p", KEY],
        ["--debug", "eval", KEY],
        ["try", "route", "--var", KEY],
        ["show", KEY, "--debug"],
        ["nothing-like", KEY],
        ["--env-file", "no.env", "models", "list"],
        ["--env-file", "latin.env", "models", "list", "--debug"],
        ["-C", KEY, "runs"],
        environ=KEYS | _places(tmp_path),
    )
    assert [one.code for one in watched.ended] == [2] * len(watched.ended), watched.ended
    assert_nothing_leaked(watched, tmp_path)


BROKEN = """
import sys
import llmctl.report.runs
from llmctl.cli.app import run

def broken(*_: object) -> None:
    raise ValueError({key!r})

llmctl.report.runs.render_runs = broken
raise SystemExit(run(["runs", *sys.argv[1:]]))
"""


def test_a_defect_does_not_show_a_key(tmp_path: Path) -> None:
    project = write(tmp_path / "p", SILENT, model="silent")
    (project / "broken.py").write_text(BROKEN.replace("{key!r}", repr(KEY)), encoding="utf-8")
    for flags in ([], ["--debug"]):
        done = subprocess.run(
            [sys.executable, "broken.py", *flags],
            cwd=project,
            env=os.environ | KEYS,
            capture_output=True,
            check=False,
        )
        said = done.stderr.decode()
        assert done.returncode == 4, said
        assert "[redacted]" in said
        # The traceback shows lines of code, and this one holds the key as Python writes it.
        assert leaks(said) == []


# --- files ------------------------------------------------------------------------------------------------------------


def _too_open(folder: Path) -> list[str]:
    wrong = []
    for path in (folder, *folder.rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if mode != (0o700 if path.is_dir() else 0o600):
            wrong.append(f"{path.relative_to(folder.parent)} {mode:04o}")
    return wrong


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_what_is_kept_is_open_to_this_user_only(tmp_path: Path, umask: int) -> None:
    watched = watch(
        tmp_path,
        ["init", "p", "--model", "fake/echo"],
        ["-C", "p", "eval", "-o", "report.json"],
        ["-C", "p", "runs"],
        environ=_places(tmp_path),
        umask=umask,
    )
    assert [one.code for one in watched.ended] == [0, 0, 0], watched.ended
    assert _too_open(tmp_path / "p" / ".llmctl") == []
    # A report is the user's own file, like any other that he makes.
    assert stat.S_IMODE((tmp_path / "report.json").stat().st_mode) == 0o666 & ~umask
    (tmp_path / "p" / ".llmctl" / "llmctl.duckdb").write_bytes(b"no database" * 1000)
    again = watch(tmp_path, ["-C", "p", "runs"], environ=_places(tmp_path), umask=umask)
    assert again.ended[0].code == 0, again.ended
    assert list((tmp_path / "p" / ".llmctl").glob("corrupt-*"))
    assert _too_open(tmp_path / "p" / ".llmctl") == []


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
@pytest.mark.usefixtures("open_umask")
def test_logs_of_databases_are_open_to_this_user_only(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "store")
    layout.prepare()
    with open_database(layout, read_only=False) as con:
        con.execute("CREATE TABLE more (number INTEGER)")
        assert layout.wal.exists()
        assert _too_open(layout.root) == []
    cache = VectorCache(tmp_path / "store" / "embeddings.sqlite")
    cache.put({b"k": b"v"})
    assert {path.name for path in layout.root.glob("embeddings*")} > {"embeddings.sqlite"}
    assert _too_open(layout.root) == []
    cache.close()


def test_a_run_that_is_killed_leaves_no_request_behind(tmp_path: Path) -> None:
    bank = BANK.format(models="hangs", key=json.dumps(KEY))
    with OpenAIServer() as server:
        server.script("hangs", Reply(fault="hang"))
        config = f'[models.hangs]\nmodel = "openai/hangs"\napi_base = "{server.url}"\napi_key_env = "SOME_API_KEY"\n'
        project = write(tmp_path / "p", config, model="hangs", bank=bank)
        command = [sys.executable, "-m", "llmctl", "eval"]
        running = subprocess.Popen(
            command,
            cwd=project,
            env=os.environ | KEYS | _places(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        while not server.seen and running.poll() is None:
            time.sleep(0.05)
        running.send_signal(signal.SIGKILL)
        out, err = running.communicate()
        assert server.seen, err
    assert leaks(out.decode() + err.decode()) == []
    for place in ("p/.llmctl", "temporary", "home", "cache"):
        assert leaks_in_folder(tmp_path / place) == []
