"""How well a judge agrees with people, as numbers; kept in a small file that belongs into git.

`testbanks/.calibration/<bank>/<metric>.json` holds the latest calibration of a judge, so that all runs, and those
of CI, can say whether the judge they use was ever compared with people, and whether it is still the same judge.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import quote as in_url

from llmctl.errors import UsageError
from llmctl.evaluators.judge.scheme import Scheme, Verdict
from llmctl.project.models import Config
from llmctl.runs.records import JudgeEvent
from llmctl.stats.agreement import (
    Binary,
    Kappa,
    Level,
    Rate,
    agreement,
    binary,
    cohen_kappa,
    confusion,
    krippendorff_alpha,
)

__all__ = [
    "FEW_LABELS",
    "Calibration",
    "Measured",
    "Pair",
    "calibration_path",
    "consensus",
    "load_calibration",
    "measure",
    "staleness",
]

FEW_LABELS = 50
"""Below so many, the intervals are wider than any use of them."""
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Pair:
    """What people and the judge say of one output."""

    people: Verdict | None
    """What the raters say together; None where they are divided, or said nothing."""
    raters: tuple[Verdict, ...]
    judge: Verdict | None
    """None where the judge gave no verdict."""
    judge_passes: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """Agreement over the outputs that people and the judge have judged both."""

    verdicts: tuple[Verdict, ...]
    table: tuple[tuple[int, ...], ...]
    """A row for each verdict of people, a column for each of the judge."""
    pass_fail: Binary
    kappa: Kappa
    """Of the table; of grades with quadratic weights."""
    alpha: float | None
    """Krippendorff's, over all raters and the judge: nominal, of grades ordinal."""
    alpha_of_raters: float | None
    """Of people alone; None with one rater."""

    @property
    def agreement(self) -> Rate:
        """The share on which both say the same."""
        return agreement(self.table)


def consensus(said: Sequence[Verdict], scheme: Scheme) -> Verdict | None:
    """What several raters say together: the most frequent; where two are, the median of grades, else nothing."""
    if not said:
        return None
    ranked = Counter(said).most_common(2)
    if len(ranked) == 1 or ranked[0][1] > ranked[1][1]:
        return ranked[0][0]
    return scheme.summary(said) if scheme.ordered else None


def measure(pairs: Iterable[Pair], scheme: Scheme) -> Measured:
    """Compare a judge with people."""
    pairs = list(pairs)
    both = [(pair.people, pair.judge) for pair in pairs if pair.people is not None and pair.judge is not None]
    table = confusion(both, scheme.verdicts)
    passes = [
        (pair.people in scheme.passing, pair.judge_passes)
        for pair in pairs
        if pair.people is not None and pair.judge is not None
    ]
    number = {verdict: float(place) for place, verdict in enumerate(scheme.verdicts)}
    raters = [[number[verdict] for verdict in pair.raters] for pair in pairs]
    with_judge = [
        [*values, number[pair.judge]] if pair.judge is not None else values
        for values, pair in zip(raters, pairs, strict=True)
    ]
    level: Level = "ordinal" if scheme.ordered else "nominal"
    several = any(len(values) > 1 for values in raters)
    return Measured(
        scheme.verdicts,
        tuple(map(tuple, table)),
        binary(passes),
        cohen_kappa(table, weights="quadratic" if scheme.ordered else None),
        krippendorff_alpha(with_judge, level),
        krippendorff_alpha(raters, level) if several else None,
    )


@dataclass(frozen=True, slots=True)
class Calibration:
    """What is kept of a calibration."""

    bank: str
    metric: str
    key: str
    """The `key` of the judge that was calibrated, and what it is made of."""
    identity: str
    arguments: str
    template: int
    resolved_model: str
    made_on: str
    """The UTC date, `2026-11-20`."""
    labels: str
    """The name of the file of labels."""
    labelled: int
    """Outputs on which people are of one mind."""
    judged: int
    """Those among them that the judge gave a verdict on."""
    agreement: float | None
    kappa: float | None
    kappa_low: float | None
    kappa_high: float | None
    alpha: float | None
    sensitivity: float | None
    specificity: float | None
    verdicts: tuple[Verdict, ...] = ()
    table: tuple[tuple[int, ...], ...] = ()
    format: int = _FORMAT

    @classmethod
    def of(cls, judge: JudgeEvent, measured: Measured, made: Mapping[str, Any]) -> Calibration:
        """From what was measured; `made` holds the day, the file, and the counts."""
        interval, counts = measured.kappa.interval, measured.pass_fail
        return cls(
            bank=judge.bank,
            metric=judge.metric,
            key=judge.key,
            identity=judge.identity,
            arguments=judge.arguments,
            template=judge.template,
            resolved_model=judge.resolved_model,
            agreement=measured.agreement.value,
            kappa=measured.kappa.value,
            kappa_low=interval.low if interval else None,
            kappa_high=interval.high if interval else None,
            alpha=measured.alpha,
            sensitivity=counts.sensitivity.value,
            specificity=counts.specificity.value,
            verdicts=measured.verdicts,
            table=measured.table,
            **made,
        )

    def text(self) -> str:
        """As the file has it: one key a line, so that a change is seen in a diff."""
        lines = [f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in asdict(self).items()]
        return "{\n" + ",\n".join(lines) + "\n}\n"


def calibration_path(config: Config, bank: str, metric: str) -> Path:
    """Where the calibration of a judge is kept. A metric may be any text."""
    folder = config.testbanks / ".calibration"
    return folder.joinpath(*(in_url(part, safe=" ") for part in bank.split("/")), f"{in_url(metric, safe=' ')}.json")


def load_calibration(config: Config, bank: str, metric: str) -> Calibration | None:
    """The calibration of a judge; None where it has none.

    Raises:
        UsageError: the file is there, but is no calibration.
    """
    path = calibration_path(config, bank, metric)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        known = {field.name for field in fields(Calibration)}
        found = Calibration(**{name: value for name, value in data.items() if name in known})
        _check(found)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        raise UsageError(
            f"The calibration {path.relative_to(config.root).as_posix()} cannot be read.",
            hint="Delete it, or make it again with llmctl judge calibrate.",
        ) from None
    return found


def _check(calibration: Calibration) -> None:
    """Raises ValueError where what reports show is of another kind."""
    texts = ("key", "identity", "arguments", "resolved_model", "made_on")
    numbers = ("kappa", "kappa_low", "kappa_high")
    if not all(isinstance(getattr(calibration, name), str) for name in texts):
        raise ValueError("texts")
    if not all(isinstance(getattr(calibration, name), float | int | None) for name in numbers):
        raise ValueError("numbers")
    if not isinstance(calibration.labelled, int):
        raise ValueError("labelled")


def staleness(judge: JudgeEvent, calibration: Calibration) -> str | None:
    """Why a calibration says nothing of this judge any more; None where it is the same judge."""
    if judge.key == calibration.key:
        return None
    if judge.resolved_model != calibration.resolved_model:
        return f"the judge is now {judge.resolved_model}, not {calibration.resolved_model}"
    if judge.identity != calibration.identity:
        return "the settings or the weights of its model changed"
    if judge.template != calibration.template:
        return "this llmctl asks judges in other words"
    return "its rubric or another argument changed"
