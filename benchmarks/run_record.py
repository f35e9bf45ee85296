"""What llmctl itself recorded of its last run, read from its store: `python -m benchmarks.run_record STORE`.

A process of its own, so that DuckDB's memory is not in the one that measures.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.lag import lag_of

__all__ = ["main"]

# Reading and planning come before the first call, and are part of the whole process: a bare loop does not plan.
_RUN = """
    SELECT run_id,
        epoch(ended_at) - coalesce((SELECT epoch(min(a.started_at)) FROM attempts a WHERE a.run_id = r.run_id),
            epoch(started_at)) AS run_s,
        planned, done, passed, failed, errors, cached, calls
    FROM runs r ORDER BY run_id DESC LIMIT 1"""
_LAG = """
    SELECT latency_ms - CAST(json_extract(response_body, '$.server_ms') AS DOUBLE)
    FROM attempts WHERE run_id = ? AND json_extract(response_body, '$.server_ms') IS NOT NULL"""


def main() -> None:
    """Print the run as one JSON object."""
    import duckdb

    with duckdb.connect(str(Path(sys.argv[1]) / "llmctl.duckdb"), read_only=True) as con:
        found = con.execute(_RUN)
        names = [column[0] for column in found.description or ()]
        record = dict(zip(names, found.fetchall()[0], strict=True))
        lags = [row[0] for row in con.execute(_LAG, [record["run_id"]]).fetchall()]
    print(json.dumps({**record, "lag": lag_of(lags)}))  # noqa: T201


if __name__ == "__main__":
    main()
