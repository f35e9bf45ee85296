"""Names of banks that are to be made."""

from __future__ import annotations

from llmctl.errors import UsageError

__all__ = ["new_bank_name"]


def new_bank_name(name: str) -> str:
    """The name as it is.

    Raises:
        UsageError: it leads out of the folder of banks, or cannot be seen.
    """
    parts = name.split("/")
    if not name.isprintable() or "\\" in name or any(not part.strip(". ") for part in parts):
        raise UsageError(f"{name} is no name of a bank.", hint="Write it as in --bank support/triage.")
    return name
