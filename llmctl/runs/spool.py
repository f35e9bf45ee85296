"""The units of a plan on disk: what is asked, where its case stands, and under which key its answer is kept.

The file is temporary and has no name. A plan of any size takes a few bytes of memory for each unit.
"""

from __future__ import annotations

import struct
import tempfile
import threading
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO

import orjson

from llmctl.errors import StoreError
from llmctl.providers.records import ChatRequest
from llmctl.store.layout import private_directory

__all__ = ["SpooledUnit", "UnitReader", "UnitSpool"]

_HEADER = struct.Struct("<32sQIHHI")
_FLUSH_BYTES = 256 * 1024
_BLOCK_BYTES = 256 * 1024
_SCATTERED_BYTES = 8 * 1024


@dataclass(frozen=True, slots=True)
class SpooledUnit:
    """One (target, case, repeat), as the plan made it."""

    key: bytes
    """The call key, 32 bytes."""
    case_position: int
    """The byte of the journal at which the case's line begins."""
    case_number: int
    target: int
    """Index of the target within the plan."""
    repeat: int
    number: int = 0
    """Its place among the units of the plan, from 0."""

    @property
    def call_key(self) -> str:
        """The call key as it is written everywhere."""
        return self.key.hex()

    @property
    def prefix(self) -> int:
        """The first 64 bits of the call key: enough to tell which keys may occur twice."""
        return int.from_bytes(self.key[:8])


class UnitSpool:
    """Written once, then read by number."""

    def __init__(self, folder: Path) -> None:
        """`folder`: where the file is made, when there is something to write."""
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._offsets = array("Q")
        self._targets = array("H")
        self._prefixes = array("Q")
        self._pending = bytearray()
        self._end = 0
        self._turn = threading.Lock()

    def __len__(self) -> int:
        return len(self._offsets)

    def add(self, unit: SpooledUnit, request: ChatRequest) -> int:
        """Keep a unit; its number.

        Raises:
            StoreError: the disk is full.
        """
        body = orjson.dumps(request)
        self._offsets.append(self._end)
        self._targets.append(unit.target)
        self._prefixes.append(unit.prefix)
        self._pending += _HEADER.pack(
            unit.key, unit.case_position, unit.case_number, unit.target, unit.repeat, len(body)
        )
        self._pending += body
        self._end += _HEADER.size + len(body)
        if len(self._pending) >= _FLUSH_BYTES:
            self.flush()
        return len(self._offsets) - 1

    def flush(self) -> None:
        """Write what is still in memory.

        Raises:
            StoreError: the disk is full.
        """
        data = memoryview(self._pending)
        try:
            file = self._opened()
            while data:
                data = data[file.write(data) :]
        except OSError as error:
            raise StoreError(
                f"The plan cannot be kept in {self._folder}: {error.strerror}.",
                hint="Nothing was sent. Make room, or set LLMCTL_STORE to another place.",
            ) from None
        data.release()
        self._pending = bytearray()

    def reader(self, *, scattered: bool = False) -> UnitReader:
        """Reads units and requests; several may, each in one thread.

        In the plan's order or about so; `scattered`: in any order.
        """
        block_bytes = _SCATTERED_BYTES if scattered else _BLOCK_BYTES
        return UnitReader(self._opened(), self._offsets, self._turn, block_bytes)

    def target(self, number: int) -> int:
        """The index of a unit's target."""
        return self._targets[number]

    def by_target(self, targets: frozenset[int]) -> Iterator[int]:
        """The numbers of the units of some targets, in the plan's order."""
        return (number for number, target in enumerate(self._targets) if target in targets)

    def repeated(self) -> frozenset[int]:
        """The prefixes of keys that occur more than once."""
        ordered = sorted(self._prefixes)
        return frozenset(one for one, next_one in pairwise(ordered) if one == next_one)

    def close(self) -> None:
        """Delete the file."""
        if self._file is not None:
            self._file.close()

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            private_directory(self._folder)
            self._file = tempfile.TemporaryFile(dir=self._folder, prefix="units-", buffering=0)  # noqa: SIM115
        return self._file


class UnitReader:
    """Reads a spool block by block: each system call would let go of the interpreter for another thread."""

    def __init__(
        self, file: IO[bytes], offsets: array[int], turn: threading.Lock, block_bytes: int = _BLOCK_BYTES
    ) -> None:
        """`turn` is taken to read: readers in several threads share the file and its position."""
        self._block_bytes = block_bytes
        self._file = file
        self._turn = turn
        self._offsets = offsets
        self._block = b""
        self._start = 0

    def unit(self, number: int) -> SpooledUnit:
        """The unit with this number, without its request."""
        key, position, case, target, repeat, _ = _HEADER.unpack(self._bytes(self._offsets[number], _HEADER.size))
        return SpooledUnit(key, position, case, target, repeat, number)

    def request(self, number: int) -> ChatRequest:
        """What a unit asks."""
        offset = self._offsets[number]
        length = _HEADER.unpack(self._bytes(offset, _HEADER.size))[-1]
        fields = orjson.loads(self._bytes(offset + _HEADER.size, length))
        for name in ("messages", "tools"):
            fields[name] = tuple(fields[name])
        return ChatRequest(**fields)

    def keys(self, start: int, count: int) -> Iterator[str]:
        """The call keys of consecutive units."""
        for number in range(start, min(start + count, len(self._offsets))):
            yield self.unit(number).call_key

    def _bytes(self, offset: int, count: int) -> bytes:
        begin = offset - self._start
        if begin < 0 or begin + count > len(self._block):
            with self._turn:
                self._file.seek(offset)
                self._block, self._start, begin = _read(self._file, max(count, self._block_bytes), count), offset, 0
        return self._block[begin : begin + count]


def _read(file: IO[bytes], most: int, least: int) -> bytes:
    parts = bytearray()
    while len(parts) < least:
        part = file.read(most - len(parts))
        if not part:
            raise StoreError("The plan cannot be read back: its temporary file is damaged.")
        parts += part
    return bytes(parts)
