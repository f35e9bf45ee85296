"""A replay from what was asked for to its report: imports, plans, scores what was logged, sends, compares, judges."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from llmctl.cli.launch import exit_code, plan_forecast, run_plan, take_in
from llmctl.cli.replay_output import ReplayOutput
from llmctl.cli.screen import print_json, stderr, stdout
from llmctl.errors import ExitCode, UsageError
from llmctl.runs.head import RunOptions
from llmctl.runs.history import History
from llmctl.traffic.importing import Importing, TrafficImport
from llmctl.traffic.replay.choosing import ChoiceRequest, Chosen, choose
from llmctl.traffic.replay.gating import GatedReplay, replay_rules
from llmctl.traffic.replay.lanes import ReplayRun
from llmctl.traffic.replay.logged_answers import LoggedAnswers
from llmctl.traffic.replay.planning import ReplayPlan, ReplayPlanner
from llmctl.traffic.replay.records import Mode
from llmctl.traffic.replay.request import REPLAY, ReplayRequest, ScoredBy
from llmctl.traffic.replay.scoring import read_scoring
from llmctl.traffic.replay.sources import Logs
from llmctl.traffic.replay.targets import LaneTargets, ObservedLanes
from llmctl.traffic.replay.variables import VariableFinder
from llmctl.traffic.store import TrafficStore

if TYPE_CHECKING:
    from llmctl.cli.launch import Ran
    from llmctl.cli.session import Session
    from llmctl.compare.verdict import GateReport
    from llmctl.project.models import GateRules

__all__ = ["Replaying", "Sending", "Wishes"]


@dataclass(frozen=True, slots=True)
class Sending:
    """How calls are sent."""

    concurrency: int | None = None
    max_cost_usd: float | None = None
    label: str | None = None
    cache: bool = True
    offline: bool = False

    def options(self, session: Session) -> RunOptions:
        """Of the run."""
        settings = session.config.eval
        return RunOptions(
            command=session.redactor.exact(shlex.join(["llmctl", *sys.argv[1:]])),
            concurrency=self.concurrency or settings.concurrency,
            timeout_s=settings.timeout_s,
            label=session.redactor.exact(self.label) if self.label else None,
            offline=self.offline,
            cache=self.cache,
            cache_max_age=settings.cache_max_age,
            max_cost_usd=settings.max_cost if self.max_cost_usd is None else self.max_cost_usd,
        )


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is made of a replay."""

    outputs: tuple[Path, ...] = ()
    equivalent: str | None = None
    worst: int = 10
    dry_run: bool = False
    gate: bool = False
    as_json: bool = False

    def check(self) -> None:
        """Raise UsageError before anything is sent where a file could not be written."""
        for path in self.outputs:
            if path.suffix not in (".json", ".md", ".html"):
                raise UsageError(f"No format has the ending of {path}.", hint="Give .json, .md or .html.")


