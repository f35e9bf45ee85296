"""What happened in a replay: each answer beside the one that was logged, counted, and how sure the counts are."""

from __future__ import annotations

from llmctl.traffic.replay.findings.equivalence import check_equivalent
from llmctl.traffic.replay.findings.measuring import FindingsRequest, measure
from llmctl.traffic.replay.findings.report import ReplayReport

__all__ = ["FindingsRequest", "ReplayReport", "check_equivalent", "measure"]
