"""`traffic import|list|show|stats` through the front door."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from tests.cli.conftest import Invoke
from tests.traffic.test_importing import log, pair


def entry(number: int, **changes: Any) -> dict[str, Any]:
    return {**pair(number), "latency_ms": 100 + number, **changes}


def test_import_says_what_it_did(project: Path, llmctl: Invoke) -> None:
    log(project / "log.jsonl", [entry(1), entry(2)])
    result = llmctl("traffic", "import", "log.jsonl")
    assert result.code == 0, result.err
    assert result.out.splitlines()[-1] == "imported 2, skipped 0"
    again = llmctl("traffic", "import", "log.jsonl")
    assert (again.code, again.out) == (0, "imported 0, skipped 2: imported already x 2\n")


def test_damage_ends_4_and_the_rest_is_imported(project: Path, llmctl: Invoke) -> None:
    log(project / "log.jsonl", [entry(1), '{"cut', entry(2), "\x1b[31mred"])
    result = llmctl("traffic", "import", "log.jsonl")
    assert result.code == 4
    assert result.out.splitlines()[-1] == "imported 2, skipped 2: not JSON x 2"
    assert "log.jsonl:2, log.jsonl:4" in result.out
    document = json.loads(llmctl("traffic", "import", "log.jsonl", "--json").out)
    assert document["schema"] == "llmctl/traffic-import/1"
    assert (document["imported"], document["skipped"], document["unreadable"]) == (0, 4, 2)
    assert document["summary"] == "imported 0, skipped 4: imported already x 2, not JSON x 2"


def test_mistakes_are_one_sentence(project: Path, llmctl: Invoke) -> None:
    (project / "log.jsonl").write_text("{}\n")
    for words, said in {
        ("nothing.jsonl",): "There is no file nothing.jsonl.",
        ("*.gz",): "No file fits *.gz.",
        ("log.jsonl", "--format", "opnai_chat"): 'Did you mean "openai_chat"?',
        ("log.jsonl", "--encoding", "klingon"): 'There is no text encoding "klingon".',
    }.items():
        result = llmctl("traffic", "import", *words)
        assert result.code == 2
        assert said in result.err
        assert "Traceback" not in result.err
    assert not (project / ".llmctl" / "traffic").exists()


def test_list_filters_and_shows_the_newest_first(project: Path, llmctl: Invoke) -> None:
    pairs = [entry(number) for number in range(5)]
    pairs[1]["request"]["model"] = "\x1b[31mhostile"
    (project / "log.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, pairs)).encode()))
    assert llmctl("traffic", "import", "log.gz").code == 0
    listed = json.loads(llmctl("traffic", "list", "--json", "--limit", "2").out)
    assert [call["source_id"] for call in listed["calls"]] == ["chatcmpl-4", "chatcmpl-3"]
    assert listed["total"] == 5
    text = llmctl("traffic", "list")
    assert "\\x1b[31mhostile" in text.out
    assert "\x1b" not in text.out
    assert len(json.loads(llmctl("traffic", "list", "--json", "--where", "latency_ms > 102").out)["calls"]) == 2
    wrong = llmctl("traffic", "list", "--where", "latencyms > 2")
    assert wrong.code == 2
    assert 'Did you mean "latency_ms"?' in wrong.err
    assert "--where:1:1\n" in wrong.err
    second = llmctl("traffic", "list", "--where", "latency_ms > 2\nAND modl = 3")
    assert "--where:2:5\n" in second.err
    assert "2 | AND modl = 3\n" in second.err
    refused = llmctl("traffic", "list", "--where", "1=1); DROP TABLE traffic_rows; --")
    assert refused.code == 2
    assert llmctl("traffic", "list", "--since", "yesterday").code == 2
    assert llmctl("traffic", "list", "--status", "fine").code == 2


def test_calls_are_exported_without_any_run(project: Path, llmctl: Invoke) -> None:
    (project / "log.jsonl").write_text("".join(f"{json.dumps(entry(number))}\n" for number in range(3)))
    llmctl("traffic", "import", "log.jsonl")
    result = llmctl("export", "--what", "traffic", "-o", "calls.csv")
    assert result.code == 0, result.err
    assert (project / "calls.csv").read_text().count("chatcmpl-") >= 3
    assert llmctl("export", "--what", "traffic", "--what", "results", "-o", "both").code == 2
    assert llmctl("export", "@last", "--what", "traffic", "-o", "calls.csv").code == 2


def test_calls_without_content_are_counted(project: Path, llmctl: Invoke) -> None:
    spans = [
        {
            "traceId": "5f42b0366c5e04b058481582d38e259c",
            "spanId": f"65d9262e6310854{number}",
            "startTimeUnixNano": "1795423834017602304",
            "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}],
        }
        for number in range(3)
    ]
    (project / "spans.jsonl").write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}))
    result = llmctl("traffic", "import", "spans.jsonl")
    assert result.code == 0, result.err
    assert "not replayable  3: no content was captured; the application has to set" in result.out
    assert "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT to" in result.out
    assert "imported 3, skipped 0" in result.out


def test_show_has_the_exact_payload(project: Path, llmctl: Invoke) -> None:
    line = json.dumps(entry(1), indent=None, separators=(" , ", " : "))
    (project / "log.jsonl").write_text(f"{line}\n")
    llmctl("traffic", "import", "log.jsonl")
    result = llmctl("traffic", "show", "chatcmpl-1", "--payload")
    assert result.code == 0, result.err
    assert "Where is my parcel?" in result.out
    assert line in result.out
    shown = json.loads(llmctl("traffic", "show", "chatcmpl-1", "--json").out)
    assert (shown["raw"], shown["output"], shown["schema"]) == (line, "shipping", "llmctl/traffic-show/1")
    by_id = llmctl("traffic", "show", shown["call_id"][:7])
    assert by_id.code == 0
    assert llmctl("traffic", "show", "nothing-like-it").code == 2


def test_stats(project: Path, llmctl: Invoke) -> None:
    pairs = [entry(number * 3600) for number in range(10)]
    pairs[0]["request"]["model"] = "<script>alert(1)</script>"
    log(project / "log.jsonl", pairs)
    llmctl("traffic", "import", "log.jsonl")
    result = llmctl("traffic", "stats", "--html", "stats.html")
    assert result.code == 0, result.err
    assert "10 calls, 2026-09-21" in result.out
    assert "█" in result.out
    page = (project / "stats.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page.replace("http-equiv", "")
    stats = json.loads(llmctl("traffic", "stats", "--json", "--by", "status", "--every", "day").out)
    assert [(group["key"], group["calls"]) for group in stats["groups"]] == [("answered", 10)]
    assert stats["total"]["input_tokens"] == 100
    assert sum(step["calls"] for step in stats["over_time"]) == 10
    assert llmctl("traffic", "stats", "--by", "colour").code == 2


def test_an_empty_store(project: Path, llmctl: Invoke) -> None:
    for command in ("list", "stats"):
        result = llmctl("traffic", command)
        assert (result.code, result.out) == (0, "No logged calls. Next: llmctl traffic import FILE\n")


def test_runs_and_sql_beside_traffic(project: Path, llmctl: Invoke) -> None:
    log(project / "log.jsonl", [entry(1)])
    llmctl("traffic", "import", "log.jsonl")
    assert llmctl("eval").code == 0
    assert len(json.loads(llmctl("runs", "--json").out)["runs"]) == 1
    rows = json.loads(
        llmctl("sql", "SELECT model, output, messages->0->>'content' AS asked FROM traffic", "--json").out
    )
    assert rows == [{"model": "gpt-4o-mini", "output": "shipping", "asked": "Where is my parcel?"}]
    doctor = llmctl("doctor", "--json")
    assert doctor.code == 0, doctor.out
    assert {check["check"]: check["state"] for check in json.loads(doctor.out)["checks"]}["index"] == "ok"
    assert llmctl("doctor", "--rebuild").code == 0
    assert len(json.loads(llmctl("traffic", "list", "--json").out)["calls"]) == 1
