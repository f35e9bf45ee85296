"""`llmctl blame`: which commit first broke a case. Sends nothing, but for `--bisect`."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated

import typer

from llmctl.cli.options import BankOption, ModelOption, PromptOption
from llmctl.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from llmctl.cli.session import Session
    from llmctl.compare.blame.blame import Blamed
    from llmctl.compare.blame.report import BlameReport
    from llmctl.runs.head import RunOptions

__all__ = ["blame"]


def blame(
    ctx: typer.Context,
    case: Annotated[str, typer.Argument(metavar="CASE", help="CASE or BANK/CASE, as the banks here have it.")],
    banks: BankOption = None,
    prompts: PromptOption = None,
    models: ModelOption = None,
    bisect: Annotated[
        bool, typer.Option("--bisect", help="Ask versions that have no answer, as few as it takes.")
    ] = False,
    repeat: Annotated[
        int, typer.Option("-r", "--repeat", min=1, metavar="N", help="Answers that it takes to know a version.")
    ] = 1,
    max_cost: Annotated[
        float | None,
        typer.Option("--max-cost", min=0, metavar="USD", help="With --bisect: stop before it costs more than this."),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, metavar="N", help="Look at this many commits, the newest first.")
    ] = 40,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of the report.")] = False,
) -> None:
    """Say which commit first broke a case.

    Every commit that touched the prompts or llmctl.toml is a version; what is stored of the calls that it makes is
    judged by the evaluators as they are here. Where versions have no answer, it says what asking would take, and
    --bisect asks. Ends 0 with an answer, 3 where the case is flaky, 4 where answers are missing.
    """
    from llmctl.cli.screen import print_json, stdout
    from llmctl.compare.blame.blame import Blamed, find_case
    from llmctl.compare.sides.context import SideContext
    from llmctl.project import loader
    from llmctl.report.blame import blame_json, render_blame
    from llmctl.runs.selection import Selection

    session: Session = ctx.obj
    config = session.config
    if max_cost is not None and not bisect:
        raise UsageError("--max-cost bounds what --bisect sends; without it nothing is sent.")
    found = find_case(config, case, banks or ())
    names = [loader.resolve_prompt_name(config, text) for text in prompts or ()] or list(found.bank.prompts)
    if not names:
        raise UsageError(f"The bank {found.bank.name} names no prompt.", hint="Name one with -p.")
    command = session.redactor.exact(shlex.join(["llmctl", *sys.argv[1:]]))
    context = SideContext(config, session.environ, Selection(models=tuple(models or ())), command)
    bisecting = _Bisect(session, _options(session, command, max_cost)) if bisect else None
    reports: list[BlameReport] = []
    for name in dict.fromkeys(names):
        blamed = Blamed.of(context, found, name, repeat, limit)
        reports += bisecting.search(blamed) if bisecting else blamed.look()
    if as_json:
        print_json(blame_json(reports))
    else:
        render_blame(stdout(), reports)
    codes = [report.finding.exit_code for report in reports]
    raise typer.Exit((bisecting.code if bisecting else None) or max(codes, default=ExitCode.DONE))


def _options(session: Session, command: str, max_cost: float | None) -> RunOptions:
    from llmctl.runs.head import RunOptions

    settings = session.config.eval
    limit = settings.max_cost if max_cost is None else max_cost
    return RunOptions(
        command, settings.concurrency, settings.timeout_s, max_cost_usd=limit, cache_max_age=settings.cache_max_age
    )


@dataclass
class _Bisect:
    """Asks version after version, each in a run like any other."""

    session: Session
    options: RunOptions
    sent: int = 0
    spent_usd: float = 0.0
    priced: bool = True
    code: ExitCode | None = None
    """What ended it where that was no answer."""
    _asked: set[str] = field(default_factory=set)

    def search(self, blamed: Blamed) -> list[BlameReport]:
        """Ask until every report is decided, or until something stops it."""
        before = (self.sent, self.spent_usd)
        while True:
            reports = blamed.look()
            probe = next(
                (report for report in reports if report.search.probe is not None and not report.bank_change), None
            )
            if probe is None or self.code is not None or not self._ask(blamed, probe):
                break
        sent, spent = self.sent - before[0], self.spent_usd - before[1]
        return [replace(one, sent=sent, spent_usd=spent if self.priced else None) for one in reports]

    def _ask(self, blamed: Blamed, report: BlameReport) -> bool:
        """Ask one version; whether there is more to look at."""
        from llmctl.cli.launch import run_plan, take_in
        from llmctl.cli.screen import stderr
        from llmctl.compare.sides.opening import open_sides, side_plan

        version = report.versions[report.search.probe or 0]
        if version.call_key in self._asked:
            self.code = self.code or ExitCode.UNFINISHED
            return False
        self._asked.add(version.call_key)
        reference = blamed.reference(version.commit)
        with open_sides(blamed.context, reference) as sides:
            lacking = [
                unit for unit in sides.lacking() if unit.case_id == blamed.case.case_id and unit.model == version.model
            ]
        wanted = sorted(lacking, key=lambda unit: unit.repeat)[: max(1, version.wanted - version.evidence)]
        limit = self.options.max_cost_usd
        options = replace(self.options, max_cost_usd=None if limit is None else max(0.0, limit - self.spent_usd))
        with side_plan(blamed.context, [reference], options, frozenset(wanted)) as plan:
            ran = run_plan(self.session, plan, options)
        for warning in ran.outcome.warnings:
            stderr().print(warning, style="yellow", soft_wrap=True)
        take_in(self.session)
        self.sent += ran.report.total.sent
        self.spent_usd += ran.report.total.spent_usd.known
        self.priced = self.priced and not ran.report.total.spent_usd.unknown
        self.code = ran.outcome.code
        return True
