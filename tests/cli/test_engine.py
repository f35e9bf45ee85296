"""What keeps a run from costing more than it should: budget, circuit, -x, --dry-run; counted at the server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import CONFIG, Invoke, write
from tests.support.openai_server import OpenAIServer, Reply

MODEL = """
[models.gpt]
model = "openai/gpt"
api_base = "{url}"
params = {{max_tokens = 8}}
{more}
"""
PRICE = "price = {input = 10.0, output = 10000.0}"


def many(count: int) -> str:
    cases = "".join(f"  - {{id: c{n}, vars: {{ticket: ticket {n}}}, expected: yes it is}}\n" for n in range(count))
    return f"prompts: [route]\nmodels: [gpt]\ndefaults:\n  vars: {{brand: Acme}}\nevaluators: [exact]\ncases:\n{cases}"


@pytest.fixture
def server(project: Path) -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        write(project, "llmctl.toml", CONFIG + MODEL.format(url=server.url, more=PRICE))
        write(project, "testbanks/route.yaml", many(20))
        yield server


def test_a_dry_run_sends_and_keeps_nothing(server: OpenAIServer, project: Path, llmctl: Invoke) -> None:
    result = llmctl("eval", "--dry-run", "--json")
    document = json.loads(result.out)
    assert result.code == 0, result.err
    assert (document["schema"], document["calls"], document["kept"]) == ("llmctl/eval-dry-run/1", 20, 0)
    assert document["cost_usd"] > 0
    assert document["output_tokens"] == 20 * 8
    assert not server.seen
    assert not list((project / ".llmctl").rglob("*.jsonl*"))
    assert "20 calls would be sent" in llmctl("eval", "--dry-run").out


def test_a_dry_run_knows_what_is_stored_and_what_calls_took(server: OpenAIServer, llmctl: Invoke) -> None:
    server.script("gpt", Reply("one two"))
    assert llmctl("eval", "--limit", "5").code == 0
    [target] = json.loads(llmctl("eval", "--dry-run", "--json").out)["targets"]
    assert (target["results"], target["kept"], target["calls"], target["from_history"]) == (20, 5, 15, True)
    assert target["output_tokens"] == 15 * 2


def test_a_budget_is_never_passed(server: OpenAIServer, llmctl: Invoke) -> None:
    result = llmctl("eval", "--max-cost", "0.5", "--json")
    document = json.loads(result.out)
    assert result.code == 5, result.err
    assert 0 < len(server.seen) < 20
    assert document["run"]["status"] == "stopped"
    assert "budget" in document["run"]["error"]
    [run] = json.loads(llmctl("runs", "--json").out)["runs"]
    assert 0 < run["cost_usd"] <= 0.5
    assert run["calls"] == len(server.seen)


def test_a_budget_needs_a_price(server: OpenAIServer, project: Path, llmctl: Invoke) -> None:
    write(project, "llmctl.toml", CONFIG + MODEL.format(url=server.url, more=""))
    result = llmctl("eval", "--max-cost", "1")
    assert result.code == 2
    assert "[models.gpt]" in result.err and "price = {input" in result.err
    assert not server.seen
    write(project, "llmctl.toml", CONFIG + MODEL.format(url=server.url, more="") + "[eval]\nmax_cost = 1\n")
    assert llmctl("eval").code == 2
    assert llmctl("eval", "-m", "fake").code == 0  # its price is known: it costs nothing


def test_a_refused_key_stops_that_model_only(server: OpenAIServer, llmctl: Invoke) -> None:
    server.script("gpt", Reply(status=401, payload={"error": {"message": "bad key"}}))
    result = llmctl("eval", "-m", "gpt", "-m", "fake", "-j", "2", "--json")
    document = json.loads(result.out)
    assert result.code == 4
    assert len(server.seen) <= 2
    by_model = {target["model"]: target["done"] for target in document["targets"]}
    assert by_model["fake"] == 20 and by_model["gpt"] <= 2
    assert "gpt" in result.err and "401" in result.err


def test_x_stops_after_so_many_that_are_no_pass(server: OpenAIServer, project: Path, llmctl: Invoke) -> None:
    write(project, "testbanks/route.yaml", many(150))  # more than an instant server answers before the stop is noticed
    server.script("gpt", Reply("yes it is"), Reply("yes it is"), Reply("no"))
    result = llmctl("eval", "-j", "1", "-x", "2", "--json")
    document = json.loads(result.out)
    assert result.code == 5
    assert 4 <= len(server.seen) < 150
    assert document["run"]["status"] == "stopped"
    assert sum(row["passed"] is not True for row in document["results"]) >= 2
