"""The variables of a logged call: from the record, by inverting its prompt's template, or by `--map`."""

from llmctl.traffic.replay.variables.finder import VariableFinder
from llmctl.traffic.replay.variables.recovered import Kind, Origin, Recovered

__all__ = ["Kind", "Origin", "Recovered", "VariableFinder"]
