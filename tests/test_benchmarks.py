"""The benchmark measures what it says, on work so small that it takes seconds."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.__main__ import bench
from benchmarks.capacity import measure_capacity
from benchmarks.lag import lag_of
from benchmarks.process import BenchError, measure
from benchmarks.project import ProjectSpec, expected_passes, tickets
from benchmarks.report import BEGIN, END, render, replaced
from benchmarks.results import Machine, Results, Row, Sample, read_results, write_results
from benchmarks.runner import Runner, check_record
from benchmarks.server import QUEUES, answer_text
from benchmarks.serving import BenchServer
from benchmarks.targets import verdicts
from benchmarks.workloads import SETS, Scenario, Step, scenarios

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")

_PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
_MACHINE = Machine(2, "A processor", 24.0, "Linux 6", "3.11.7", {"aiohttp": "3.14"}, (0.1, 0.2, 0.3))


@pytest.fixture
def server() -> Iterator[BenchServer]:
    with BenchServer(60) as started:
        yield started


def _ask(server: BenchServer, ticket: int, path: str) -> tuple[http.client.HTTPResponse, dict[str, object]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.request("POST", path, json.dumps({"messages": [{"content": f"Ticket no. {ticket}: Hello"}]}))
        response = connection.getresponse()
        return response, json.loads(response.read())
    finally:
        connection.close()


def test_the_server_answers_and_counts(server: BenchServer) -> None:
    response, answer = _ask(server, 4, "/v1/chat/completions")
    assert response.status == 200
    assert answer["choices"] == [
        {"index": 0, "message": {"role": "assistant", "content": answer_text(4)}, "finish_reason": "stop"}
    ]
    assert float(response.headers["x-server-ms"]) < 1000
    assert server.reset().requests == 1
    assert server.stats().requests == 0


def test_the_server_takes_as_long_as_it_is_asked_to(server: BenchServer) -> None:
    response, answer = _ask(server, 4, "/ms/40/v1/chat/completions")
    assert float(response.headers["x-server-ms"]) >= 40
    assert answer["server_ms"] == float(response.headers["x-server-ms"])


def test_answers_are_spread_evenly(server: BenchServer) -> None:
    assert server.base_url(310, 300).endswith("/ms/10-610/v1")
    early, late = (
        float(str(_ask(server, ticket, "/ms/10-610/v1/chat/completions")[1]["server_ms"])) for ticket in (0, 30)
    )
    assert 10 <= early < 500
    assert late >= 610


def test_the_server_ends_when_its_standard_input_closes_and_when_its_time_is_up() -> None:
    for given, deadline in ((subprocess.PIPE, "60"), (None, "0.1")):
        command = [sys.executable, "-m", "benchmarks.server", "--deadline-s", deadline]
        keeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with keeper, subprocess.Popen(command, stdin=given or keeper.stdout, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert int(process.stdout.readline()) > 0
            if process.stdin:
                process.stdin.close()
            assert process.wait(20) == 0
            keeper.kill()


def test_every_pipelined_request_is_answered(server: BenchServer) -> None:
    found = measure_capacity(server.port, [b'{"messages": []}'] * 500, connections=4)
    assert found.requests == server.stats().requests == 500
    assert found.per_second > 0


def test_one_answer_in_ten_is_wrong() -> None:
    right = [answer_text(number).endswith(QUEUES[number % 3]) for number in range(60)]
    assert right.count(False) == 6
    assert expected_passes(60) == 54


def test_tickets_are_the_same_every_time_and_of_the_length_that_the_page_names() -> None:
    assert list(tickets(50)) == list(tickets(50))
    lengths = [len(ticket.text) for ticket in tickets(500)]
    assert min(lengths) >= 100
    assert max(lengths) <= 450
    assert 200 < sum(lengths) / len(lengths) < 400


def test_memory_and_cpu_of_a_child_are_told_apart(tmp_path: Path) -> None:
    # Each process holds its memory until the watcher has had time to look; the second burns CPU as well.
    child = "b = bytearray(90 << 20); x = sum(range(9_000_000)); import time; time.sleep(0.6)"
    parent = f"import subprocess, sys; b = bytearray(40 << 20); subprocess.run([sys.executable, '-c', {child!r}])"
    use = measure([sys.executable, "-c", parent], tmp_path, {}, logs=tmp_path, deadline_s=30)
    assert use.peak_mb is not None
    assert 40 < use.peak_mb < 85
    assert [90 < one.peak_mb < 130 for one in use.children] == [True]
    assert use.children_cpu_s > use.cpu_s > 0
    assert use.wall_s > 0.6


def test_a_process_that_fails_or_hangs_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="ended with 3:\nsaid\n"):
        measure([sys.executable, "-c", "print('said'); raise SystemExit(3)"], tmp_path, {}, logs=tmp_path)
    with pytest.raises(BenchError, match=r"took longer than 0\.2 s"):
        measure([sys.executable, "-c", "while True: pass"], tmp_path, {}, logs=tmp_path, deadline_s=0.2)


def test_a_tiny_workload_goes_through_the_whole_benchmark(tmp_path: Path) -> None:
    spec = ProjectSpec(30, "openai/bench-1")
    tiny = Scenario("2k", "30 cases", spec, (Step.HELP, Step.AIOHTTP, Step.COLD, Step.CACHED), concurrency=4)
    results = bench([tiny], rounds=1)

    rows = {row.step: row for row in results.rows}
    assert set(rows) == {step.value for step in tiny.steps}
    for row in rows.values():
        assert len(row.samples) == 1
        assert row.samples[0].cpu_s > 0
        assert (row.samples[0].peak_mb or 0) > 5
    cold, loop = rows[Step.COLD].samples[0], rows[Step.AIOHTTP].samples[0]
    for sample in (cold, loop):
        assert sample.run_s is not None
        assert 0 < sample.run_s < sample.wall_s
        assert sample.first_request_s is not None
        assert 0 < sample.first_request_s < sample.wall_s
        assert sample.lag is not None
        assert -1 < sample.lag["p50"] <= sample.lag["p95"] <= sample.lag["p99"]
    assert rows[Step.CACHED].samples[0].first_request_s is None  # nothing was sent

    path = tmp_path / "found" / "bench.json"
    write_results(path, results)
    assert read_results(path) == results
    _check_tables(render(results))


def test_a_run_that_sends_too_little_is_no_measurement(tmp_path: Path, server: BenchServer) -> None:
    package = tmp_path / "tree" / "llmctl"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text("print('All passed.')", encoding="utf-8")
    with pytest.raises(BenchError, match="0 requests came, 20 were wanted"):
        Runner(server, tmp_path, tmp_path / "tree").run([], rounds=1)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"done": 29, "errors": 0, "passed": 27}, "29 of 30 results were recorded"),
        ({"done": 30, "errors": 1, "passed": 27}, "1 results have no verdict"),
        ({"done": 30, "errors": 0, "passed": 30}, "30 cases passed, 27 should have"),
    ],
)
def test_a_run_that_records_other_results_is_no_measurement(record: dict[str, int], said: str) -> None:
    spec = ProjectSpec(30, "openai/bench-1")
    check_record(spec, {"done": 30, "errors": 0, "passed": 27})
    with pytest.raises(BenchError, match=said):
        check_record(spec, record)


def test_targets_are_judged_by_the_median_and_none_is_hidden() -> None:
    samples = tuple(Sample(wall, 1.0, 0.0, 140.0, 0.0, run_s=1.0) for wall in (1.9, 5.0, 1.8))
    row = Row("2k", "2,000 cases", Step.COLD.value, 2000, 64, 0, None, samples)
    bare = replace(row, step=Step.AIOHTTP.value, samples=(replace(samples[0], run_s=0.4),))
    results = Results("2026-01-01T00:00:00+00:00", "abc", _MACHINE, 1e5, 3, (row, bare))

    found = {one.what: one for one in verdicts(results)}
    whole = found["2,000 cases, concurrency 64: whole process"]
    assert (whole.measured, whole.reached) == ("1.9 s", True)
    rate = found["rate within the run, 2k cases, beside the bare aiohttp loop's"]
    assert (rate.measured, rate.reached) == ("0.40 (2,000 to 5,000 a second)", False)
    assert found["100,000 cases: peak memory"].reached is None
    text = render(results)
    assert all(f"| {what} " in text for what in found)
    assert "**no**" in text
    assert "not measured" in text


def test_growth_is_what_a_case_more_costs() -> None:
    few = Row("20k", "", Step.COLD.value, 20_000, 64, 0, None, (Sample(1, 1, 0, 200.0, 0),))
    many = replace(few, scenario="100k", cases=100_000, samples=(Sample(1, 1, 0, 278.125, 0),))
    results = Results("2026-01-01T00:00:00+00:00", None, _MACHINE, 1e5, 1, (few, many))
    growth = next(one for one in verdicts(results) if one.what.startswith("memory from"))
    assert growth.measured.startswith("1.00 KB a case")
    assert growth.reached is False


def test_another_json_file_is_not_read_as_results(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    write_results(path, Results("2026-01-01T00:00:00+00:00", None, _MACHINE, 1e5, 1, ()))
    ours = path.read_text(encoding="utf-8")
    for text in ("[]", ours.replace("bench/1", "bench/2"), '{"schema": "llmctl/bench/1", "machine": {}}'):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match="is no result of this benchmark"):
            read_results(path)


def test_percentiles_are_of_what_was_seen() -> None:
    assert lag_of([float(number) for number in range(100, 0, -1)]) == {"p50": 50.0, "p95": 95.0, "p99": 99.0}
    assert lag_of([]) is None


def test_every_set_names_workloads_that_there_are() -> None:
    for names in SETS.values():
        assert [one.name for one in scenarios(names)] == list(names)
    with pytest.raises(ValueError, match=r'no workload "3k"\. Known: start, 2k'):
        scenarios(("3k",))


def test_the_page_holds_what_the_report_writes() -> None:
    page = _PAGE.read_text(encoding="utf-8")
    assert replaced(replaced(page, "TABLE"), "TABLE") == replaced(page, "TABLE")
    assert f"{BEGIN}\n\nTABLE\n{END}" in replaced(page, "TABLE")
    _check_tables(page)
    with pytest.raises(ValueError, match="has no lines"):
        replaced("no marks", "TABLE")


def _check_tables(text: str) -> None:
    """Every line of a Markdown table has as many cells as its head."""
    head = 0
    for line in text.splitlines():
        cells = line.count("|") - 1 if line.startswith("|") else 0
        if head and cells:
            assert cells == head, line
        head = cells
