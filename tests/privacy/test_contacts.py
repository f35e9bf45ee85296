"""Without `--offline`: the endpoints that the project configures are contacted, and nobody else.

Around every command lie the usual ways in which a tool can be led astray: variables that move an endpoint, a `.env` in
the project and above it, a proxy.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.privacy.projects import SEMANTIC, write, write_applications
from tests.privacy.watched import assert_nobody_was_tried, has_embeddings, has_local_model, own_network, watch

CONFIG = """
[models.direct]
model = "openai/some-model"
api_base = "URL0"
api_key_env = "SOME_API_KEY"

[models.translated]
model = "openai/other-model"
transport = "litellm"
api_base = "URL0"
api_key_env = "SOME_API_KEY"

[models.vendor]
model = "anthropic/claude-3-5-haiku-20241022"
api_base = "URL0/messages"
api_key_env = "SOME_API_KEY"
"""
ELSEWHERE = ("OPENAI_API_BASE", "OPENAI_BASE_URL", "ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL", "LITELLM_PROXY_API_BASE")
ASTRAY = {name: "URL1" for name in ELSEWHERE} | {
    "SOME_API_KEY": "canary-4f1c9a7e2b",
    "MODEL_COST_MAP_URL": "URL1/prices.json",
    "LITELLM_MODEL_COST_MAP_URL": "URL1/prices.json",
    "LITELLM_LOCAL_MODEL_COST_MAP": "False",
    "LITELLM_MODE": "DEV",
    "HF_ENDPOINT": "URL1",
    "PIP_INDEX_URL": "URL1",
    "HTTP_PROXY": "URL1",
    "HTTPS_PROXY": "URL1",
    "ALL_PROXY": "URL1",
    "http_proxy": "URL1",
}
ANTHROPIC = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-3-5-haiku-20241022",
    "content": [{"type": "text", "text": "Your parcel is on its way."}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 5, "output_tokens": 6},
}


def test_only_the_configured_endpoint(tmp_path: Path) -> None:
    """Beside the configured server stands one that nobody may reach."""
    leads = "".join(f"{name}={value}\n" for name, value in ASTRAY.items() if name in ELSEWHERE)
    project = write(tmp_path / "above" / "p", CONFIG, model="direct", files={".env": leads, "../.env": leads})
    (tmp_path / "netrc").write_text("default login me password hunter22\n", encoding="utf-8")
    watched = watch(
        project,
        ["eval", "-m", "direct", "-m", "translated", "-m", "vendor"],
        ["try", "route", "--var", "ticket=parcel"],
        environ=ASTRAY | {"NETRC": str(tmp_path / "netrc")},
        servers=2,
        scripts=[{"/v1/messages": [{"payload": ANTHROPIC}]}],
        templates=[project / "llmctl.toml", project / ".env", project.parent / ".env"],
    )
    assert not any(one.code for one in watched.ended), watched.ended
    assert watched.hosts == {watched.servers[0]}
    assert sorted(seen["path"] for seen in watched.seen[0]) == ["/v1/chat/completions"] * 5 + ["/v1/messages"] * 2
    assert watched.seen[1] == []
    sent = [{name.lower(): value for name, value in seen["headers"].items()} for seen in watched.seen[0]]
    keys = {headers.get("authorization", headers.get("x-api-key")) for headers in sent}
    assert keys == {"Bearer canary-4f1c9a7e2b", "canary-4f1c9a7e2b"}
    if own_network():
        # Whatever else there is in the process: it opened no connection that Python did not see.
        assert watched.kernel["Tcp.ActiveOpens"] == len(watched.contacts)
        assert watched.kernel["Ip.OutNoRoutes"] == watched.kernel["Ip6OutNoRoutes"] == 0
        assert watched.kernel["Udp.OutDatagrams"] == 0


def test_an_application_over_http(tmp_path: Path) -> None:
    project = write_applications(tmp_path / "p", "URL0")
    scripts = [{"/ask": [{"payload": {"text": "Your parcel is on its way."}}]}]
    watched = watch(
        project,
        ["eval", "-p", "asked"],
        environ=ASTRAY | {"MY_DOOR": "canary-4f1c9a7e2b"},
        servers=2,
        scripts=scripts,
        templates=[project / "prompts" / "asked.yaml"],
    )
    assert watched.ended[0].code == 0, watched.ended
    assert watched.hosts == {watched.servers[0]}
    assert {seen["path"] for seen in watched.seen[0]} == {"/v1/ask"}
    assert watched.seen[1] == []


IMAGE = """\
model: vendor
messages:
  - role: user
    content:
      - text: "{{ ticket }}"
      - image: {url: "https://pictures.invalid/parcel.png"}
"""


def test_nobody_fetches_an_image(tmp_path: Path) -> None:
    """OpenAI's protocol carries an image's address on; for other providers litellm would fetch the image here."""
    config = CONFIG.replace("URL0", "http://127.0.0.1:9/v1")
    project = write(tmp_path / "p", config, model="vendor", files={"prompts/route.yaml": IMAGE})
    key = {"SOME_API_KEY": "canary-4f1c9a7e2b"}
    watched = watch(project, ["eval"], ["show", "@last", "lost", "--json"], environ=key, blocked=True)
    assert watched.ended[0].code == 4
    assert_nobody_was_tried(watched)
    assert "litellm would fetch the image" in json.loads(watched.ended[1].out)["results"][0]["reason"]
    passed_on = watch(project, ["eval", "-m", "direct"], environ=key, blocked=True)
    assert passed_on.hosts == {"127.0.0.1:9"}


def test_the_guard_sees_an_endpoint_by_name(tmp_path: Path) -> None:
    project = write(tmp_path / "p", CONFIG.replace("URL0", "http://nowhere.invalid:9/v1"), model="direct")
    watched = watch(project, ["eval"], environ={"SOME_API_KEY": "canary-4f1c9a7e2b"}, blocked=True)
    assert {contact.host for contact in watched.contacts} == {"nowhere.invalid"}


@pytest.mark.skipif(not has_local_model(), reason="the weights of the local model are not here")
def test_the_local_model_is_nobody_elses(tmp_path: Path) -> None:
    project = write(tmp_path / "p", '[models.small]\nmodel = "local/smollm2-135m"\n', model="small")
    watched = watch(project, ["eval", "-k", "lost"], environ={"HF_ENDPOINT": "URL0"}, servers=1)
    assert watched.ended[0].code == 0, watched.ended
    assert_nobody_was_tried(watched)


@pytest.mark.skipif(not has_embeddings(), reason="the embedding model is not here")
def test_the_embedding_model_that_is_here_asks_nobody(tmp_path: Path) -> None:
    project = write(tmp_path / "p", '[models.fake]\nmodel = "fake/echo"\n', model="fake", bank=SEMANTIC)
    watched = watch(project, ["eval", "--json"], environ={"HF_ENDPOINT": "URL0"}, servers=1)
    assert watched.ended[0].code == 0, watched.ended
    assert json.loads(watched.ended[0].out)["results"][0]["passed"] is True
    assert_nobody_was_tried(watched)
