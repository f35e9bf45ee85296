"""The rest of a config: options of the evaluation, and what has no place in a project of llmctl."""

from __future__ import annotations

from llmctl.importers.promptfoo.config import At, Reader

__all__ = ["eval_settings", "note_top_level"]

_READ = frozenset(
    [
        *("description", "prompts", "providers", "targets", "tests", "scenarios", "defaultTest", "env"),
        *("evaluateOptions", "commandLineOptions", "assertionTemplates", "$schema"),
    ]
)
_LEFT = {
    "outputPath": "Say where the report goes when you run: `llmctl eval -o FILE`.",
    "sharing": "Nothing is shared: everything stays on this machine.",
    "tags": "They label a run; `llmctl eval --label NAME` does.",
    "metadata": "It is about the config as a whole; tags stand at cases.",
    "derivedMetrics": "They are computed from the scores of a whole run; `llmctl sql` can.",
    "nunjucksFilters": "They are programs; templates of llmctl have their own filters only.",
    "extensions": "They are programs that run beside the evaluation.",
    "redteam": "llmctl makes no attacks.",
    "plugins": "llmctl makes no attacks.",
    "strategies": "llmctl makes no attacks.",
    "tracing": "llmctl reads no traces of an evaluation.",
    "writeLatestResults": "Every run is kept.",
}
_OPTIONS_LEFT = {
    "delay": "Write `requests_per_minute` below a model in llmctl.toml.",
    "showProgressBar": "Progress is shown on a terminal.",
    "cache": "Answers are kept and used again; `llmctl eval --no-cache` asks anew.",
    "maxEvalTimeMs": "A run has no time limit; `--max-cost` limits what it spends.",
    "generateSuggestions": "llmctl writes no prompts.",
    "suggestionsCount": "llmctl writes no prompts.",
    "filterRange": "`llmctl eval --limit` and `-k` choose cases.",
}


def eval_settings(reader: Reader) -> dict[str, object]:
    """`[eval]` of `llmctl.toml`."""
    settings: dict[str, object] = {}
    for key in ("commandLineOptions", "evaluateOptions"):
        options = reader.data.get(key)
        for name, value in (options if isinstance(options, dict) else {}).items():
            _option(settings, name, value, reader, reader.at / key / name)
    return settings


def _option(settings: dict[str, object], name: str, value: object, reader: Reader, at: At) -> None:
    number = value if isinstance(value, int | float) and not isinstance(value, bool) and value >= 1 else None
    match name:
        case "maxConcurrency" if number is not None:
            key, setting = "concurrency", min(int(number), 10_000)
        case "repeat" if number is not None:
            key, setting = "repeat", int(number)
        case "timeoutMs" if number is not None:
            key, setting = "timeout_s", max(1, round(number / 1000))
        case _:
            reader.notes.left_out(name, _OPTIONS_LEFT.get(name, "llmctl has nothing for it."), at.place)
            return
    settings[key] = setting
    why = f"`[eval] {key} = {setting}`; write it into llmctl.toml yourself where that file was there before"
    reader.notes.converted(name, why, at.place)


def note_top_level(reader: Reader) -> None:
    """Note every key of the config that nothing was made of."""
    for key in reader.data:
        if key not in _READ:
            why = _LEFT.get(key, "promptfoo reads no such key, or it is newer than this import.")
            reader.notes.left_out(key, why, (reader.at / key).place)
    if reader.data.get("description") is not None:
        reader.notes.converted("description", "the bank's `description`", (reader.at / "description").place)
    if reader.data.get("env"):
        why = "Values that are no secrets were put in where the config names them; the environment stays yours to set."
        reader.notes.changed("env", why, (reader.at / "env").place)
