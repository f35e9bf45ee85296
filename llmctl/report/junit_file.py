"""`.junit.xml`: what CI systems show; a suite for each target, a test for each case."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator
from tempfile import TemporaryFile
from typing import IO, TextIO
from xml.sax.saxutils import escape, quoteattr

from llmctl.report.explain import error_kind, verdict, why
from llmctl.report.model import RunReport, Summary, TargetKey
from llmctl.runs.records import ResultEvent
from llmctl.safe_text import one_line, safe_text

__all__ = ["attribute", "clean", "write_junit"]

_MAX_TEXT = 4_000
_MAX_MESSAGE = 300
_ILLEGAL = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even escaped."""


def write_junit(file: TextIO, report: RunReport, results: Iterable[ResultEvent]) -> None:
    """Write a failure for each failed result and an error for each one without evidence, also where it was never made.

    Names are `bank.case_id` (and `#2` ... for later repeats), so that a CI system follows a case from run to run.
    """
    total = report.total
    file.write('<?xml version="1.0" encoding="UTF-8"?>\n')
    errors, count = total.errors + bool(report.missing), total.done + bool(report.missing)
    file.write(
        f"<testsuites name={attribute(f'llmctl {report.head.run_id}')} tests={_number(count)}"
        f" failures={_number(total.failed)} errors={_number(errors)} time={_seconds(report.head.duration_s)}>\n"
    )
    with TemporaryFile() as spool:
        tests = _spooled(spool, results)
        for row in report.targets:
            places = tests.get(row.key, array("q"))
            file.write(_suite_head(row.key, row.summary, len(places) // 2))
            file.writelines(_read_back(spool, places))
            file.write("  </testsuite>\n")
    if report.missing:
        file.write(_missing(report))
    file.write("</testsuites>\n")


def _spooled(spool: IO[bytes], results: Iterable[ResultEvent]) -> dict[TargetKey, array[int]]:
    """Write every test aside; by target where each begins and how long it is.

    A suite's results must stand together, and results come as they were recorded.
    """
    places: dict[TargetKey, array[int]] = {}
    offset = 0
    for result in results:
        test = _test(result).encode("utf-8", "backslashreplace")
        spool.write(test)
        places.setdefault(TargetKey.of(result), array("q")).extend((offset, len(test)))
        offset += len(test)
    return places


def _read_back(spool: IO[bytes], places: array[int]) -> Iterator[str]:
    for index in range(0, len(places), 2):
        spool.seek(places[index])
        yield spool.read(places[index + 1]).decode()


def _suite_head(key: TargetKey, summary: Summary, count: int) -> str:
    return (
        f"  <testsuite name={attribute(f'{key.bank}: {key.prompt} on {key.model}')} tests={_number(count)}"
        f" failures={_number(summary.failed)} errors={_number(summary.errors)}>\n"
    )


def _test(result: ResultEvent) -> str:
    repeat = f"#{result.repeat}" if result.repeat > 1 else ""
    head = (
        f"    <testcase classname={attribute(f'{result.prompt} on {result.model}')}"
        f" name={attribute(f'{result.bank}.{result.case_id}{repeat}')}"
    )
    if result.latency_ms is not None:
        head += f" time={_seconds(result.latency_ms / 1000)}"
    match verdict(result):
        case "passed":
            return f"{head}/>\n"
        case "failed":
            inside = _element("failure", "failed", result)
        case _:
            inside = _element("error", error_kind(result), result)
    return f"{head}>\n{inside}    </testcase>\n"


def _element(tag: str, kind: str, result: ResultEvent) -> str:
    reasons = [str(reason) for reason in why(result)] or [kind]
    parts = [f"why: {reason}" for reason in reasons]
    if result.expected is not None:
        parts.insert(0, f"expected: {result.expected}")
    parts.append(f"got: {result.output}" if result.output is not None else "got: nothing")
    text = "\n".join(clean(part[:_MAX_TEXT]) for part in parts)
    message = attribute(one_line("; ".join(reasons), _MAX_MESSAGE))
    return f"      <{tag} type={attribute(kind)} message={message}>{escape(text)}</{tag}>\n"


def _missing(report: RunReport) -> str:
    said = f"{report.missing} of {report.head.planned} planned results were not made: the run is {report.head.status}."
    return (
        f'  <testsuite name="llmctl: not evaluated" tests="1" failures="0" errors="1">\n'
        f'    <testcase classname="llmctl" name="missing results">\n'
        f'      <error type="missing" message={attribute(said)}/>\n    </testcase>\n  </testsuite>\n'
    )


def clean(text: str) -> str:
    """What XML 1.0 can hold, with everything made visible; not yet escaped."""
    return _ILLEGAL.sub("\ufffd", safe_text(text.replace("\r\n", "\n")))


def attribute(text: str) -> str:
    """The text as an attribute's value, with its quotes."""
    return quoteattr(clean(text))


def _number(number: int) -> str:
    return f'"{number}"'


def _seconds(seconds: float | None) -> str:
    return f'"{seconds or 0:.3f}"'
