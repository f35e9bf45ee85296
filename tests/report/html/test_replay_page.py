"""The page of a replay in headless Chromium: it shows what changed, asks for nothing, and nothing hostile acts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from llmctl.report.replay_files import write_replay
from tests.report.html.hostile import HOSTILE
from tests.report.replays import hostile_replay, noisy, replay_of
from tests.support.chromium import Tab


def opened(tab: Tab, path: Path) -> Tab:
    tab.open(path.as_uri())
    assert tab.problems == []
    assert tab.requests == [path.as_uri()]
    return tab


def test_the_page_shows_the_evidence_and_the_worst(tab: Tab, tmp_path: Path) -> None:
    write_replay(tmp_path / "replay.html", replay_of(*noisy(), worst=12))
    opened(tab, tmp_path / "replay.html")
    text = tab.run("document.body.innerText")
    assert "the model itself changed 22.0 %" in text
    assert "19 more are not on this page" in text
    assert tab.run("document.querySelectorAll('article').length") == 12
    assert tab.run("document.querySelectorAll('details article').length") == 2
    sides = tab.run("[...document.querySelector('.sides').querySelectorAll('pre')].map(one => one.innerText)")
    assert sides == ["billing", "shipping"]


def test_hostile_texts_do_nothing(tab: Tab, tmp_path: Path) -> None:
    reports = [hostile_replay(text) for text in HOSTILE]
    first = reports[0]
    whole = replace(
        first,
        candidates=tuple(found for report in reports for found in report.candidates),
        notes=tuple(HOSTILE),
    )
    write_replay(tmp_path / "replay.html", whole)
    opened(tab, tmp_path / "replay.html")
    assert tab.run("window.owned === undefined")
    assert tab.run("document.querySelectorAll('main script, main img, main svg, main a, main base').length") == 0
    assert tab.run("getComputedStyle(document.querySelector('h1')).display") == "block"
