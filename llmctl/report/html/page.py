"""The frame of every page: one file that loads nothing, runs nothing but its own script, and escapes every text."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import quote

from llmctl import __version__
from llmctl.report import diff_words, gate_words, numbers
from llmctl.report.html.rows import FIELDS, Row, Rows, Status, cut, json_data, named
from llmctl.stats.intervals import Interval

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["Listing", "fragment", "policy", "write_page", "write_static_page"]

_MAX_TEXT = 10_000
_LABELS = {
    Status.WORSE: "newly failing",
    Status.FAILED: "failed",
    Status.BETTER: "fixed",
    Status.CHANGED: "answer changed",
    Status.NO_EVIDENCE: "no evidence",
    Status.PASSED: "passed",
    Status.SAME: "same",
}


@dataclass(frozen=True, slots=True)
class Listing:
    """The list of cases at the end of a page."""

    statuses: tuple[Status, ...]
    """Those that can be there, the most urgent first."""
    before: str
    """The title of what an answer is compared with."""
    output: str
    """The title of an answer."""
    pairs: bool
    """Whether each row has two sides."""


def write_page(file: TextIO, template: str, values: Mapping[str, Any], listing: Listing, rows: Iterable[Row]) -> None:
    """Write a page from its template; the rows are read while it is written."""
    from markupsafe import Markup

    style, script = _source("page.css"), _source("page.js")
    listed = Rows()
    settings = json_data(
        {
            "fields": FIELDS,
            "statuses": [[status.value, _LABELS[status]] for status in listing.statuses],
            "before": listing.before,
            "output": listing.output,
            "pairs": listing.pairs,
        }
    )
    pieces = (
        _environment()
        .get_template(template)
        .generate(
            values,
            style=Markup(style),
            script=Markup(script),
            policy=policy(style, script),
            version=__version__,
            settings=Markup(settings),
            rows=map(Markup, listed.lines(rows)),
            limits=listed.limits,
            labels=_LABELS,
        )
    )
    file.writelines(pieces)


def write_static_page(file: TextIO, template: str, values: Mapping[str, Any]) -> None:
    """Write a page that has no list of cases and no script."""
    from markupsafe import Markup

    style = _source("page.css")
    made = _environment().get_template(template)
    file.writelines(made.generate(values, style=Markup(style), policy=policy(style, ""), version=__version__))


def policy(style: str, script: str) -> str:
    """The Content-Security-Policy: nothing is loaded, sent or framed, and only these two texts act.

    Trusted types make the browser refuse a text where markup could come of it, also to our own script.
    """
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; base-uri 'none';"
        " form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def fragment(bank: str, case: str) -> str:
    """The end of an address that opens one case in the list."""
    return f"#bank={quote(named(bank), safe='')}&case={quote(named(case), safe='')}"


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _source(name: str) -> str:
    return files("llmctl.report.html").joinpath(name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    """Escapes everything that is no markup of a template; a name that is not there is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("llmctl.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for module in (numbers, diff_words, gate_words):
        environment.filters |= {name: getattr(module, name) for name in module.__all__ if name.islower()}
    environment.filters["interval_words"] = _interval_words
    environment.globals["fragment"] = fragment
    return environment


def _interval_words(interval: Interval) -> str:
    low, high = numbers.interval_text(interval).strip("[]").split(", ")
    return f"95 % interval {low} to {high}"


def _finalize(value: object) -> object:
    """Every text is made safe to show before it is escaped, and cut where nobody reads on; markup stays."""
    return cut(value, _MAX_TEXT) if isinstance(value, str) and not hasattr(value, "__html__") else value
