from __future__ import annotations

import json

import pytest

from llmctl.outcome import Outcome
from llmctl.providers.environment import missing_keys
from tests.providers.app.conftest import Project
from tests.support.openai_server import OpenAIServer, Reply

CANARY = "canary-7d31c0ffee"


@pytest.fixture
def app(server: OpenAIServer) -> str:
    """The server's address, which answers by the end of the path."""
    server.script("/ask", Reply(payload={"answer": "billing"}))
    return server.url.removesuffix("/v1")


def target(app: str, more: str = "", *, body: str = '{question: "{{ q }}"}', output: str = "/answer") -> str:
    return f"target:\n  output: {output}\n  http:\n    url: {app}/ask\n    body: {body}\n{more}"


async def test_the_record_of_a_call(project: Project, server: OpenAIServer, app: str) -> None:
    call = await project.ask(target(app), q='a "quoted" \\ text\n{{ 7 * 7 }}')
    assert (call.outcome, call.output) == (Outcome.ANSWERED, "billing")
    assert (call.provider, call.model, call.transport, call.endpoint) == ("app", "app/http", "app", f"{app}/ask")
    (seen,) = server.seen
    assert seen.json == {"question": 'a "quoted" \\ text\n{{ 7 * 7 }}'}
    assert seen.headers["Content-Type"] == "application/json"
    (attempt,) = call.attempts
    assert (attempt.status, attempt.request_body.encode(), attempt.request_id) == (200, seen.body, "req-1")
    assert json.loads(attempt.response_body) == {"answer": "billing"}
    assert 0 < attempt.latency_ms == call.latency_ms
    assert call.cost_usd is None


async def test_without_output_the_whole_text_is_the_answer(project: Project, server: OpenAIServer, app: str) -> None:
    server.script("/ask", Reply(body=b" plain text\n"))
    call = await project.ask(f"target: {{http: {{url: {app}/ask, body: {{}}}}}}")
    assert call.output == " plain text\n"


async def test_a_body_is_data_and_its_texts_are_templates(project: Project, server: OpenAIServer, app: str) -> None:
    body = '{a: ["{{ q | upper }}", 1.50, true, null], history: {from: vars.history}, first: {from: vars.history/0/x}}'
    await project.ask(target(app, body=body), q="x", history=[{"x": 1}, "y"])
    assert server.seen[0].json == {"a": ["X", 1.5, True, None], "history": [{"x": 1}, "y"], "first": 1}


async def test_a_body_may_be_one_text(project: Project, server: OpenAIServer, app: str) -> None:
    server.script("/ask", Reply("fine"))
    more = "    headers: {content-type: application/x-own}\n"
    await project.ask(target(app, more, body="'{\"q\": {{ q | tojson }}}'"), q='"\n')
    assert server.seen[0].body == b'{"q": "\\"\\n"}'
    assert server.seen[0].headers["Content-Type"] == "application/x-own"


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("../admin?a=b&c=d#e f/%", "..%2Fadmin%3Fa%3Db%26c%3Dd%23e%20f%2F%25"),
        ("..", "%2E%2E"),
        ("grün", "gr%C3%BCn"),
        (5, "5"),
        ("@other.example:80", "%40other.example%3A80"),
    ],
)
async def test_values_in_the_address_are_encoded_and_the_address_is_recorded(
    project: Project, server: OpenAIServer, app: str, value: object, encoded: str
) -> None:
    url = app + "/v ä/{{ id }}/ask?x={{ id }}"
    call = await project.ask(f"target: {{http: {{url: '{url}', body: {{x: 1}}, output: /answer}}}}", id=value)
    assert call.output == "billing"
    assert call.attempts[0].request_body == f'POST {app}/v ä/{encoded}/ask?x={encoded}\n\n{{"x":1}}'
    assert server.seen[0].path == f"/v ä/{value}/ask"


async def test_a_secret_goes_out_and_is_written_nowhere(project: Project, server: OpenAIServer, app: str) -> None:
    server.script("/ask", Reply(payload={"answer": f"you are {CANARY}"}, headers={"x-request-id": CANARY}))
    more = "    headers:\n      Authorization: {env: APP_PASS, prefix: 'Bearer '}\n      X-Case: 'case {{ q }}'\n"
    project.environ = {"APP_PASS": f" {CANARY}\n"}
    call = await project.ask(target(app, more), q="1")
    assert server.seen[0].headers["Authorization"] == f"Bearer {CANARY}"
    assert server.seen[0].headers["X-Case"] == "case 1"
    assert CANARY not in repr(call)
    assert call.output == "you are [redacted]"
    assert CANARY not in repr(project.request(target(app, more), q="1"))


