from __future__ import annotations

import asyncio
import dataclasses
import json
import os

import pytest

from llmctl.errors import ModelError
from llmctl.outcome import Outcome
from llmctl.providers.app.python_function import PythonApp
from llmctl.providers.gateway import Gateway
from llmctl.providers.wire import Asked, Tape
from tests.providers.app.conftest import Project, ends

TARGET = "target: {python: app/bot.py:answer}"


async def test_variables_are_one_argument_and_text_is_the_answer(project: Project) -> None:
    project.write("app/bot.py", "def answer(vars):\n    return vars['q'].upper() + str(vars['list'])\n")
    call = await project.ask(TARGET, q="grün\n", list=[1, {"a": None}])
    assert (call.outcome, call.output) == (Outcome.ANSWERED, "GRÜN\n[1, {'a': None}]")
    assert (call.provider, call.model, call.transport) == ("app", "app/python", "app")
    (attempt,) = call.attempts
    assert json.loads(attempt.request_body) == {"vars": {"q": "grün\n", "list": [1, {"a": None}]}}
    assert json.loads(attempt.response_body) == {"value": call.output}


RETURNED = [
    ("25", Outcome.ANSWERED, "25"),
    ("0.5", Outcome.ANSWERED, "0.5"),
    ("True", Outcome.ANSWERED, "true"),
    ("['a', {'b': 1.5}]", Outcome.ANSWERED, '["a",{"b":1.5}]'),
    ("{'queue': 'billing'}", Outcome.ANSWERED, '{"queue":"billing"}'),
    ("None", Outcome.EMPTY, ""),
    ("''", Outcome.EMPTY, ""),
    ("{'output': None}", Outcome.EMPTY, ""),
    ("{'output': {'a': 1}}", Outcome.ANSWERED, '{"a":1}'),
    ("'a\\ud800'", Outcome.ANSWERED, "a\ufffd"),
    ("{'output': 10**30}", Outcome.ANSWERED, str(10**30)),
    ("[10**30]", Outcome.ANSWERED, f'["{10**30}"]'),
    ("object()", Outcome.PROVIDER_ERROR, None),
    ("float('nan')", Outcome.PROVIDER_ERROR, None),
]


async def test_what_a_function_may_return(project: Project) -> None:
    project.write("app/bot.py", "def answer(vars):\n    return eval(vars['code'])\n")
    async with Gateway(project.settings, project.environ) as gateway:
        route = project.route(TARGET)
        calls = [await gateway.ask(route, project.request(TARGET, code=code)) for code, _, _ in RETURNED]
    got = [(code, call.outcome, call.output) for (code, _, _), call in zip(RETURNED, calls, strict=True)]
    assert got == RETURNED
    refusal = "It returned what is no text, number or JSON: "
    assert [(call.error or "").startswith(refusal) for call in calls] == [output is None for _, _, output in RETURNED]


async def test_an_answer_may_bring_tool_calls_tokens_and_its_cost(project: Project) -> None:
    said = {"output": "hi", "tool_calls": [{"id": "1"}], "usage": {"input_tokens": 3, "output_tokens": True}}
    project.write("app/bot.py", f"def answer(vars):\n    return {said | {'cost_usd': 0.5}!r}\n")
    call = await project.ask(TARGET)
    assert (call.output, call.tool_calls, call.cost_usd) == ("hi", ({"id": "1"},), 0.5)
    assert (call.usage.input_tokens, call.usage.output_tokens) == (3, None)


async def test_output_takes_a_part(project: Project) -> None:
    project.write("app/bot.py", "def answer(vars):\n    return {'steps': [{'text': 'one'}, {'text': 'two'}]}\n")
    call = await project.ask("target: {python: app/bot.py:answer, output: /steps/1/text}")
    assert call.output == "two"
    call = await project.ask("target: {python: app/bot.py:answer, output: /steps/2}")
    assert (call.outcome, call.error, len(call.attempts)) == (
        Outcome.MALFORMED,
        "The answer has nothing at /steps/2.",
        1,
    )


async def test_asynchronous_functions_share_one_loop(project: Project) -> None:
    project.write(
        "app/bot.py",
        "import asyncio\nloops = []\nasync def answer(vars):\n    loops.append(asyncio.get_running_loop())\n"
        "    return len(loops) if len(set(loops)) == 1 else 'two loops'\n",
    )
    async with Gateway(project.settings, project.environ) as gateway:
        calls = [await gateway.ask(project.route(TARGET), project.request(TARGET)) for _ in range(3)]
    assert [call.output for call in calls] == ["1", "2", "3"]


