from __future__ import annotations

from pathlib import Path

import pytest

from llmctl.errors import ProjectError
from llmctl.project.loader import load_config
from llmctl.project.models import Config, EvalSettings, GateRules, GateSettings, Price, RateRule, SemanticSettings

DESIGN = """\
[project]
prompts = "prompts"
testbanks = "testbanks"
store = ".llmctl"               # journals, DuckDB file
allow_code = true

[models.small]
model = "local/smollm2-135m"    # the built-in local model

[models.gpt]
model = "openai/gpt-4o-mini"    # any litellm model string
api_key_env = "OPENAI_API_KEY"
api_base = "https://example.test/v1"
params = {temperature = 0}
drop = ["temperature"]
options = {seed = 7}
requests_per_minute = 500
tokens_per_minute = 200_000
price = {input = 0.15, output = 0.60}
transport = "direct"

[eval]
concurrency = 8
repeat = 2
timeout_s = 30
cache_max_age = "12h"
max_cost = 5.00

[semantic]
model = "all-MiniLM-L6-v2"
threshold = 0.7

[gate]
baseline = "main"
inconclusive = "warn"
alpha = 0.01
max_missing = 0.05
min_pass_rate = {rate = 0.9, confidence = 0.95}
max_new_failures = 0
tags.smoke.min_pass_rate = 1
"""


def load(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> Config:
    path = tmp_path / "llmctl.toml"
    path.write_text(text)
    return load_config(path, environ or {})


def mistakes(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ProjectError) as caught:
        load(tmp_path, text)
    return [f"{problem.place}: {problem.message}" for problem in caught.value.problems]


def test_every_key_of_the_design_arrives(tmp_path: Path) -> None:
    config = load(tmp_path, DESIGN)
    root = tmp_path.resolve()
    assert (config.root, config.prompts, config.testbanks, config.store) == (
        root,
        root / "prompts",
        root / "testbanks",
        root / ".llmctl",
    )
    model = config.models["gpt"]
    assert (model.model, model.api_key_env, model.api_base) == (
        "openai/gpt-4o-mini",
        "OPENAI_API_KEY",
        "https://example.test/v1",
    )
    assert (model.params, model.drop, model.options) == ({"temperature": 0}, ("temperature",), {"seed": 7})
    assert (model.requests_per_minute, model.tokens_per_minute, model.transport) == (500, 200_000, "direct")
    assert model.price == Price(0.15, 0.6)
    assert str(model.place) == "llmctl.toml:10:9"
    assert config.eval == EvalSettings(8, 2, 30.0, "12h", 5.0)
    assert config.semantic == SemanticSettings("all-MiniLM-L6-v2", 0.7)
    rules = GateRules(RateRule(0.9, 0.95), 0, tags={"smoke": GateRules(RateRule(1.0))})
    assert config.gate == GateSettings("main", "warn", 0.01, 0.05, rules)
    assert config.allow_code is True


def test_an_empty_file_has_every_default(tmp_path: Path) -> None:
    config = load(tmp_path, "")
    assert (config.eval, config.gate, dict(config.models)) == (EvalSettings(), GateSettings(), {})
    assert config.allow_code is False


def test_the_store_may_be_absolute_and_the_environment_wins(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    assert load(tmp_path, f'[project]\nstore = "{elsewhere.as_posix()}"\n').store == elsewhere
    assert load(tmp_path, "", {"LLMCTL_STORE": str(elsewhere)}).store == elsewhere
    assert load(tmp_path, "", {"LLMCTL_STORE": "mine"}).store == tmp_path.resolve() / "mine"


@pytest.mark.parametrize("folder", ["../x", "/x", "a/../../x", "a\\\\b"])
def test_folders_stay_inside_the_project(tmp_path: Path, folder: str) -> None:
    said = mistakes(tmp_path, f'[project]\nprompts = "{folder}"\n')
    assert said == ["llmctl.toml:2:11: `prompts` must lie inside the project."]


def test_a_folder_that_links_outside_is_refused(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "prompts").symlink_to(tmp_path, target_is_directory=True)
    said = mistakes(tmp_path / "inside", '[project]\nprompts = "prompts"\n')
    assert said == ["llmctl.toml:2:11: `prompts` must lie inside the project."]


@pytest.mark.parametrize(
    "line",
    [
        'api_key = "sk-canary"',
        'API_KEY = "sk-canary"',
        'options = {api_key = "sk-canary"}',
        'params = {extra = {headers = [{Authorization = "Bearer sk-canary"}]}}',
        'api_key_env = "sk-canary"',
        'api_key_env = "sk-canary", modle = "x"',
        'api_base = "https://user:sk-canary@example.test"',
    ],
)
def test_a_key_in_the_file_is_refused_and_never_repeated(tmp_path: Path, line: str) -> None:
    path = tmp_path / "llmctl.toml"
    path.write_text('models.a = {model = "openai/x", ' + line + "}\n")
    with pytest.raises(ProjectError) as caught:
        load_config(path, {})
    assert any("api_key_env" in (problem.hint or "") for problem in caught.value.problems)
    assert "sk-canary" not in repr(caught.value.problems)


@pytest.mark.parametrize("age", ["7 days", "7", "d", "-1d", "1.5h", ""])
def test_an_age_is_a_number_and_a_unit(tmp_path: Path, age: str) -> None:
    (said,) = mistakes(tmp_path, f'[eval]\ncache_max_age = "{age}"\n')
    assert said.startswith("llmctl.toml:2:17: `cache_max_age` is ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[models.a]\nmodel = 'x'\napi_key_env = 'MY KEY'", "3:15: `MY KEY` cannot be the name of an environment"),
        ("[models.a]\nmodel = 'x'\napi_base = 'example.test'", "3:12: `api_base` must be a URL, not the text"),
        ("[models]\na = 'gpt'", "2:5: `a` must be a mapping, not the text `gpt`."),
        ("models = 5", "1:10: `models` must be a mapping, not the number 5."),
        ("[gate]\nmin_pass_rate = {rate = 0.9}", "2:17: `min_pass_rate` needs `confidence`."),
        ("[gate.tags.smoke]\ntags = {}", "2:1: There is no key `tags` in `smoke`."),
        ("[gate]\nmargin = 0", "2:10: `margin` must be greater than 0, not 0."),
        ("[eval]\nrepeat = 0", "2:10: `repeat` must be at least 1, not 0."),
        ("['<text>']", "1:2: There is no key `<text>`."),
    ],
)
def test_other_mistakes(tmp_path: Path, text: str, said: str) -> None:
    (problem,) = mistakes(tmp_path, text)
    assert problem.startswith(f"llmctl.toml:{said}")