async def test_a_missing_secret_is_known_before_any_call(project: Project, app: str) -> None:
    more = "    headers: {A: {env: APP_ONE}, B: {env: APP_TWO}}\n"
    route = project.route(target(app, more))
    assert [key.variables for key in missing_keys([route], {"APP_ONE": "x"})] == [("APP_TWO",)]
    assert missing_keys([route], {"APP_ONE": "x", "APP_TWO": "y"}) == []
    project.environ = {}
    call = await project.ask(target(app, more), q="1")
    assert (call.outcome, call.error) == (Outcome.PROVIDER_ERROR, "APP_ONE is not set.")


@pytest.mark.parametrize("bad", ["line\nbreak-and-more", "ünicode-secret"])
async def test_a_secret_that_no_header_can_hold(project: Project, server: OpenAIServer, app: str, bad: str) -> None:
    project.environ = {"APP_PASS": bad}
    call = await project.ask(target(app, "    headers: {A: {env: APP_PASS}}\n"), q="1")
    assert (call.error, server.seen) == ("APP_PASS holds characters that no header can have.", [])


@pytest.mark.parametrize(
    ("reply", "outcome", "attempts"),
    [
        (Reply(status=400, payload={"error": "no"}), Outcome.BAD_REQUEST, 1),
        (Reply(status=401, body=b"who?"), Outcome.PROVIDER_ERROR, 1),
        (Reply(status=404, body=b""), Outcome.BAD_REQUEST, 1),
        (Reply(status=302, headers={"Location": "http://127.0.0.1:1/"}, body=b""), Outcome.BAD_REQUEST, 1),
        (Reply(body=b"<html>"), Outcome.MALFORMED, 2),
        (Reply(payload={"other": 1}), Outcome.MALFORMED, 2),
        (Reply(payload={"answer": "x" * 4000}, fault="cut"), Outcome.MALFORMED, 2),
    ],
)
async def test_faults_end_as_for_a_model(
    project: Project, server: OpenAIServer, app: str, reply: Reply, outcome: Outcome, attempts: int
) -> None:
    server.script("/ask", reply)
    call = await project.ask(target(app), q="1")
    assert (call.outcome, len(call.attempts), len(server.seen)) == (outcome, attempts, attempts)
    assert call.output is None


@pytest.mark.parametrize("fault", [Reply(status=429), Reply(status=503), Reply(fault="reset")])
async def test_what_passes_is_asked_again(project: Project, server: OpenAIServer, app: str, fault: Reply) -> None:
    server.script("/ask", fault, Reply(payload={"answer": "late"}))
    call = await project.ask(target(app), q="1")
    assert (call.output, len(call.attempts)) == ("late", 2)


async def test_the_words_of_a_refusal_are_kept(project: Project, server: OpenAIServer, app: str) -> None:
    server.script("/ask", Reply(status=422, body=b"queue is not known"))
    call = await project.ask(target(app), q="1")
    assert call.error == "HTTP 422: queue is not known"


async def test_a_hanging_application_ends_at_its_own_deadline(project: Project, server: OpenAIServer, app: str) -> None:
    server.script("/ask", Reply(fault="hang"))
    call = await project.ask(target(app) + "  timeout_s: 0.2\n", q="1")
    assert (call.outcome, len(call.attempts)) == (Outcome.TIMEOUT, 3)
    assert call.attempts[0].latency_ms < 5_000


async def test_nothing_compressed_is_asked_for(project: Project, server: OpenAIServer, app: str) -> None:
    await project.ask(target(app), q="1")
    await project.ask(target(app, "    headers: {accept-encoding: gzip}\n"), q="2")
    assert [seen.headers["Accept-Encoding"] for seen in server.seen] == ["identity", "gzip"]


async def test_get_has_no_body(project: Project) -> None:
    """The loopback server knows POST only, and says so."""
    with OpenAIServer() as server:
        call = await project.ask(f"target: {{http: {{url: '{server.url}/x?q={{{{ q }}}}'}}}}", q="a b")
        assert call.status == 405
        assert call.attempts[0].request_body == f"GET {server.url}/x?q=a%20b\n\n"
