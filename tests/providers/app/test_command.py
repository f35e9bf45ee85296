from __future__ import annotations

import json
import os
import shlex
import sys

import pytest

from llmctl.outcome import Outcome
from llmctl.providers import wire
from llmctl.providers.gateway import Gateway
from tests.providers.app.conftest import Project, ends


def command(code: str, *arguments: str) -> str:
    """A prompt whose command is a Python program."""
    return f"target: {{command: {json.dumps([sys.executable, '-c', code, *arguments])}}}"


ECHO = "import json, sys; print(json.load(sys.stdin)['vars']['q'].upper())"


async def test_variables_go_in_as_json_and_the_answer_comes_back(project: Project) -> None:
    call = await project.ask(command(ECHO), q="grün\n'\"; rm -rf /")
    assert (call.outcome, call.output) == (Outcome.ANSWERED, "GRÜN\n'\"; RM -RF /")
    assert (call.provider, call.model, call.transport, call.endpoint) == ("app", "app/command", "app", "command")
    (attempt,) = call.attempts
    assert json.loads(attempt.request_body) == {"vars": {"q": "grün\n'\"; rm -rf /"}}
    assert attempt.response_body == "GRÜN\n'\"; RM -RF /\n"
    assert (call.cost_usd, call.usage.input_tokens) == (None, None)
    assert 0 < attempt.latency_ms == call.latency_ms


async def test_who_watches_sees_the_answer(project: Project) -> None:
    text, seen = command(ECHO), list[str]()
    async with Gateway(project.settings, project.environ) as gateway:
        await gateway.ask(project.route(text), project.request(text, q="hello"), on_delta=seen.append)
    assert "".join(seen) == "HELLO"


async def test_it_runs_in_the_project_without_a_shell_and_with_the_environment(project: Project) -> None:
    project.environ = {**os.environ, "APP_MODE": "test run"}
    code = "import os, sys; print(os.getcwd(), os.environ['APP_MODE'], sys.argv[1])"
    call = await project.ask(command(code, "$HOME; {{ q }}"), q="x")
    assert call.output == f"{project.root.resolve()} test run $HOME; {{{{ q }}}}"


async def test_output_is_a_part_of_json_with_what_stands_beside_it(project: Project) -> None:
    said = {
        "answers": [{"text": "billing"}],
        "usage": {"input_tokens": 7, "output_tokens": 2},
        "cost_usd": 0.25,
        "tool_calls": [{"id": "1"}],
    }
    call = await project.ask(f"{command(f'print({json.dumps(said)!r})')[:-1]}, output: /answers/0/text}}")
    assert (call.outcome, call.output, call.cost_usd) == (Outcome.ANSWERED, "billing", 0.25)
    assert (call.usage.input_tokens, call.usage.output_tokens) == (7, 2)
    assert call.tool_calls == ({"id": "1"},)


@pytest.mark.parametrize(
    ("code", "outcome", "said"),
    [
        ("print('{}')", Outcome.MALFORMED, "The answer has nothing at /answer."),
        ("print('hello')", Outcome.MALFORMED, "The answer is not JSON, and `output: /answer` asks for a part of JSON."),
        ("", Outcome.MALFORMED, "The answer is empty, and `output: /answer` asks for a part of JSON."),
        ("print('{\"answer\": null}')", Outcome.EMPTY, None),
        ("print('{\"answer\": 1.50}')", Outcome.ANSWERED, None),
    ],
)
async def test_answers_that_are_not_what_output_asks_for(
    project: Project, code: str, outcome: Outcome, said: str | None
) -> None:
    call = await project.ask(f"{command(code)[:-1]}, output: /answer}}")
    assert (call.outcome, call.error, len(call.attempts)) == (outcome, said, 1)


async def test_a_failure_says_its_last_lines_and_is_not_repeated(project: Project) -> None:
    marks = project.root / "marks"
    code = (
        f"import sys; open({str(marks)!r}, 'a').write('x'); print('half an answer');"
        "print('first\\nNo such queue: q7', file=sys.stderr); sys.exit(3)"
    )
    call = await project.ask(command(code))
    assert (call.outcome, call.output) == (Outcome.PROVIDER_ERROR, None)
    assert call.error == "The command ended with exit code 3: first | No such queue: q7"
    assert marks.read_text() == "x"
    assert call.attempts[0].response_body == "half an answer\n"


async def test_a_signal_is_named(project: Project) -> None:
    call = await project.ask(command("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    assert call.error == "The command was ended by SIGKILL."


@pytest.mark.parametrize("argv", [["no-such-program-7f"], ["./missing.sh"]])
async def test_a_program_that_is_not_there(project: Project, argv: list[str]) -> None:
    call = await project.ask(f"target: {{command: {json.dumps(argv)}}}")
    assert (call.outcome, len(call.attempts)) == (Outcome.PROVIDER_ERROR, 1)
    assert call.error == f"{argv[0]} cannot be started: No such file or directory."


async def test_a_script_of_the_project_is_found_from_its_root(project: Project) -> None:
    script = project.write("bin/app.sh", "#!/bin/sh\ncat\n")
    script.chmod(0o755)
    call = await project.ask("target: {command: [./bin/app.sh]}", q=1)
    assert call.output == '{"vars":{"q":1}}'


async def test_the_deadline_ends_the_whole_group_and_is_not_repeated(project: Project) -> None:
    """A background process that holds stdout must not survive, nor keep the call waiting."""
    pids = project.root / "pids"
    script = f"sleep 300 & echo $! $$ >> {shlex.quote(str(pids))}; echo started; wait"
    call = await project.within(1.0).ask(f"target: {{command: {json.dumps(['sh', '-c', script])}}}")
    assert (call.outcome, len(call.attempts)) == (Outcome.TIMEOUT, 1)
    assert call.attempts[0].response_body == "started\n"
    assert call.attempts[0].latency_ms < 5_000
    assert all(ends(int(pid)) for pid in pids.read_text().split())


async def test_what_a_finished_command_left_behind_is_ended_at_the_deadline(project: Project) -> None:
    pids = project.root / "pids"
    script = f"sleep 300 & echo $! > {shlex.quote(str(pids))}; exit 0"
    call = await project.within(1.0).ask(f"target: {{command: {json.dumps(['sh', '-c', script])}}}")
    assert call.outcome is Outcome.TIMEOUT
    assert ends(int(pids.read_text()))


async def test_too_much_output_ends_the_command(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_BODY_BYTES", 100_000)
    call = await project.ask(command("while True: print('x' * 1000)"))
    assert (call.outcome, len(call.attempts)) == (Outcome.MALFORMED, 1)
    assert call.error is not None
    assert call.error.startswith("The output is too large")


async def test_input_that_nobody_reads_and_much_stderr_block_nothing(project: Project) -> None:
    code = "import sys; sys.stdin.close(); sys.stderr.write('e' * 300_000); print('done')"
    call = await project.ask(command(code), q="x" * 2_000_000)
    assert (call.outcome, call.output) == (Outcome.ANSWERED, "done")


async def test_bytes_that_are_no_text(project: Project) -> None:
    call = await project.ask(command("import sys; sys.stdout.buffer.write(b'a\\xffb')"))
    assert (call.output, call.attempts[0].response_body) == ("a\ufffdb", "a\\udcffb")
