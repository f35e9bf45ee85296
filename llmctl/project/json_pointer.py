"""JSON pointers (RFC 6901): split, and followed through plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["follow", "split_pointer"]


def split_pointer(pointer: str) -> tuple[str, ...]:
    """The keys of a pointer.

    Raises:
        ValueError: it does not begin with `/`, or `~` stands before anything but 0 and 1; ends a sentence that begins
            with its name.
    """
    if not pointer:
        return ()
    if not pointer.startswith("/"):
        raise ValueError("does not begin with /")
    keys = pointer[1:].split("/")
    for key in keys:
        if "~" in key.replace("~0", "").replace("~1", ""):
            raise ValueError("is no JSON pointer: ~ is written ~0, and / inside a key ~1")
    return tuple(key.replace("~1", "/").replace("~0", "~") for key in keys)


def follow(value: object, keys: Sequence[str]) -> object:
    """What lies at the end of the keys.

    Raises:
        LookupError: there is nothing there.
    """
    for key in keys:
        if isinstance(value, Mapping) and key in value:
            value = value[key]
        elif isinstance(value, list | tuple) and _is_index(key) and int(key) < len(value):
            value = value[int(key)]
        else:
            raise LookupError(key)
    return value


def _is_index(key: str) -> bool:
    """Array indexes have no leading zeros."""
    return key == "0" or (key.isascii() and key.isdigit() and not key.startswith("0") and len(key) < 10)
