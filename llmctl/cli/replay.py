"""`llmctl replay`: logged calls asked again, with another prompt, model or parameter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmctl.cli.traffic import Imports, Since, Statuses, Tags, Until, Where, traffic_filter
from llmctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmctl.cli.replaying import Wishes
    from llmctl.cli.session import Session
    from llmctl.traffic.filters import TrafficFilter
    from llmctl.traffic.replay.choosing import ChoiceRequest
    from llmctl.traffic.replay.records import Mode
    from llmctl.traffic.replay.request import ReplayRequest, ScoredBy

__all__ = ["replay"]

Prompts = Annotated[
    list[str] | None,
    typer.Option("-p", "--prompt", metavar="P[@REV]", help="Render this prompt with the calls' variables. Repeatable."),
]
Candidates = Annotated[list[str] | None, typer.Option("-m", "--model", metavar="M", help="Ask this model. Repeatable.")]


def replay(
    ctx: typer.Context,
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="SOURCE", help="Files, imported first; or an import's id, @last. Default: all."),
    ] = None,
    models: Candidates = None,
    prompts: Prompts = None,
    mode: Annotated[
        str | None,
        typer.Option("--mode", metavar="MODE", help="verbatim, template (default with -p) or output-only."),
    ] = None,
    params: Annotated[
        list[str] | None,
        typer.Option("--param", metavar="NAME=VALUE", help="Over the logged parameters, as YAML. Repeatable."),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option("--baseline", metavar="rerun", help="Also send the logged requests again as they were."),
    ] = None,
    bank: Annotated[
        str | None, typer.Option("-b", "--bank", metavar="BANK", help="Score by the evaluators of this bank.")
    ] = None,
    evaluators: Annotated[
        Path | None, typer.Option("--evaluators", metavar="FILE", help="Score by the `evaluators:` of this file.")
    ] = None,
    maps: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="NAME=PATH", help="Where a variable stands in a logged call. Repeatable."),
    ] = None,
    since: Since = None,
    until: Until = None,
    logged_models: Annotated[
        list[str] | None, typer.Option("--logged-model", metavar="M", help="Only calls of this model. Repeatable.")
    ] = None,
    logged_prompts: Annotated[
        list[str] | None, typer.Option("--logged-prompt", metavar="P", help="Only calls of this prompt. Repeatable.")
    ] = None,
    statuses: Statuses = None,
    tags: Tags = None,
    imports: Imports = None,
    where: Where = None,
    sample: Annotated[
        int | None, typer.Option("--sample", min=1, metavar="N", help="This many calls, drawn at random.")
    ] = None,
    stratify: Annotated[
        str | None, typer.Option("--stratify", metavar="BY", help="Draw from each model, prompt, day: as model,day.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Draws the same sample again.")] = 0,
    dedupe: Annotated[
        str, typer.Option("--dedupe", metavar="HOW", help="Ask equal calls once: none, exact or near.")
    ] = "exact",
    repeat: Annotated[
        int | None, typer.Option("-r", "--repeat", min=1, metavar="N", help="Independent answers to each call.")
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option("-j", "--concurrency", min=1, max=1024, metavar="N", help="Calls in flight for each model."),
    ] = None,
    max_cost: Annotated[
        float | None,
        typer.Option("--max-cost", min=0, metavar="USD", help="Stop before the calls cost more than this."),
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Send also the calls whose answer is stored.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Send nothing to another machine.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send nothing: count the calls, and what sending them would take.")
    ] = False,
    resume: Annotated[
        str | None,
        typer.Option("--resume", metavar="[RUN]", help="Send what is missing of a replay; default: the last run."),
    ] = None,
    gate: Annotated[
        bool, typer.Option("--gate", help="Judge by the rules beside the evaluators: 0 PASS, 1 FAIL, 3, 4.")
    ] = False,
    equivalent: Annotated[
        str | None,
        typer.Option("--equivalent", metavar="NAME", help="Answers that this evaluator passes say the same: semantic."),
    ] = None,
    worst: Annotated[
        int, typer.Option("--worst", min=0, metavar="N", help="How many of the worst changes are shown.")
    ] = 10,
    redact: Annotated[
        bool, typer.Option("--redact", help="Of files: replace emails, phones, cards, IBANs and IPs at import.")
    ] = False,
    label: Annotated[str | None, typer.Option("--label", metavar="NAME", help="Name the run.")] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write .json, .md or .html. Repeatable."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of the report.")] = False,
) -> None:
    """Ask logged calls again, with another prompt, model or parameter, and say what would have been different.

    verbatim sends the same messages (-m, --param); template renders another prompt with the variables that each call
    was made with (-p); output-only scores what was answered, and sends nothing. It is a run like any other: `show`,
    `diff`, `rescore`, `sql` and the cache work on it. Ends 0, with --gate 0 PASS, 1 FAIL, 3 INCONCLUSIVE, 4 NOT
    EVALUATED; 5 when a budget stopped it.
    """
    from llmctl.cli.replaying import Replaying, Sending

    session: Session = ctx.obj
    sending = Sending(concurrency, max_cost, label, cache=not no_cache, offline=offline)
    wishes = _wishes(output, equivalent, worst, dry_run=dry_run, gate=gate, as_json=as_json)
    work = Replaying(session, sending, wishes)
    if resume is not None:
        _refuse_choice(
            {
                "a source": sources,
                "-m": models,
                "-p": prompts,
                "--mode": mode,
                "--param": params,
                "--baseline": baseline,
                "--bank": bank,
                "--evaluators": evaluators,
                "--map": maps,
                "--sample": sample,
                "--where": where,
                "--repeat": repeat,
                "--label": label,
                "--no-cache": no_cache,
                "--dry-run": dry_run,
            }
        )
        work.resume(resume)
        return
    scored_by = _scored_by(session, bank, evaluators)
    request = _request(session, mode, models, prompts, params, baseline, scored_by, repeat, sources)
    chosen = traffic_filter(since, until, logged_models, logged_prompts, statuses, tags, imports, where)
    choice = _choice(request.mode, chosen, sample, stratify, seed, dedupe)
    work.replay(request, sources or (), choice, _paths(maps, request.mode), redact=redact)


def _wishes(
    output: list[Path] | None, equivalent: str | None, worst: int, *, dry_run: bool, gate: bool, as_json: bool
) -> Wishes:
    from llmctl.cli.replaying import Wishes

    wishes = Wishes(tuple(output or ()), equivalent, worst, dry_run=dry_run, gate=gate, as_json=as_json)
    wishes.check()
    return wishes


def _refuse_choice(given: Mapping[str, object]) -> None:
    """`--resume` goes on with a replay as it was planned."""
    for option, value in given.items():
        if value:
            raise UsageError(
                f"--resume goes on with a replay as it was planned: {option} cannot stand beside it.",
                hint="Only -j, --max-cost, --offline, --gate, --equivalent, --worst, --json and -o can.",
            )


def _request(
    session: Session,
    mode: str | None,
    models: list[str] | None,
    prompts: list[str] | None,
    params: list[str] | None,
    baseline: str | None,
    scored_by: ScoredBy,
    repeat: int | None,
    sources: list[str] | None,
) -> ReplayRequest:
    from llmctl.runs.selection import PromptReference
    from llmctl.traffic.replay.request import ReplayRequest

    if baseline not in (None, "rerun", "observed"):
        raise UsageError(f'There is no baseline "{baseline}".', hint="Give rerun; what was logged is there anyway.")
    request = ReplayRequest(
        mode=_mode(mode, prompts),
        models=tuple(models or ()),
        prompts=tuple(PromptReference.parse(text) for text in prompts or ()),
        params=_params(params or ()),
        rerun=baseline == "rerun",
        scored_by=scored_by,
        repeat=repeat or (1 if mode == "output-only" else session.config.eval.repeat),
        sources=tuple(session.redactor.exact(source) for source in sources or ()),
    )
    request.check()
    return request


def _mode(given: str | None, prompts: list[str] | None) -> Mode:
    from llmctl.traffic.replay.records import Mode

    if given is None:
        return Mode.TEMPLATE if prompts else Mode.VERBATIM
    if given not in set(Mode):
        raise UsageError(f'There is no mode "{given}".', hint=f"Give one of {', '.join(Mode)}.")
    return Mode(given)


def _scored_by(session: Session, bank: str | None, evaluators: Path | None) -> ScoredBy:
    from llmctl.project import loader
    from llmctl.traffic.replay.request import ScoredBy

    if bank is not None and evaluators is not None:
        raise UsageError("Give --bank or --evaluators, not both.")
    if bank is not None:
        return ScoredBy(bank=loader.resolve_bank_names(session.config, [bank])[0])
    return ScoredBy(file=(session.directory / evaluators).resolve()) if evaluators is not None else ScoredBy()


def _params(words: Sequence[str]) -> dict[str, object]:
    """The values of `--param`, as YAML reads them."""
    from llmctl.canonical import plain
    from llmctl.cli.assignments import assignments
    from llmctl.project.syntax.yaml_reader import read_yaml
    from llmctl.providers.routes import RESERVED

    found: dict[str, object] = {}
    for name, text in assignments("--param", words).items():
        document = read_yaml(text.encode(), Path("--param"))
        if document.problems or not document.readable:
            raise UsageError(f"--param {name}: {document.problems[0].message if document.problems else 'no value.'}")
        if name in RESERVED:
            raise UsageError(
                f'"{name}" is no parameter of a model.',
                hint="Who is asked, and where, stands in llmctl.toml; or give -m.",
            )
        found[name] = plain(document.data)
    return found


def _choice(
    mode: Mode, chosen: TrafficFilter, sample: int | None, stratify: str | None, seed: int, dedupe: str
) -> ChoiceRequest:
    from llmctl.traffic.replay.choosing import ChoiceRequest, Dedupe, Stratum

    if dedupe not in set(Dedupe):
        raise UsageError(f'Duplicates cannot be found by "{dedupe}".', hint=f"Give one of {', '.join(Dedupe)}.")
    names = [name.strip() for name in (stratify or "").split(",") if name.strip()]
    for name in names:
        if name not in set(Stratum):
            raise UsageError(f'Calls cannot be stratified by "{name}".', hint=f"Give some of {', '.join(Stratum)}.")
    if names and sample is None:
        raise UsageError("--stratify says how a sample is drawn, and none is.", hint="Give --sample N too.")
    return ChoiceRequest(mode, chosen, sample, tuple(Stratum(name) for name in names), seed, Dedupe(dedupe))


def _paths(maps: list[str] | None, mode: Mode) -> dict[str, str]:
    from llmctl.cli.assignments import assignments
    from llmctl.traffic.replay.records import Mode

    if maps and mode is not Mode.TEMPLATE:
        raise UsageError("--map says where variables stand, and only a prompt has some.", hint="Give -p PROMPT.")
    return assignments("--map", maps or ())
