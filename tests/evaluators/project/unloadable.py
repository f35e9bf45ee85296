"""A file that cannot be imported."""

from typing import Any

import no_such_module_of_anybody  # type: ignore[import-not-found]

__all__ = ["judge"]


def judge(_context: Any) -> bool:
    """Never called."""
    return bool(no_such_module_of_anybody)
