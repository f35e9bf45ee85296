"""Streams that unpack or decode while they are read. Damage ends a stream and is said afterwards: what came counts."""

from __future__ import annotations

import codecs
import io
import sys
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["Decoding", "Faulty", "Prefixed", "Unpacking", "packed_as"]

_STEP_BYTES = 2**17
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_CUT = "the compressed data is cut off"
_BROKEN = "the compressed data is damaged"


class _Decompressor(Protocol):
    """One member of a gzip file, or one frame of Zstandard."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


def packed_as(head: bytes) -> Callable[[], _Decompressor] | None:
    """How a file is packed that begins so."""
    if head.startswith(_GZIP):
        return _Gzip
    return _zstd if head.startswith(_ZSTD) else None


def _zstd() -> _Decompressor:
    if sys.version_info >= (3, 14):
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]
    else:
        from backports import zstd
    made: _Decompressor = zstd.ZstdDecompressor()
    return made


class _Gzip:
    """zlib's object, with what it could not take yet kept inside as Zstandard's does."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


class Faulty(io.RawIOBase):
    """A stream that ends where it is damaged."""

    def __init__(self) -> None:
        super().__init__()
        self.fault: str | None = None
        """What ended it; to be asked when it has ended."""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill the buffer as far as there is something."""
        view = memoryview(buffer).cast("B")
        data = self._next(len(view))
        view[: len(data)] = data
        return len(data)

    def _next(self, limit: int) -> bytes:
        """At most so many bytes; none at the end."""
        raise NotImplementedError


class Prefixed(Faulty):
    """What was read of a stream already, and then the rest of it."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        super().__init__()
        self._head = head
        self._stream = stream

    def _next(self, limit: int) -> bytes:
        if self._head:
            data, self._head = self._head[:limit], self._head[limit:]
            return data
        try:
            return self._stream.read(limit)
        except OSError as error:
            self.fault = f"it cannot be read: {error.strerror or error}"
            return b""


class Unpacking(Faulty):
    """The unpacked bytes of a compressed stream, all members of it."""

    def __init__(self, stream: BinaryIO, make: Callable[[], _Decompressor]) -> None:
        super().__init__()
        self._stream = stream
        self._make = make
        self._member = make()
        self._begun = False

    def _next(self, limit: int) -> bytes:
        data = b""
        while not data and self.fault is None:
            if self._member.eof:
                rest = self._member.unused_data or self._stream.read(_STEP_BYTES)
                if not rest.strip(b"\0"):
                    return b""
                self._member, self._begun = self._make(), False
            else:
                rest = b"" if self._waits() else self._stream.read(_STEP_BYTES)
                if not rest and not self._waits():
                    self.fault = _CUT if self._begun else None
                    return b""
            data = self._unpacked(rest, limit)
        return data

    def _waits(self) -> bool:
        """Whether the member holds input that it has not unpacked yet."""
        if isinstance(self._member, _Gzip):
            return bool(self._member._inner.unconsumed_tail)
        return not getattr(self._member, "needs_input", True)

    def _unpacked(self, packed: bytes, limit: int) -> bytes:
        self._begun = True
        try:
            return self._member.decompress(packed, limit)
        except Exception as error:  # zlib.error, ZstdError: the latter is another class in every version
            if isinstance(error, MemoryError):
                raise
            self.fault = _BROKEN
            return b""


class Decoding(Faulty):
    """Text of another encoding as UTF-8; a character that cannot be read is U+FFFD."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        super().__init__()
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._ready = b""

    def _next(self, limit: int) -> bytes:
        while not self._ready:
            packed = self._stream.read(_STEP_BYTES)
            self._ready = self._decoder.decode(packed, final=not packed).encode("utf-8", "replace")
            if not packed:
                break
        data, self._ready = self._ready[:limit], self._ready[limit:]
        return data
