"""Whether the judges that decide a bank's verdicts may be trusted: calibrated, and still the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from llmctl.compare.side import Side
from llmctl.errors import UsageError
from llmctl.runs import rows
from llmctl.runs.calibration import load_calibration, staleness
from llmctl.runs.records import JudgeEvent
from llmctl.store.database import open_database
from llmctl.store.layout import Layout

if TYPE_CHECKING:
    from llmctl.project.models import Config

__all__ = ["CALIBRATE", "untrusted_judges"]

CALIBRATE = "Compare it with people: `llmctl judge calibrate`, and put the file that it writes into git."


def untrusted_judges(config: Config, side: Side) -> Mapping[str, tuple[str, ...]]:
    """For each bank why verdicts that rest on its judges say nothing: a sentence for each such judge.

    Metrics of weight 0 decide nothing.

    Raises:
        StoreError: the side's database cannot be read.
    """
    with open_database(Layout(side.database.parent), read_only=True) as con:
        found = con.execute(
            f"SELECT {rows.columns(JudgeEvent)} FROM judge_rows WHERE run_id = ? ORDER BY position", [side.run_id]
        ).fetchall()
        deciding = set(
            con.execute(
                "SELECT DISTINCT r.bank, s.metric FROM score_rows s JOIN result_rows r USING (run_id, position) "
                "WHERE s.run_id = ? AND s.weight > 0",
                [side.run_id],
            ).fetchall()
        )
    said: dict[str, dict[str, None]] = defaultdict(dict)
    for judge in map(rows.judge_of, found):
        problem = _problem(config, judge) if (judge.bank, judge.metric) in deciding else None
        if problem is not None:
            said[judge.bank][problem] = None
    return {bank: tuple(problems) for bank, problems in said.items()}


def _problem(config: Config, judge: JudgeEvent) -> str | None:
    """Why its verdicts are not to be judged by; None where it was compared with people as it is."""
    try:
        calibration = load_calibration(config, judge.bank, judge.metric)
    except UsageError as error:
        return error.message
    if calibration is None:
        return f"The judge {judge.metric} was never compared with people."
    stale = staleness(judge, calibration)
    return None if stale is None else f"The calibration of the judge {judge.metric} is stale: {stale}."
