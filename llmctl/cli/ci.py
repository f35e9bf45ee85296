"""A gate's verdict for CI: files, the job's summary, annotations, and a log in which no answer is a command."""

from __future__ import annotations

import re
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from llmctl.errors import LlmctlError, ProjectError, UnfinishedError

if TYPE_CHECKING:
    from llmctl.compare.verdict import GateReport

__all__ = ["Publisher", "repeatable"]

_SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"
_MAX_SUMMARY_BYTES = 1024 * 1024
"""Of a step: GitHub drops a summary that is larger, whole."""
_SHOWN_PROBLEMS = 20
_WRITING = ("-o", "--output", "--summary")


def repeatable(arguments: Sequence[str]) -> list[str]:
    """A command line without the files that it writes: what somebody else would type to see the same."""
    kept: list[str] = []
    rest = iter(arguments)
    for word in rest:
        if word in _WRITING:
            next(rest, None)
        elif not word.startswith(("--output=", "--summary=")) and not re.match("-o.", word):
            kept.append(word)
    return kept


@dataclass
class Publisher:
    """Where a verdict goes beside the terminal."""

    outputs: Sequence[Path]
    summary: Path | None
    """What `--summary` names."""
    environ: Mapping[str, str]
    as_json: bool = False
    command: str = ""
    _report: GateReport | None = field(default=None, init=False)

    @property
    def on_github(self) -> bool:
        """Whether a runner of GitHub Actions reads what is printed."""
        return self.environ.get("GITHUB_ACTIONS") == "true"

    @property
    def wants_context(self) -> bool:
        """Whether anything is written that shows more than the verdict."""
        other = any(not path.name.lower().endswith(".json") or ".codequality." in path.name for path in self.outputs)
        return other or self.on_github or bool(self.summary or self.environ.get(_SUMMARY_VARIABLE))

    def check(self) -> None:
        """Say before anything is sent what could not be written.

        Raises:
            UsageError: no format has a file's ending, or a file cannot stand there.
        """
        from llmctl.report.files import check_place
        from llmctl.report.gate_files import check_gate_output

        for path in self.outputs:
            check_gate_output(path)
        if self.summary is not None:
            check_place(self.summary)

    @contextmanager
    def judging(self) -> Iterator[None]:
        """Within the block nothing that is printed is a command to the runner; after it the annotations come.

        An error that ends the block is published as NOT EVALUATED: a file of yesterday's verdict does not stay.
        """
        from llmctl.report.ci.annotations import resuming, stopping

        token = secrets.token_hex(16)
        self._say(stopping(token))
        try:
            yield
        except LlmctlError as error:
            self.publish(_without_verdict(error, self.command))
            raise
        finally:
            self._say(resuming(token))
            self._annotate()

    def publish(self, report: GateReport) -> None:
        """Write the files and the summary.

        Raises:
            UnfinishedError: one of them cannot be written.
        """
        from llmctl.report.gate_files import write_gate

        self._report = report
        for path in self.outputs:
            write_gate(path, report)
        given = self.environ.get(_SUMMARY_VARIABLE)
        if self.summary is not None:
            _append(self.summary, report)
        elif given:
            try:
                _append(Path(given), report)
            except UnfinishedError as error:  # nobody has asked for it: the verdict stands
                self._warn(f"{error.message} The verdict is not in the summary of this job.")

    def _annotate(self) -> None:
        if self._report is None or not self.on_github:
            return
        from llmctl.report.ci.annotations import annotation_lines

        for line in annotation_lines(self._report):
            self._say(line)

    def _say(self, line: str) -> None:
        """On the stream that holds the answers, so that nothing changes places."""
        if not self.on_github:
            return
        stream = sys.stderr if self.as_json else sys.stdout
        stream.write(f"{line}\n")
        stream.flush()

    def _warn(self, sentence: str) -> None:
        from llmctl.cli.screen import stderr

        stderr().print(sentence, style="yellow", soft_wrap=True)


def _append(path: Path, report: GateReport) -> None:
    from llmctl.report.ci.summary import gate_summary

    text = (gate_summary(report) + "\n").encode("utf-8", "backslashreplace")
    try:
        with path.open("ab") as file:
            if file.tell() + len(text) > _MAX_SUMMARY_BYTES:
                raise UnfinishedError(f"The summary {path} is full: it may hold 1 MiB.")
            file.write(text)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UnfinishedError(f"The summary {path} cannot be written: {reason}.") from error


def _without_verdict(error: LlmctlError, command: str) -> GateReport:
    """What ended the command, as a report that no reader takes for a pass."""
    from llmctl.compare.gate_context import GateContext
    from llmctl.compare.verdict import GateReport

    said = [" ".join(part for part in (error.message, error.hint) if part)]
    if isinstance(error, ProjectError):
        problems = error.problems[:_SHOWN_PROBLEMS]
        said = [f"{problem.place}: {problem.message}" if problem.place else problem.message for problem in problems]
    return GateReport(
        cells=(),
        candidate="nothing was judged",
        baseline=None,
        run_id=None,
        warnings=tuple(said),
        stopped=error.exit_code,
        context=GateContext(command=command),
    )
