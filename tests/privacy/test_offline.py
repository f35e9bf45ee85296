"""`--offline`: stored answers and models of this machine, and no attempt to reach anybody."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.privacy.projects import SEMANTIC, write, write_applications
from tests.privacy.watched import Watched, assert_nobody_was_tried, has_embeddings, has_local_model, own_network, watch

REMOTE = """
[models.direct]
model = "openai/some-model"
api_base = "{url}"
api_key_env = "SOME_API_KEY"

[models.translated]
model = "openai/other-model"
transport = "litellm"
api_base = "{url}"
api_key_env = "SOME_API_KEY"

[models.vendor]
model = "anthropic/claude-3-5-haiku-20241022"
api_key_env = "SOME_API_KEY"

[models.bedrock]
model = "bedrock/anthropic.claude-3-haiku-20240307-v1:0"
"""
FAKE = '[models.fake]\nmodel = "fake/echo"\n'
KEY = {"SOME_API_KEY": "canary-4f1c9a7e2b"}


def test_the_guard_sees_what_is_tried(tmp_path: Path) -> None:
    project = write(tmp_path / "p", REMOTE.format(url="http://192.0.2.1:9/v1"), model="direct")
    watched = watch(project, ["eval"], environ=KEY, blocked=True)
    assert watched.ended[0].code == 4
    assert watched.hosts == {"192.0.2.1:9"}


@pytest.mark.skipif(not own_network(), reason="no network namespaces here")
def test_the_kernel_counts_what_python_does_not_see(tmp_path: Path) -> None:
    tries = "import socket; s = socket.socket(); s.setblocking(False); print(s.connect_ex(('192.0.2.1', 9)))"
    project = write(tmp_path / "p", FAKE, model="fake", files={"tries.sh": f'exec {sys.executable} -I -c "{tries}"'})
    watched = watch(project, ["--version"], ["--version"])
    assert_nobody_was_tried(watched)
    counted = subprocess.run(
        ["unshare", "--net", "--map-root-user", "sh", "-c", "sh tries.sh && cat /proc/net/snmp"],
        cwd=project,
        capture_output=True,
        check=True,
    )
    lines = [line.split() for line in counted.stdout.decode().splitlines() if line.startswith("Ip:")]
    assert dict(zip(*lines, strict=True))["OutNoRoutes"] != "0"


def test_every_command_without_a_model(tmp_path: Path) -> None:
    project = write(tmp_path / "p", FAKE + REMOTE.format(url="http://192.0.2.1:9/v1"), model="fake")
    watched = watch(
        project,
        ["init", str(tmp_path / "new")],
        ["-C", str(tmp_path / "new"), "validate"],
        ["validate"],
        ["models", "list"],
        ["schema", "bank"],
        ["try", "route", "--var", "ticket=parcel"],
        ["eval", "--json"],
        ["eval", "-o", "report.json", "-o", "report.junit.xml"],
        ["runs"],
        ["show", "@last", "lost", "--payloads"],
        ["doctor"],
        environ=KEY,
        blocked=True,
    )
    assert [one.code for one in watched.ended] == [0] * len(watched.ended), watched.ended
    assert_nobody_was_tried(watched)


def test_remote_models_are_not_asked(tmp_path: Path) -> None:
    project = write(tmp_path / "p", REMOTE.format(url="http://192.0.2.1:9/v1"), model="direct")
    chosen = [word for model in ("direct", "translated", "vendor", "bedrock") for word in ("-m", model)]
    watched = watch(
        project, ["eval", "--offline", *chosen], ["show", "@last", "lost", "--json"], environ=KEY, blocked=True
    )
    assert_nobody_was_tried(watched)
    ended, shown = watched.ended
    assert ended.code == 4
    assert "not on this machine" in ended.out
    assert "Traceback" not in ended.err
    results = json.loads(shown.out)["results"]
    assert len(results) == 4
    assert {(one["outcome"], one["passed"]) for one in results} == {("skipped", None)}


def test_an_application_is_neither_asked_nor_run(tmp_path: Path) -> None:
    project = write_applications(tmp_path / "p", "http://192.0.2.1:9")
    environ = {"MY_DOOR": "canary-4f1c9a7e2b"}
    watched = watch(project, ["eval", "--offline"], ["show", "@last", "lost", "--json"], environ=environ, blocked=True)
    assert watched.ended[0].code == 4, watched.ended
    assert_nobody_was_tried(watched)
    assert {one["outcome"] for one in json.loads(watched.ended[1].out)["results"]} == {"skipped"}
    assert not list(project.glob("was-*"))


def test_stored_answers_are_enough(tmp_path: Path) -> None:
    project = write(tmp_path / "p", REMOTE.format(url="URL0"), model="direct")
    command = ["eval", "-m", "direct", "-m", "translated", "--json"]
    online = watch(project, command, environ=KEY, servers=1, templates=[project / "llmctl.toml"])
    assert online.ended[0].code == 0, online.ended
    assert len(online.seen[0]) == 4
    offline = watch(project, [*command, "--offline"], environ=KEY, blocked=True)
    assert offline.ended[0].code == 0, offline.ended
    assert_nobody_was_tried(offline)
    assert _results(offline) == _results(online)


def _results(watched: Watched) -> list[dict[str, object]]:
    document = json.loads(watched.ended[0].out)
    own = {"run_id", "cached"}
    results = [{name: value for name, value in row.items() if name not in own} for row in document["results"]]
    return sorted(results, key=lambda row: (str(row["model"]), str(row["case_id"])))


@pytest.mark.skipif(not has_local_model(), reason="the weights of the local model are not here")
def test_the_local_model_answers(tmp_path: Path) -> None:
    project = write(tmp_path / "p", '[models.small]\nmodel = "local/smollm2-135m"\n', model="small")
    command = ["eval", "--offline", "-k", "lost", "--json"]
    watched = watch(project, command, blocked=True)
    assert watched.ended[0].code == 0, watched.ended
    assert_nobody_was_tried(watched)
    assert json.loads(watched.ended[0].out)["results"][0]["outcome"] in {"answered", "truncated"}


@pytest.mark.skipif(not has_embeddings(), reason="the embedding model is not here")
def test_the_embedding_model_does_not_ask_the_hub(tmp_path: Path) -> None:
    project = write(tmp_path / "p", FAKE, model="fake", bank=SEMANTIC)
    watched = watch(project, ["eval", "--offline", "--json"], blocked=True)
    assert watched.ended[0].code == 0, watched.ended
    assert_nobody_was_tried(watched)
    assert json.loads(watched.ended[0].out)["results"][0]["passed"] is True


@pytest.mark.skipif(importlib.util.find_spec("sentence_transformers") is None, reason="the extra is not installed")
def test_an_embedding_model_that_is_not_here_is_said_at_once(tmp_path: Path) -> None:
    config = FAKE + '[semantic]\nmodel = "somebody/not-on-this-machine"\n'
    project = write(tmp_path / "p", config, model="fake", bank=SEMANTIC)
    watched = watch(project, ["eval", "--offline"], environ={"HF_HOME": str(tmp_path / "hub")}, blocked=True)
    assert watched.ended[0].code == 4
    assert "is not on this machine" in watched.ended[0].err
    assert_nobody_was_tried(watched)
