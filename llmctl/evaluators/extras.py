"""Packages that only some evaluators need: asked for when an evaluator is built, so before any call."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec

from llmctl.evaluators.findings import ArgumentError, Finding

__all__ = ["need_package"]


def need_package(evaluator: str, package: str, extra: str = "text") -> None:
    """See that a package can be imported, without importing it.

    Raises:
        ArgumentError: it is not installed; the hint is the line that installs it.
    """
    if not _installed(package):
        message = f"`{evaluator}` needs the package {package}, which is not installed"
        raise ArgumentError([Finding(message, hint=f"Run `pip install 'llmctl-toolkit[{extra}]'`.")])


@lru_cache(maxsize=64)
def _installed(package: str) -> bool:
    return find_spec(package) is not None