@dataclass(frozen=True, slots=True)
class Replaying:
    """One command."""

    session: Session
    sending: Sending
    wishes: Wishes

    def replay(
        self,
        request: ReplayRequest,
        sources: Sequence[str],
        choice: ChoiceRequest,
        paths: Mapping[str, str],
        *,
        redact: bool,
    ) -> None:
        """Replay what is named, and end the command."""
        session, config = self.session, self.session.config
        scoring = read_scoring(config, request.scored_by)
        rules = replay_rules(config, scoring) if self.wishes.gate else None
        lanes = LaneTargets.of(config, session.environ, request)
        chosen = self._chosen(sources, choice, paths, redact=redact)
        planner = ReplayPlanner(config, session.environ, request, scoring, self.sending.options(session))
        if request.mode is Mode.OUTPUT_ONLY:
            self._score(planner, chosen, rules)
        elif self.wishes.dry_run:
            self._estimate(planner, chosen, lanes)
        else:
            self._send(planner, chosen, lanes, rules)

    def _chosen(
        self, sources: Sequence[str], choice: ChoiceRequest, paths: Mapping[str, str], *, redact: bool
    ) -> Chosen:
        session, config = self.session, self.session.config
        logs = Logs(config.store, session.directory, Importing(redact=redact), session.redactor)
        meant = logs.meant(sources, choice.filter)
        if meant.imported is not None:
            _say_import(meant.imported)
        variables = VariableFinder(config, session.environ, paths) if choice.mode is Mode.TEMPLATE else None
        return choose(TrafficStore(config.store), replace(choice, filter=meant.chosen), variables)

    def _estimate(self, planner: ReplayPlanner, chosen: Chosen, lanes: LaneTargets) -> None:
        """Say what would be sent."""
        from llmctl.report.replay_dry_run import ReplayForecast, render_replay_dry_run, replay_dry_run_json
        from llmctl.traffic.replay.personal_data import PersonalData

        personal = PersonalData()
        made = planner.plan(chosen, lanes, personal.add)
        with made.plan:
            expected = plan_forecast(self.session, made.plan, planner.options)
        found = ReplayForecast(made.choice, expected, personal.counts, personal.calls, made.unscored)
        if self.wishes.as_json:
            print_json(replay_dry_run_json(found))
        else:
            render_replay_dry_run(stdout(), found)

    def _score(self, planner: ReplayPlanner, chosen: Chosen, rules: GateRules | None) -> None:
        """Score what was logged: a run that sends nothing but what judges are asked."""
        with ExitStack() as stack:
            answers = LoggedAnswers(self.session.config.store)
            stack.callback(answers.close)
            made = planner.plan(chosen, told=answers.add)
            stack.enter_context(made.plan)
            _say_plan(made)
            if self.wishes.dry_run:
                self._say_scored(made)
                return
            ran = run_plan(self.session, made.plan, planner.options, known=answers)
        take_in(self.session)
        verdict = self._gated(made.plan.head.run_id, rules, ran) if rules else None
        self._show_scored(ran, verdict)
        raise typer.Exit(verdict.exit_code if verdict else self._code(ran, made.plan.head.run_id))

    def _say_scored(self, made: ReplayPlan) -> None:
        results = made.plan.event.planned
        if self.wishes.as_json:
            print_json({"schema": "llmctl/replay-dry-run/1", "mode": "output-only", "results": results, "calls": 0})
        else:
            stdout().print(f"{results:,} logged answers would be scored. Nothing would be sent to a model.")

    def _show_scored(self, ran: Ran, verdict: GateReport | None) -> None:
        from llmctl.report.documents import report_text
        from llmctl.report.files import write_report
        from llmctl.report.gate import render_gate
        from llmctl.report.gate_json import gate_json
        from llmctl.report.terminal import render_report

        for path in self.wishes.outputs:
            write_report(path, ran.report, ran.run.results())
        if self.wishes.as_json and verdict is not None:
            print_json(gate_json(verdict))
        elif self.wishes.as_json:
            sys.stdout.writelines(report_text(ran.report, ran.run.results(), command="replay"))
        else:
            render_report(stdout(), ran.report)
            if verdict is not None:
                render_gate(stdout(), verdict)

    def _send(self, planner: ReplayPlanner, chosen: Chosen, lanes: LaneTargets, rules: GateRules | None) -> None:
        """Send the calls, after what was logged is scored where there are evaluators."""
        with ExitStack() as stack:
            observed = self._observed(stack, planner, chosen, lanes) if planner.scoring else None
            beside = {"observed": observed.run_id} if observed else {}
            made = replace(planner, beside=beside).plan(chosen, lanes)
            stack.enter_context(made.plan)
            _say_plan(made)
            if observed is not None:
                observed.score(self.session, planner.options)
            ran = run_plan(self.session, made.plan, planner.options)
        self._end(ran, rules)

    def _observed(self, stack: ExitStack, planner: ReplayPlanner, chosen: Chosen, lanes: LaneTargets) -> _Observed:
        """The plan of the run that scores what was logged."""
        answers = LoggedAnswers(self.session.config.store)
        stack.callback(answers.close)
        beside = replace(
            planner,
            request=replace(planner.request, repeat=1),
            options=replace(planner.options, label=None, fills=True),
        )
        made = beside.plan(chosen, ObservedLanes(lanes), answers.add)
        stack.enter_context(made.plan)
        return _Observed(made, answers)

    def resume(self, reference: str) -> None:
        """Send what is missing of a replay, and end the command."""
        from llmctl.cli.evaluate import resumed

        session = self.session
        history = History(session.config.store)
        run = ReplayRun.read(history, history.find(reference))
        rules = self._rules_of(run) if self.wishes.gate else None
        given = {"concurrency": self.sending.concurrency, "max_cost_usd": self.sending.max_cost_usd}
        plan, options = resumed(session, run.run_id, self.sending.options(session), given)
        with plan:
            ran = run_plan(session, plan, options)
        self._end(ran, rules)

    def _rules_of(self, run: ReplayRun) -> GateRules:
        scored_by = ScoredBy.from_data(run.said.get("scored_by") or {})
        return replay_rules(self.session.config, read_scoring(self.session.config, scored_by))

    def _end(self, ran: Ran, rules: GateRules | None) -> None:
        """Compare the lanes, judge, show, and end the command."""
        run_id = ran.run.plan.head.run_id
        for warning in ran.outcome.warnings:
            stderr().print(warning, style="yellow", soft_wrap=True)
        take_in(self.session)
        verdict = self._gated(run_id, rules, ran) if rules else None
        shown = ReplayOutput(self.session, self.wishes, self.sending.offline)
        shown.show(run_id, verdict)
        code = self._code(ran, run_id)
        if ran.outcome.code is not None:
            stderr().print(f"It goes on with: llmctl replay --resume {run_id}", soft_wrap=True)
        raise typer.Exit(verdict.exit_code if verdict else code)

    def _gated(self, run_id: str, rules: GateRules, ran: Ran) -> GateReport:
        from llmctl.cli.gating import Spent

        history, spent = History(self.session.config.store), Spent(None)
        spent.add(ran)
        run = ReplayRun.read(history, run_id)
        return GatedReplay(self.session.config, history, run, rules, spent.spending(), spent.stopped).report()

    def _code(self, ran: Ran, run_id: str) -> ExitCode:
        """Without evaluators an answer is all the evidence that is wanted."""
        settings = self.session.config.gate
        if ran.run.plan.head.options[REPLAY].get("scored_by"):  # type: ignore[attr-defined]
            return exit_code(ran.report, ran.outcome.code, settings.max_missing, strict=False)
        if ran.outcome.code is not None:
            return ran.outcome.code
        answered = History(self.session.config.store).answered(run_id)
        complete = answered >= (1 - settings.max_missing) * ran.run.plan.event.planned
        return ExitCode.DONE if complete else ExitCode.UNFINISHED


@dataclass(frozen=True, slots=True)
class _Observed:
    """The run that scores the logged answers of a replay."""

    made: ReplayPlan
    answers: LoggedAnswers

    @property
    def run_id(self) -> str:
        """Its id."""
        return self.made.plan.head.run_id

    def score(self, session: Session, options: RunOptions) -> None:
        """Make it."""
        ran = run_plan(session, self.made.plan, replace(options, label=None, fills=True), known=self.answers)
        take_in(session)
        if ran.outcome.code is not None:
            raise typer.Exit(ran.outcome.code)


def _say_import(done: TrafficImport) -> None:
    """What became of the files, on stderr: the report is of the calls."""
    from llmctl.report.traffic import render_import

    render_import(stderr(), done)


def _say_plan(made: ReplayPlan) -> None:
    """What a plan is warned of, and which calls the evaluators cannot score."""
    from llmctl.report.problems import render_problems

    render_problems(stderr(), made.plan.warnings)
    if made.unscored:
        names = ", ".join(made.scoring.needing)
        stderr().print(
            f"{made.unscored:,} of {made.choice.chosen:,} calls have no correction: {names} does not score them.",
            style="yellow",
            soft_wrap=True,
        )
