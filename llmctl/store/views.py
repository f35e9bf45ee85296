"""What the views mean that users may rely on, column by column. `llmctl.store.schema` makes them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from llmctl.errors import UsageError
from llmctl.store.shapes import Column

__all__ = ["VIEWS", "View", "known_view", "view_columns"]

_RESULT_KEY = {
    "run_id": "The run. Ids sort by time.",
    "bank": "The bank's name.",
    "case_id": "The case. `bank` and `case_id` pair results of different runs.",
    "prompt": "The prompt's label: its name, with `@REV` where a revision was asked for.",
    "model": "The model's name in `llmctl.toml`, or the model string.",
    "repeat": "1, 2, ...: the r-th independent draw.",
}


@dataclass(frozen=True, slots=True)
class View:
    """A view, and its columns in their order."""

    meaning: str
    columns: Mapping[str, str]


VIEWS: Mapping[str, View] = {
    "runs": View(
        "One row for each run, also one that goes on or was killed.",
        {
            "run_id": "The run. Ids sort by time.",
            "label": "The name that somebody gave it.",
            "command": "The command line.",
            "status": "`completed`, `interrupted`, `failed`, `stopped`, or `unfinished`: it goes on, or was killed.",
            "started_at": "UTC.",
            "ended_at": "UTC; NULL where it has not ended.",
            "commit": "The git commit of the project.",
            "branch": "The git branch.",
            "dirty": "Whether files had changed since the commit.",
            "planned": "Results that the run was to make.",
            "done": "Results recorded.",
            "passed": "Results that passed.",
            "failed": "Results that failed.",
            "errors": "Results without a verdict: no evidence.",
            "cached": "Results whose answer was there already.",
            "targets": "How many prompts x models.",
            "calls": "Calls that this run sent, those to judges among them.",
            "unpriced_calls": "Calls among them whose cost is unknown: `cost_usd` is then a lower bound.",
            "cost_usd": "What the run sent; NULL: not known of any call.",
            "input_tokens": "Of all calls that the run sent.",
            "output_tokens": "Of all calls that the run sent.",
            "error": "Why the run ended before its end.",
            "damaged_lines": "Lines of the journal that could not be read.",
            "llmctl_version": "The version of llmctl.",
            "python_version": "The version of Python.",
            "versions": "JSON: packages that can change an answer or a score.",
            "options": "JSON: the flags and settings that shaped the plan.",
        },
    ),
    "results": View(
        "One row for each target, case and repeat of a run.",
        {
            "run_id": _RESULT_KEY["run_id"],
            "bank": _RESULT_KEY["bank"],
            "case_id": _RESULT_KEY["case_id"],
            "prompt": _RESULT_KEY["prompt"],
            "prompt_name": "The prompt's name, without a revision.",
            "model": _RESULT_KEY["model"],
            "repeat": _RESULT_KEY["repeat"],
            "outcome": "What became of the call: `answered`, `truncated`, `empty`, `refused`, `timeout` ...",
            "passed": "The verdict; NULL: no evidence. So `avg(passed::INT)` is the pass rate.",
            "score": "In [0, 1]; NULL: no evidence.",
            "reason": "Why it failed, or why there is no verdict; empty when passed.",
            "output": "The answer's text.",
            "expected": "The expected answer as text.",
            "tags": "The case's tags.",
            "latency_ms": "Of the call, whichever run sent it.",
            "ttft_ms": "Time to the first token.",
            "input_tokens": "Of the call; NULL: not reported.",
            "output_tokens": "Of the call; NULL: not reported.",
            "cost_usd": "Of the call, whichever run paid for it; NULL: unknown.",
            "cached": "Whether the answer was not sent for by this result.",
            "finish_reason": "The provider's word for why the answer ended.",
            "call_id": "The call in `calls`; it may be another run's.",
            "call_key": "Digest of everything that can change the answer, and the repeat.",
            "case_number": "The case's place in the plan, from 0.",
            "group": "Cases of one group are not independent of each other.",
            "must_pass": "Whether a gate fails with it.",
            "position": "The byte of the journal at which its line begins: the order of recording.",
        },
    ),
    "scores": View(
        "One row for each metric of a result.",
        {
            **_RESULT_KEY,
            "metric": "The metric's name.",
            "evaluator": "The evaluator that scored it.",
            "score": "In [0, 1]; NULL where the evaluator broke.",
            "passed": "The metric's own verdict.",
            "explanation": "Why, in the evaluator's words.",
            "weight": "Its share in the result's score; 0: reported only.",
            "error": "Whether the evaluator broke: the result has no verdict then.",
            "extracted": "What `extract` found in the output.",
            "score_key": "Digest of output, evaluator, and all that it reads.",
            "stale": "Whether it was kept by `rescore` although what decides it has changed.",
        },
    ),
    "calls": View(
        "One row for each request that was sent, with its answer. Join it by `call_id` alone.",
        {
            "run_id": "The run that sent it.",
            "call_id": "The call, in the whole store.",
            "call_key": "Digest of everything that can change the answer, and the repeat.",
            "provider": "`openai`, `local`, `fake` ...",
            "model": "The litellm model string, as asked for.",
            "served_model": "The model that the provider says it was.",
            "transport": "`direct`, `litellm`, `local`, `fake` or `app`.",
            "endpoint": "URL without credentials.",
            "outcome": "What became of it.",
            "output": "The answer's text; NULL: none.",
            "tool_calls": "JSON: the tools that the model called.",
            "finish_reason": "The provider's word for why the answer ended.",
            "input_tokens": "As the provider counted; NULL: not reported.",
            "output_tokens": "As the provider counted; NULL: not reported.",
            "cached_tokens": "Input tokens among them that the provider had cached.",
            "reasoning_tokens": "Output tokens among them that nobody sees.",
            "cost_usd": "Of all its attempts; NULL: unknown.",
            "started_at": "UTC.",
            "latency_ms": "Of the attempt that decided.",
            "ttft_ms": "Time to the first token.",
            "error": "One sentence, where there is no answer.",
            "purpose": "`target`: a result's answer. `judge`: a judgement on one.",
        },
    ),
    "attempts": View(
        "One row for each time that a call was tried, with the exact payloads (secrets redacted).",
        {
            "run_id": "The run that sent it.",
            "call_id": "The call in `calls`.",
            "number": "1, 2, ...",
            "started_at": "UTC.",
            "latency_ms": "From the request's first byte to the answer's last.",
            "outcome": "What became of it.",
            "status": "The HTTP status; NULL: no answer came.",
            "error": "One sentence.",
            "ttft_ms": "Time to the first token.",
            "request_id": "The provider's own id.",
            "retry_after_s": "How long the provider asked to wait.",
            "request_body": "What was sent.",
            "response_body": "What came back.",
            "response_headers": "JSON.",
        },
    ),
    "cases": View(
        "One row for each planned case of a run, with everything that its evaluators read.",
        {
            "run_id": _RESULT_KEY["run_id"],
            "bank": _RESULT_KEY["bank"],
            "case_id": _RESULT_KEY["case_id"],
            "vars": "JSON: the case's variables. `vars->>'ticket'` is one of them.",
            "expected": "JSON: the expected answer.",
            "has_expected": "Whether there is one: it may be null.",
            "tags": "The case's tags.",
            "group": "Cases of one group are not independent of each other.",
            "must_pass": "Whether a gate fails with it.",
            "weight": "How many equal rows it stands for.",
            "pass_score": "The score from which it passes; NULL: every metric with a weight must.",
            "evaluators": "JSON: their configuration.",
            "digest": "Changes when variables, expected answer or evaluators change.",
        },
    ),
    "prompts": View(
        "One row for each prompt version of a run.",
        {
            "run_id": _RESULT_KEY["run_id"],
            "name": "The prompt's name, without a revision.",
            "label": "What results call it in `prompt`.",
            "digest": "Changes when the prompt changes.",
            "rev": "The revision as it was asked for.",
            "commit": "The git commit that it was read from.",
            "source": "JSON: messages as templates, parameters, tools, output format.",
        },
    ),
    "targets": View(
        "One row for each prompt x model of a run.",
        {
            "run_id": _RESULT_KEY["run_id"],
            "prompt": _RESULT_KEY["prompt"],
            "prompt_name": "The prompt's name, without a revision.",
            "model": _RESULT_KEY["model"],
            "resolved_model": "The litellm model string.",
            "transport": "`direct`, `litellm`, `local`, `fake` or `app`.",
            "endpoint": "URL without credentials.",
            "params": "JSON: the parameters as sent.",
            "price_input": "USD per million input tokens; NULL: unknown.",
            "price_output": "USD per million output tokens; NULL: unknown.",
            "config": "JSON: the model's settings.",
        },
    ),
    "banks": View(
        "One row for each bank of a run.",
        {
            "run_id": _RESULT_KEY["run_id"],
            "name": "The bank's name.",
            "path": "Its file, from the project's root.",
            "digest": "Changes when the bank changes.",
            "targets": "JSON: what its cases were run on.",
        },
    ),
    "judges": View(
        "One row for each judge of a run.",
        {
            "run_id": _RESULT_KEY["run_id"],
            "bank": _RESULT_KEY["bank"],
            "metric": "The metric that it scores.",
            "model": "The judge's model.",
            "resolved_model": "The litellm model string.",
            "identity": "Digest of who answers: provider, model, weights, endpoint, parameters.",
            "arguments": "Digest of rubric, scale, votes, examples.",
            "template": "Version of the words in which llmctl asks.",
            "key": "Digest of these three: a calibration holds for a judge with the same key.",
            "config": "JSON: the model's settings.",
        },
    ),
    "traffic": View(
        "One row for each call that an application made: imported from its logs, or recorded.",
        {
            "call_id": "The same whenever it is imported. `traffic show` takes its first characters.",
            "import_id": "Which import or recording brought it. Ids sort by time.",
            "started_at": "UTC; NULL: the log does not say.",
            "model": "As asked for.",
            "provider": "litellm's name of it: `openai`, `anthropic` ...",
            "served_model": "As the response names it.",
            "endpoint": "Where it was sent, as logged.",
            "status": "HTTP status.",
            "outcome": "`answered`, `truncated`, `refused`, `timeout` ...; NULL: the log does not say how it ended.",
            "finish_reason": "The provider's word for why the answer ended.",
            "error": "As logged.",
            "latency_ms": "As logged.",
            "ttft_ms": "Time to the first token.",
            "input_tokens": "All of them, those read from a cache included; NULL: not logged.",
            "output_tokens": "NULL: not logged.",
            "cached_tokens": "Input tokens read from the provider's cache.",
            "reasoning_tokens": "Output tokens that are not in the answer.",
            "cost_usd": "As logged; NULL: not logged.",
            "prompt": "The prompt's name, where it was logged.",
            "prompt_version": "Its version, as logged.",
            "variables": "JSON: what the prompt was rendered with, where it was logged.",
            "messages": "JSON: OpenAI's chat messages, whatever the provider; NULL: not logged.",
            "output": "The answer's text.",
            "tool_calls": "JSON: the tools that the answer calls.",
            "tools": "JSON: those that were offered.",
            "tool_choice": "JSON.",
            "response_format": "JSON.",
            "params": "JSON: temperature, max_tokens, seed ...",
            "tags": "As logged.",
            "metadata": "JSON: as logged.",
            "user": "As logged.",
            "environment": "As logged.",
            "session_id": "As logged.",
            "trace_id": "As logged.",
            "parent_id": "The span that it was made in, as logged.",
            "source_id": "The log's own id of it.",
            "not_replayable": "Why it cannot be asked again as it was; NULL: it can.",
            "format": "The log's format.",
            "file": "The file that it stood in; empty: recorded.",
            "line": "Its line there, or its row.",
            "position": "Where its line begins in the journal.",
        },
    ),
    "feedback": View(
        "One row for each thing that was said of a call, in its log or since, and for each answer of known use.",
        {
            "call_id": "A call of `traffic`, or of a run (`RUN.12`); NULL: it is not known here.",
            "kind": "`rating`, `score`, `label`, `correction`, `comment`, or `edit`.",
            "value": "Of a rating 1 (up) or 0; of a score as given; of an edit the distance by characters, 0 to 1.",
            "text": "Of a label, a correction or a comment; of an edit what became of the answer.",
            "name": "What was judged, where it was named.",
            "source": "`human`, `model`, `code`, or what the log calls it.",
            "by": "Who said it, where that was given.",
            "origin": "`explicit`: somebody said it. `implicit`: read off what somebody did with the answer.",
            "edit": "Of an edit: `accepted`, `edited` or `abandoned`.",
            "token_distance": "Of an edit: the distance by words, 0 to 1.",
            "draft": "Of an edit: what there was before, where it was given.",
            "at": "UTC; NULL: not known.",
            "prompt": "The call's prompt.",
            "prompt_version": "As logged; of a run's call the first digits of the prompt's digest.",
            "model": "The call's model.",
            "started_at": "When the call was; UTC.",
            "run_id": "The run, where it is a run's call.",
            "target": "What was named: an id of a call, a log's own id, or a trace's.",
            "feedback_id": "NULL: it was logged with its call.",
            "journal": "Where it stands: `traffic/` and an import, or the journal of events.",
            "position": "Where its line begins there.",
        },
    ),
}
"""By name, the ones that are asked for most come first."""


def known_view(name: str) -> str:
    """The name, where it is a view's.

    Raises:
        UsageError: there is none.
    """
    if name in VIEWS:
        return name
    close = difflib.get_close_matches(name, VIEWS, n=1)
    raise UsageError(
        f'There is no view "{name}".', hint=f'Did you mean "{close[0]}"?' if close else f"There are {', '.join(VIEWS)}."
    )


def view_columns() -> Mapping[str, tuple[Column, ...]]:
    """The columns of each view with their types, as a new store has them."""
    import duckdb

    from llmctl.store.migrations import migrate

    with duckdb.connect(":memory:") as con:
        migrate(con)
        found = con.execute(
            "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal ORDER BY column_index"
        ).fetchall()
    columns: dict[str, list[Column]] = {view: [] for view in VIEWS}
    for view, name, kind in found:
        if view in columns:
            columns[view].append(Column(name, kind))
    return {view: tuple(listed) for view, listed in columns.items()}
