"""One result of a run: what was asked, what came back, how it was judged, and every attempt."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmctl.canonical import written
from llmctl.providers.records import Attempt, Call
from llmctl.report.explain import verdict
from llmctl.report.layout import Cell, block, show, styled
from llmctl.report.numbers import latency, money
from llmctl.runs.records import CaseEvent, MetricScore, ResultEvent, TargetEvent
from llmctl.safe_text import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["ShownResult", "render_result", "result_text", "sent_messages"]

_VERDICT_STYLES = {"passed": "green", "failed": "bold red", "no evidence": "bold yellow"}


@dataclass(frozen=True, slots=True)
class ShownResult:
    """A result and what belongs to it, as far as it is known."""

    run_id: str
    result: ResultEvent
    case: CaseEvent | None = None
    call: Call | None = None
    target: TargetEvent | None = None


def render_result(console: Console, shown: ShownResult, *, payloads: bool = False) -> None:
    """Print one result at the console's width; `payloads` adds the exact bodies of every attempt."""
    show(console, result_text(shown, console.width, payloads=payloads))


def result_text(shown: ShownResult, width: int, *, payloads: bool = False) -> Text:
    """Head, messages, expected answer, output, metrics and attempts."""
    text = _head(shown, width)
    text.append_text(_messages(shown, width))
    result = shown.result
    if result.expected is not None:
        text.append_text(_section("expected", result.expected, width))
    if result.output is None:
        text.append_text(_section("output", "nothing" + (f": {result.reason}" if result.reason else ""), width, "dim"))
    else:
        text.append_text(_section("output", result.output, width))
    text.append_text(_tool_calls(shown.call, width))
    text.append_text(_metrics(result, width))
    if shown.call is not None and shown.call.attempts:
        text.append_text(_attempts(shown.call.attempts, width))
        if payloads:
            text.append_text(_payloads(shown.call.attempts, width))
    return text


def _head(shown: ShownResult, width: int) -> Text:
    result = shown.result
    word = verdict(result)
    text = styled(one_line(f"{result.bank} / {result.case_id}", max(width - len(word) - 2, 20)), "bold")
    text.append(f"  {word}\n", style=_VERDICT_STYLES[word])
    model = result.model
    if shown.target is not None and shown.target.resolved_model != model:
        model += f" ({shown.target.resolved_model})"
    lines = {
        "run": shown.run_id,
        "target": f"prompt {result.prompt}, model {model}, repeat {result.repeat}",
        "outcome": _outcome(result),
        "usage": _usage(result),
        "score": "" if result.score is None else f"{result.score:.3g}",
        "why": result.reason,
        "case": _case(shown.case, result),
    }
    for label, line in lines.items():
        if line:
            text.append_text(block(label, Cell(line), width, indent=2))
    return text


def _outcome(result: ResultEvent) -> str:
    finish = f" (finish reason {result.finish_reason})" if result.finish_reason else ""
    return result.outcome.value + finish


def _usage(result: ResultEvent) -> str:
    parts = [f"latency {latency(result.latency_ms)}"]
    if result.ttft_ms is not None:
        parts.append(f"first token {latency(result.ttft_ms)}")
    parts.append(f"tokens {_known(result.input_tokens)} in, {_known(result.output_tokens)} out")
    parts.append(f"cost {'unknown' if result.cost_usd is None else money(result.cost_usd)}")
    if result.cached:
        parts.append("an answer from an earlier call")
    return "; ".join(parts)


def _known(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"


def _case(case: CaseEvent | None, result: ResultEvent) -> str:
    parts = ["must pass"] if case is not None and case.must_pass else []
    if case is not None and case.group is not None:
        parts.append(f"group {case.group}")
    if result.tags:
        parts.append("tags " + ", ".join(result.tags))
    return "; ".join(parts)


def sent_messages(call: Call | None) -> list[Mapping[str, object]] | None:
    """The messages of the last request body; None where there is none in OpenAI's form."""
    if call is None or not call.attempts:
        return None
    try:
        body = json.loads(call.attempts[-1].request_body)
    except (ValueError, RecursionError):
        return None
    messages = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        return None
    return messages


def _messages(shown: ShownResult, width: int) -> Text:
    messages = sent_messages(shown.call)
    if messages is None:
        if shown.case is None or not shown.case.vars:
            return styled("")
        text = styled("\nvariables\n", "bold")
        for name, value in shown.case.vars.items():
            text.append_text(block(str(name), Cell(written(value)), width, indent=2, column=_label_width([str(name)])))
        return text
    text = styled("\nmessages\n", "bold")
    column = _label_width([str(message.get("role", "")) for message in messages])
    for message in messages:
        content = Cell(_content(message))
        text.append_text(block(str(message.get("role", "?")), content, width, indent=2, column=column))
    return text


def _label_width(labels: list[str]) -> int:
    return min(max(max(map(len, labels), default=0) + 2, 10), 24)


def _content(message: Mapping[str, object]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    # Content in parts, or a message that holds only tool calls.
    return json.dumps(content if content is not None else dict(message), ensure_ascii=False)


def _section(title: str, body: str, width: int, style: str = "") -> Text:
    return styled(f"\n{title}\n", "bold") + block("", Cell(body or '""', style), width, indent=2, column=0)


def _tool_calls(call: Call | None, width: int) -> Text:
    if call is None or not call.tool_calls:
        return styled("")
    body = "\n".join(json.dumps(tool_call, ensure_ascii=False, default=str) for tool_call in call.tool_calls)
    return _section("tool calls", body, width)


def _metrics(result: ResultEvent, width: int) -> Text:
    if not result.scores:
        return styled("")
    text = styled("\nmetrics\n", "bold")
    column = _label_width([score.metric for score in result.scores])
    for score in result.scores:
        word, style = _judged(score)
        head = f"{word}, score {'none' if score.score is None else f'{score.score:.3g}'}"
        if score.weight != 1:
            head += f", weight {score.weight:g}"
        text.append_text(block(score.metric, Cell(head, style), width, indent=2, column=column))
        text.append_text(block("", Cell(score.explanation), width, indent=2, column=column))
        if score.extracted is not None:
            text.append_text(block("", Cell(f"extracted: {score.extracted}", "dim"), width, indent=2, column=column))
    return text


def _judged(score: MetricScore) -> tuple[str, str]:
    if score.error or score.passed is None:
        return "no verdict", "yellow"
    return ("passed", "green") if score.passed else ("failed", "red")


def _attempts(attempts: tuple[Attempt, ...], width: int) -> Text:
    text = styled("\nattempts\n", "bold")
    for attempt in attempts:
        parts = [attempt.outcome.value]
        if attempt.status is not None:
            parts.append(f"HTTP {attempt.status}")
        parts.append(latency(attempt.latency_ms))
        if attempt.request_id:
            parts.append(f"request id {attempt.request_id}")
        if attempt.retry_after_s is not None:
            parts.append(f"asked to wait {attempt.retry_after_s:g} s")
        line = "; ".join(parts) + (f": {attempt.error}" if attempt.error else "")
        text.append_text(block(str(attempt.number), Cell(line), width, indent=2, column=4))
    return text


def _payloads(attempts: tuple[Attempt, ...], width: int) -> Text:
    text = styled("")
    for attempt in attempts:
        text.append_text(_section(f"request {attempt.number}", attempt.request_body, width))
        if attempt.response_headers:
            headers = "\n".join(f"{name}: {value}" for name, value in attempt.response_headers.items())
            text.append_text(_section(f"response headers {attempt.number}", headers, width))
        text.append_text(_section(f"response {attempt.number}", attempt.response_body, width))
    return text
