"""The pages in headless Chromium: they work, ask for nothing, and nothing hostile acts."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from llmctl.compare.diff_report import CellDiff, Change
from llmctl.report.html import write_diff_html, write_gate_html, write_run_html
from llmctl.report.html.rows import shown
from llmctl.report.numbers import latency, money
from llmctl.runs.records import ResultEvent
from tests.report.html.hostile import HOSTILE, hostile_diff, hostile_flip, hostile_gate, hostile_judged, hostile_result
from tests.report.html.samples import LETTER, NEW_LETTER, diff_report, flip, gate_report, run_results
from tests.report.samples import failed, report_of, result
from tests.support.chromium import Tab

CASES = "[...document.querySelectorAll('#list .open')].map(one => one.textContent)"
COUNT = "document.getElementById('count').textContent"


def write_run(path: Path, results: list[ResultEvent]) -> str:
    with path.open("w", encoding="utf-8", newline="") as file:
        write_run_html(file, report_of(results), results)
    return path.as_uri()


@pytest.fixture
def run(tmp_path: Path) -> str:
    """The address of the page of a run."""
    return write_run(tmp_path / "run.html", run_results())


@pytest.fixture
def diff(tmp_path: Path) -> str:
    """The address of the page of a diff with 240 pairs."""
    report = diff_report()
    same = (flip(f"same-{number}", output_b="billing", passed_b=1, reason_b="") for number in range(229))
    changed = (flip(f"changed-{number}", passed_b=1, reason_b="") for number in range(7))
    write_diff_html(
        tmp_path / "diff.html", report, [*report.cells[0].regressions, *report.cells[0].fixes, *same, *changed]
    )
    return (tmp_path / "diff.html").as_uri()


def opened(tab: Tab, address: str) -> Tab:
    """Open a page, and hold it to what holds for every page."""
    tab.open(address)
    assert tab.problems == []
    assert tab.requests == [address.partition("#")[0]]
    return tab


# --- it works ---------------------------------------------------------------------------------------------------------


def test_all_kinds_of_pages_work(tab: Tab, tmp_path: Path, run: str, diff: str) -> None:
    write_gate_html(tmp_path / "gate.html", gate_report())
    for address, rows in ((run, 62), (diff, 100), ((tmp_path / "gate.html").as_uri(), 2)):
        assert len(opened(tab, address).run(CASES)) == rows
        assert tab.run("document.getElementById('filter').hidden") is False


def test_the_worst_come_first(tab: Tab, diff: str) -> None:
    cases = opened(tab, diff).run(CASES)
    assert cases[:4] == ["refund-letter", "card-declined", "flaky-case", "parcel-late"]
    assert cases[4:6] == ["changed-0", "changed-1"]


def test_each_side_of_a_pair_holds_its_own_text(tab: Tab, diff: str) -> None:
    opened(tab, diff)
    before, after = tab.run("[...document.querySelectorAll('#list .preview')].slice(0, 2).map(one => one.textContent)")
    assert (before, after) == (LETTER, NEW_LETTER)


@pytest.mark.parametrize(
    ("fragment", "expected"),
    [
        ("verdict=worse", ["refund-letter", "card-declined", "flaky-case"]),
        ("verdict=worse&tag=smoke&q=flaky", ["flaky-case"]),
        ("verdict=better", ["parcel-late"]),
        ("tag=hard", ["parcel-late"]),
        ("q=CARD%20number", ["refund-letter"]),
        ("q=same-1.", []),
        ("q=%5B", []),
        ("case=same-7&bank=triage", ["same-7"]),
        ("case=same-7&bank=other", []),
        ("changed=1&sort=case&dir=down", ["refund-letter", "parcel-late", "flaky-case"]),
        ("sort=case", ["card-declined", "changed-0", "changed-1"]),
        ("sort=nonsense&dir=sideways&verdict=better&__proto__=x", ["parcel-late"]),
    ],
)
def test_the_address_says_what_is_shown(tab: Tab, diff: str, fragment: str, expected: list[str]) -> None:
    cases = opened(tab, f"{diff}#{fragment}").run(CASES)
    assert cases[: max(3, len(expected))][: len(expected)] == expected
    assert (len(cases) == len(expected)) or "sort" in fragment


def test_numbers_are_sorted_and_the_unknown_come_last(tab: Tab, tmp_path: Path) -> None:
    results = [result(str(value), latency_ms=value) for value in (30.0, None, 4.0, 200.0)]
    address = write_run(tmp_path / "run.html", results)
    assert opened(tab, f"{address}#sort=latency&dir=up").run(CASES) == ["4.0", "30.0", "200.0", "None"]
    assert opened(tab, f"{address}#sort=latency&dir=down").run(CASES) == ["200.0", "30.0", "4.0", "None"]


def test_controls_filter_and_write_the_address(tab: Tab, diff: str) -> None:
    opened(tab, diff)
    tab.run("document.getElementById('f-verdict').value = 'worse'")
    tab.run("document.getElementById('f-verdict').dispatchEvent(new Event('change'))")
    assert len(tab.run(CASES)) == 3
    assert tab.run("location.hash") == "#verdict=worse"
    assert tab.run(COUNT) == "3 of 240 rows."
    tab.run("document.querySelector('th.c-latency button').click()")
    assert tab.run("location.hash") == "#verdict=worse&sort=latency&dir=up"
    assert tab.run("document.querySelector('th.c-latency').getAttribute('aria-sort')") == "ascending"
    tab.run("document.querySelector('th.c-latency button').click()")
    assert tab.run("document.querySelector('th.c-latency').getAttribute('aria-sort')") == "descending"
    tab.run("document.getElementById('f-clear').click()")
    assert tab.run(COUNT) == "240 rows, the first 100 shown."
    assert tab.problems == []


def test_typing_searches(tab: Tab, diff: str) -> None:
    opened(tab, diff)
    tab.run("document.getElementById('f-q').focus()")
    tab.call("Input.insertText", text="parcel-late")
    found = f"{COUNT} === '1 of 240 rows.'"
    look = f"const look = () => {found} ? done(true) : requestAnimationFrame(look)"
    assert tab.run(f"new Promise(done => {{ {look}; look() }})") is True
    assert tab.run(CASES) == ["parcel-late"]


def test_a_link_to_a_case_opens_it(tab: Tab, run: str) -> None:
    opened(tab, run)
    click = "document.querySelector('.card h3 a').click()"
    tab.run(f"new Promise(done => {{ addEventListener('hashchange', () => setTimeout(done)); {click} }})")
    assert tab.run(CASES) == ["opening-hours-4"] * 2  # both prompts
    assert tab.run("document.querySelectorAll('#list .detail').length") == 2
    assert tab.run(COUNT).endswith(", only the case opening-hours-4.")


def test_a_row_opens_with_the_keyboard_and_shows_what_differs(tab: Tab, diff: str) -> None:
    opened(tab, diff)
    tab.run("document.querySelector('#list .open').focus()")
    for kind in ("keyDown", "keyUp"):
        tab.call(
            "Input.dispatchKeyEvent",
            type=kind,
            key="Enter",
            code="Enter",
            windowsVirtualKeyCode=13,
            text="\r" if kind == "keyDown" else "",
        )
    assert tab.run("document.querySelector('#list .open').getAttribute('aria-expanded')") == "true"
    before, after = tab.run("[...document.querySelectorAll('#list .detail pre')].map(one => one.textContent)")
    assert (before, after) == (LETTER, NEW_LETTER)
    assert (
        tab.run("[...document.querySelectorAll('#list .detail ins')].map(one => one.textContent)")[0]
        == "Please send us your card number, and we "
    )
    tab.run("document.querySelector('#list .open').click()")
    assert tab.run("document.querySelectorAll('#list .detail').length") == 0


def test_other_answers_to_a_case_stand_beside_it(tab: Tab, run: str) -> None:
    opened(tab, f"{run}#q=card-declined-0")
    tab.run("document.querySelector('#list .open').click()")
    assert tab.run("document.querySelector('#list .detail summary').textContent") == "Other answers to this case: 1"


def test_a_long_answer_is_cut_until_it_is_asked_for(tab: Tab, tmp_path: Path) -> None:
    address = write_run(tmp_path / "run.html", [failed("long", output="word " * 10_000)])
    opened(tab, f"{address}#case=long")
    lengths = "[...document.querySelectorAll('#list .detail pre')].map(one => one.textContent.length)"
    assert tab.run(lengths) == [7, 4_000]
    tab.run("document.querySelector('#list .all').click()")
    assert tab.run(lengths) == [7, 50_000]


def test_ten_thousand_rows_are_built_in_slices(tab: Tab, tmp_path: Path) -> None:
    address = write_run(tmp_path / "run.html", [result(f"case-{number}") for number in range(10_000)])
    opened(tab, address)
    assert tab.run("document.getElementById('more-button').textContent") == "Show 100 more"
    tab.run("document.getElementById('more-button').click()")
    assert tab.run("document.querySelectorAll('#list tbody tr').length") == 200
    assert tab.run(COUNT) == "10,000 rows, the first 200 shown."


def test_numbers_are_written_as_everywhere_else(tab: Tab, tmp_path: Path) -> None:
    times = [0.0, 0.26, 9.94, 9.96, 10.0, 210.4, 999.4, 999.6, 1_420.0, 9_994.0, 14_240.0, 99_960.0, 142_000.0]
    prices = [0.0, 0.0021, 0.00000123, 0.095, 0.5, 1.0, 12.345, 1_234.5, 0.0099, 0.25, 0.9, 3.0, 0.01]
    results = [result(f"{place:02}", latency_ms=times[place], cost_usd=prices[place]) for place in range(len(times))]
    opened(tab, write_run(tmp_path / "run.html", results) + "#sort=case")
    lines = "[...document.querySelectorAll('#list tbody tr')]"
    cells = tab.run(f"{lines}.map(row => [...row.cells].slice(-2).map(one => one.textContent))")
    assert cells == [[latency(ms), money(usd)] for ms, usd in zip(times, prices, strict=True)]


@pytest.mark.parametrize("width", [400, 800, 1280])
def test_a_page_is_never_wider_than_the_window(tab: Tab, run: str, diff: str, width: int) -> None:
    tab.view(width, 900)
    for address in (run, diff):
        opened(tab, address)
        tab.run("document.querySelector('#list .open').click()")
        assert tab.run("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


def test_a_page_prints_all_that_is_found_and_what_is_folded(tab: Tab, diff: str) -> None:
    opened(tab, diff)
    rows, folded = "'#list tbody tr'", "'section > details:not([open])'"
    tab.run(f"addEventListener('beforeprint', () => window.folded = document.querySelectorAll({folded}).length)")
    tab.run(f"addEventListener('afterprint', () => window.printed = document.querySelectorAll({rows}).length)")
    assert tab.print().startswith(b"%PDF")
    assert tab.run("[window.printed, window.folded]") == [240, 0]


def test_dark_is_dark(tab: Tab, run: str) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    for dark, colour in ((False, "rgb(255, 255, 255)"), (True, "rgb(20, 23, 28)")):
        tab.view(1280, 900, dark=dark)
        assert opened(tab, run).run(ground) == colour


# --- nothing hostile acts ---------------------------------------------------------------------------------------------

OPEN_ALL = "for (const one of document.querySelectorAll('#list .open')) one.click()"


def harmless(tab: Tab) -> None:
    tab.run(OPEN_ALL)
    assert tab.run("window.owned") is None
    assert tab.run("document.scripts.length") == 2
    assert (
        tab.run(
            "document.querySelectorAll('img, iframe, object, embed, base, link, video, [onclick], [onload]').length"
        )
        == 0
    )
    assert tab.run("[...document.links].every(one => one.protocol === 'file:')") is True
    assert tab.problems == []


def test_hostile_results_are_shown_as_they_are(tab: Tab, tmp_path: Path) -> None:
    results = [replace(hostile_result(text), output=f"{place}: {text}") for place, text in enumerate(HOSTILE)]
    opened(tab, write_run(tmp_path / "run.html", results))
    harmless(tab)
    shown_texts = tab.run(
        "[...document.querySelectorAll('#list .detail .sides > div:last-child')].map(one => one.textContent)"
    )
    expected = {f"Answer{shown(f'{place}: {text}')}" for place, text in enumerate(HOSTILE) if len(text) < 4_000}
    assert expected <= set(shown_texts)


def test_hostile_diffs_and_gates_do_nothing(tab: Tab, tmp_path: Path) -> None:
    diffs, gates = map(hostile_diff, HOSTILE), map(hostile_gate, HOSTILE)
    whole = hostile_diff(" ".join(HOSTILE))
    cells = [one for diff in diffs for one in (*diff.cells, *diff.changes)]
    report = replace(
        whole,
        cells=tuple(one for one in cells if isinstance(one, CellDiff)),
        changes=tuple(one for one in cells if isinstance(one, Change)),
    )
    write_diff_html(tmp_path / "diff.html", report, map(hostile_flip, HOSTILE))
    judging = replace(hostile_gate(" ".join(HOSTILE)), cells=tuple(gate.cells[0] for gate in gates))
    write_gate_html(tmp_path / "gate.html", judging, map(hostile_judged, HOSTILE))
    for name in ("diff.html", "gate.html"):
        opened(tab, (tmp_path / name).as_uri())
        assert len(tab.run(CASES)) == len(HOSTILE)
        harmless(tab)


def test_a_hostile_address_does_nothing(tab: Tab, run: str) -> None:
    for fragment in (
        "q=<img src=x onerror=window.owned=1>",
        "case=javascript:window.owned=1",
        "%",
        "=&&=",
        "verdict=%ff",
    ):
        opened(tab, f"{run}#{fragment}")
        harmless(tab)


def test_megabytes_of_text_open(tab: Tab, tmp_path: Path) -> None:
    results = [hostile_result(f"{number} " + "</script> \u202e " * 60_000) for number in range(5)]
    opened(tab, write_run(tmp_path / "run.html", results))
    harmless(tab)


class _Asked(ThreadingHTTPServer):
    """Notes what it is asked for."""

    paths: list[str]


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, _Asked)
        self.server.paths.append(self.path)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[_Asked]:
    with _Asked(("127.0.0.1", 0), _Handler) as asked:
        asked.paths = []
        thread = threading.Thread(target=asked.serve_forever)
        thread.start()
        yield asked
        asked.shutdown()
        thread.join()


def injected(server: _Asked) -> str:
    address = f"http://127.0.0.1:{server.server_address[1]}"
    return (
        f"<script>window.owned = 1</script><img src='{address}/image' onerror='window.owned = 2'>"
        f"<style>body {{ display: none }} @import '{address}/style';</style><iframe src='{address}/frame'></iframe>"
        f"<p id=styled style='display: none'></p>"
    )


ACTS = (
    "[window.owned || 0, getComputedStyle(document.body).display,"
    " getComputedStyle(document.getElementById('styled')).display]"
)


def test_the_policy_stops_what_would_be_injected(tab: Tab, tmp_path: Path, run: str, server: _Asked) -> None:
    page = (tmp_path / "run.html").read_text(encoding="utf-8")
    bad = page.replace("</main>", injected(server) + "</main>")
    (tmp_path / "bad.html").write_text(bad, encoding="utf-8")
    tab.open((tmp_path / "bad.html").as_uri())
    assert tab.run(ACTS) == [0, "block", "block"]
    assert server.paths == []
    assert any("Content Security Policy" in problem for problem in tab.problems)
    # Without the policy all of it acts: the test can fail.
    start = bad.index('<meta http-equiv="Content-Security-Policy"')
    (tmp_path / "bad.html").write_text(bad[:start] + bad[bad.index(">", start) + 1 :], encoding="utf-8")
    tab.open((tmp_path / "bad.html").as_uri())
    assert tab.run(ACTS)[0] > 0
    assert "/image" in server.paths


def test_no_text_can_become_markup_in_the_page(tab: Tab, run: str) -> None:
    opened(tab, run)
    attempt = "try { document.body.innerHTML = '<b>x</b>'; return 'set' } catch (error) { return error.name }"
    assert tab.run(f"(() => {{ {attempt} }})()") == "TypeError"


def test_every_row_can_be_read_from_the_data(tab: Tab, run: str) -> None:
    data = json.loads(opened(tab, run).run("document.getElementById('data').textContent"))
    assert len(data["rows"]) == 62