async def test_an_exception_is_a_row_with_its_place_and_is_not_repeated(project: Project) -> None:
    project.write(
        "app/bot.py",
        "import json\ncalls = []\ndef answer(vars):\n    calls.append(1)\n    if vars['q']:\n        json.loads('{')\n"
        "    return len(calls)\n",
    )
    async with Gateway(project.settings, project.environ) as gateway:
        route = project.route(TARGET)
        bad = await gateway.ask(route, project.request(TARGET, q=1))
        good = await gateway.ask(route, project.request(TARGET, q=0))
    assert (bad.outcome, len(bad.attempts)) == (Outcome.PROVIDER_ERROR, 1)
    assert bad.error == (
        "JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1) "
        "(app/bot.py, line 6)."
    )
    assert "Traceback" in json.loads(bad.attempts[0].response_body)["traceback"]
    assert good.output == "2", "the process lives on"


@pytest.mark.parametrize("line", ["raise SystemExit(3)", "import sys; sys.exit()", "raise KeyboardInterrupt"])
async def test_leaving_ends_a_call_and_not_the_process(project: Project, line: str) -> None:
    project.write("app/bot.py", f"def answer(vars):\n    {line}\n")
    call = await project.ask(TARGET)
    assert (call.outcome, len(call.attempts)) == (Outcome.PROVIDER_ERROR, 1)
    assert "app/bot.py, line 2" in (call.error or "")


async def test_printing_and_reading_do_not_touch_the_protocol(project: Project) -> None:
    project.write(
        "app/bot.py",
        "import os, subprocess, sys\nprint('import')\ndef answer(vars):\n    print('hello')\n"
        "    os.write(1, b'raw' * 50_000)\n"
        "    sys.stdout.flush()\n    subprocess.run(['echo', 'from a child'], check=True)\n"
        "    return repr(sys.stdin.read()) + subprocess.run(['cat'], capture_output=True, text=True).stdout\n",
    )
    call = await project.ask(TARGET)
    assert (call.outcome, call.output) == (Outcome.ANSWERED, "''")


async def test_a_crash_is_repeated_once_in_a_new_process(project: Project) -> None:
    mark = project.root / "mark"
    project.write(
        "app/bot.py",
        f"import os, pathlib, sys\nmark = pathlib.Path({str(mark)!r})\ndef answer(vars):\n    if mark.exists():\n"
        "        return 'second'\n    mark.touch()\n    print('about to fall')\n    sys.stdout.flush()\n"
        "    os._exit(7)\n",
    )
    call = await project.ask(TARGET)
    assert (call.outcome, call.output) == (Outcome.ANSWERED, "second")
    assert [attempt.outcome for attempt in call.attempts] == [Outcome.PROVIDER_ERROR, Outcome.ANSWERED]
    assert call.attempts[0].error == "app/bot.py:answer ended: exit code 7: about to fall."


async def test_a_second_crash_stands(project: Project) -> None:
    project.write("app/bot.py", "import os\ndef answer(vars):\n    os.abort()\n")
    call = await project.ask(TARGET)
    assert (call.outcome, len(call.attempts)) == (Outcome.PROVIDER_ERROR, 2)
    assert (call.error or "").startswith("app/bot.py:answer ended: exit code -6")


async def test_the_deadline_ends_process_and_children_and_is_not_repeated(project: Project) -> None:
    pids = project.root / "pids"
    project.write(
        "app/bot.py",
        "import os, pathlib, subprocess, time\ndef answer(vars):\n    if not vars['hang']:\n        return 'fine'\n"
        "    child = subprocess.Popen(['sleep', '300'])\n"
        f"    pathlib.Path({str(pids)!r}).write_text(f'{{os.getpid()}} {{child.pid}}')\n    time.sleep(300)\n",
    )
    async with Gateway(project.within(3.0).settings, project.environ) as gateway:
        route = project.route(TARGET)
        late = await gateway.ask(route, project.request(TARGET, hang=True))
        after = await gateway.ask(route, project.request(TARGET, hang=False))
    assert (late.outcome, len(late.attempts), after.output) == (Outcome.TIMEOUT, 1, "fine")
    assert all(ends(int(pid)) for pid in pids.read_text().split())


async def test_calls_run_side_by_side_in_as_many_processes_as_asked_for(project: Project) -> None:
    """Each call waits until two are there: with one process at a time none would ever answer."""
    project.write(
        "app/bot.py",
        f"import os, pathlib, time\nhere = pathlib.Path({str(project.root)!r})\ndef answer(vars):\n"
        "    (here / f'pid-{os.getpid()}').touch()\n"
        "    while len(list(here.glob('pid-*'))) < 2: time.sleep(0.01)\n    return os.getpid()\n",
    )
    target = "target: {python: app/bot.py:answer, concurrency: 2}"
    async with Gateway(project.settings, project.environ) as gateway:
        route = project.route(target)
        asked = (gateway.ask(route, project.request(target, number=number)) for number in range(6))
        calls = await asyncio.gather(*asked)
    assert {call.outcome for call in calls} == {Outcome.ANSWERED}
    assert len({call.output for call in calls}) == 2


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import no_such_module_7f\ndef answer(v): ...", "ModuleNotFoundError: No module named 'no_such_module_7f'"),
        ("raise SystemExit('no')\ndef answer(v): ...", "SystemExit: no (app/bot.py, line 1)"),
        ("answer = 5", "answer is no function"),
        ("if 1 < 0:\n    answer = 5", "AttributeError: "),
        ("import os; os._exit(4)\ndef answer(v): ...", "exit code 4"),
    ],
)
async def test_a_module_that_cannot_be_loaded_is_known_at_once(project: Project, code: str, said: str) -> None:
    project.write("app/bot.py", code)
    async with Gateway(project.settings, project.environ) as gateway:
        with pytest.raises(ModelError) as caught:
            await gateway.start(project.route(TARGET))
        call = await gateway.ask(project.route(TARGET), project.request(TARGET))
    assert caught.value.message.startswith(f"app/bot.py:answer cannot be loaded: {said}")
    assert (call.outcome, call.error) == (Outcome.PROVIDER_ERROR, caught.value.message)


