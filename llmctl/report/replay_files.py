"""A replay as a file: JSON, Markdown or a page, by the ending of its name."""

from __future__ import annotations

from pathlib import Path

from llmctl.errors import UsageError
from llmctl.report.atomic import atomic_text
from llmctl.report.files import check_output
from llmctl.traffic.replay.findings.report import ReplayReport

__all__ = ["REPLAY_ENDINGS", "check_replay_output", "write_replay"]

REPLAY_ENDINGS = (".json", ".md", ".html")


def check_replay_output(path: Path) -> None:
    """Say before anything is sent that a file could not be written.

    Raises:
        UsageError: no format has this ending, or the file cannot stand there.
    """
    _ending(path)
    check_output(path)


def write_replay(path: Path, report: ReplayReport) -> None:
    """Write the report in the format of the path's ending; the file appears whole or not at all.

    Raises:
        UsageError: no format has this ending.
        UnfinishedError: the file cannot be written.
    """
    ending = _ending(path)
    with atomic_text(path) as file:
        match ending:
            case ".html":
                from llmctl.report.html.replay_page import write_replay_page

                write_replay_page(file, report)
            case ".md":
                from llmctl.report.replay_markdown import write_replay_markdown

                write_replay_markdown(file, report)
            case _:
                from llmctl.report.documents import json_text
                from llmctl.report.replay_document import replay_json

                file.write(json_text(replay_json(report)) + "\n")


def _ending(path: Path) -> str:
    for ending in REPLAY_ENDINGS:
        if path.name.lower().endswith(ending):
            return ending
    raise UsageError(
        f'No report of a replay has the ending of "{path.name}".',
        hint=f"A replay can be written to {', '.join(REPLAY_ENDINGS[:-1])} or {REPLAY_ENDINGS[-1]}.",
    )
