"""Targets side by side as `.md`."""

from __future__ import annotations

from typing import TextIO

from llmctl.compare.targets.report import BankComparison, ComparedTarget, TargetComparison
from llmctl.report.compare_words import claim_sentence, cost_text, coverage_text, headline, shared_sentence
from llmctl.report.diff_words import rate_text
from llmctl.report.markdown_file import code
from llmctl.report.numbers import latency

__all__ = ["write_comparison_markdown"]

_TITLES = ("front", "prompt", "model", "pass rate [95 %]", "coverage", "cost of 1,000 cases", "p50", "p95")


def write_comparison_markdown(file: TextIO, report: TargetComparison) -> None:
    """Write each bank: what is best, the table, and every claim."""
    file.write(f"# Targets of {code(report.title)}\n")
    for bank in report.banks:
        file.write(f"\n## {code(bank.bank)}\n\n**{_said(headline(bank))}**\n\n{_said(shared_sentence(bank))}\n")
        if bank.shared:
            file.write(_table(bank))
            file.write("\n\\* On the Pareto front: none is at least as good in all, and better in one.\n\n")
        file.writelines(f"- {_said(claim_sentence(claim))}\n" for claim in bank.claims)
    file.writelines(f"\n{note}\n" for note in report.notes)


def _said(sentence: str) -> str:
    # The names of prompts and models stand in it: as code, nothing in them is taken for markup.
    return code(sentence, 600) if sentence else ""


def _table(bank: BankComparison) -> str:
    lines = [f"| {' | '.join(_TITLES)} |", "| --- | --- | --- |" + " ---: |" * (len(_TITLES) - 3)]
    lines += [f"| {' | '.join(_row(target))} |" for target in bank.targets]
    return "\n" + "\n".join(lines) + "\n"


def _row(target: ComparedTarget) -> list[str]:
    return [
        "\\*" if target.on_front else "",
        # Even inside code a bar would end the cell.
        code(target.name.prompt.replace("|", "\u00a6"), 80),
        code(target.name.model.replace("|", "\u00a6"), 80),
        rate_text(target.rate),
        coverage_text(target),
        cost_text(target),
        latency(target.latency_p50_ms),
        latency(target.latency_p95_ms),
    ]