async def test_modules_are_found_as_python_finds_them(project: Project) -> None:
    project.write("app/bot.py", "import helper\nfrom shared.rules import RULE\ndef answer(v): return helper.H + RULE\n")
    project.write("app/helper.py", "H = 'h'\n")
    project.write("shared/rules.py", "RULE = 'r'\n")
    assert (await project.ask(TARGET)).output == "hr"


async def test_a_package_may_import_relatively_and_a_name_may_be_one_of_python_s(project: Project) -> None:
    project.write("app/__init__.py", "")
    project.write("app/json.py", "from . import words\nimport json\ndef answer(v): return words.W + json.dumps([1])\n")
    project.write("app/words.py", "W = 'w'\n")
    assert (await project.ask("target: {python: app/json.py:answer}")).output == "w[1]"
    project.write("queue.py", "def answer(v): return 'own'\n")
    assert (await project.ask("target: {python: queue.py:answer}")).output == "own"


async def test_it_runs_in_the_project_with_the_environment(project: Project) -> None:
    project.environ = {**os.environ, "APP_MODE": "test"}
    project.write("app/bot.py", "import os\ndef answer(v): return os.getcwd() + os.environ['APP_MODE']\n")
    assert (await project.ask(TARGET)).output == f"{project.root.resolve()}test"


async def test_processes_end_with_the_gateway(project: Project) -> None:
    project.write("app/bot.py", "import os\ndef answer(v): return os.getpid()\n")
    call = await project.ask(TARGET)
    assert ends(int(call.output or ""))


async def test_a_process_whose_parent_has_gone_ends_in_the_middle_of_a_call(project: Project) -> None:
    """The pipe closes when the parent dies: here it is closed by hand while the function waits."""
    called = project.root / "called"
    os.mkfifo(called)
    code = f"import time\ndef answer(v):\n    open({str(called)!r}, 'w').close()\n    time.sleep(300)\n"
    project.write("app/bot.py", code)
    route = project.route(TARGET)
    assert route.app is not None
    transport = PythonApp(route.app, 1, project.environ)
    await transport.start()
    worker = transport._idle[0]
    asked = Asked(route, project.request(TARGET), "key")
    async with asyncio.timeout(20):
        task = asyncio.create_task(transport.send(asked, Tape(asyncio.get_running_loop().time)))
        await asyncio.to_thread(called.read_bytes)
        assert worker._process.stdin is not None
        worker._process.stdin.close()
        answer = await task
    assert answer.outcome is Outcome.PROVIDER_ERROR
    assert ends(worker.pid)
    await transport.close()


async def test_a_large_return_is_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmctl.providers.app.python_function.MAX_BODY_BYTES", 1000)
    project.write("app/bot.py", "def answer(v): return 'x' * v['size']\n")
    async with Gateway(project.settings, project.environ) as gateway:
        route = project.route(TARGET)
        large = await gateway.ask(route, project.request(TARGET, size=2000))
        small = await gateway.ask(route, project.request(TARGET, size=3))
    assert (large.outcome, small.output) == (Outcome.MALFORMED, "xxx")


async def test_a_function_that_prints_without_end_fills_no_disk(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmctl.processes.worker._LONGEST_LOG", 10_000)
    project.write(
        "app/bot.py",
        "import os\ndef answer(v):\n    size = os.fstat(2).st_size\n    print('x' * 20_000)\n    return size\n",
    )
    async with Gateway(project.settings, project.environ) as gateway:
        route = project.route(TARGET)
        sizes = [(await gateway.ask(route, project.request(TARGET, n=n))).output for n in range(4)]
    assert all(int(size or "") < 10_000 for size in sizes)


def test_settings_of_the_deadline_come_from_the_target(project: Project) -> None:
    project.write("app/bot.py", "def answer(v): ...")
    assert project.route("target: {python: app/bot.py:answer, timeout_s: 5}").timeout_s == 5
    assert dataclasses.replace(project.route(TARGET)).timeout_s is None
