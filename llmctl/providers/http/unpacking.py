"""Unpacks a body that a server compressed unasked, a piece at a time: a small one may hold more than memory does."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

__all__ = ["Unpacker", "unpacker_of"]

_PIECE_BYTES = 256 * 1024
_GZIP = zlib.MAX_WBITS | 16
_ENCODINGS = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": zlib.MAX_WBITS}


def unpacker_of(encoding: str) -> Unpacker | None:
    """What unpacks a body with this Content-Encoding; None where it is not known how."""
    bits = _ENCODINGS.get(encoding)
    return None if bits is None else Unpacker(bits)


class Unpacker:
    """Of one body."""

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._part = zlib.decompressobj(bits)
        self._begun = False

    @property
    def whole(self) -> bool:
        """Whether nothing is missing; no body at all is whole too."""
        return self._part.eof or not self._begun

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """What becomes of the next bytes.

        Raises:
            ValueError: they are not packed like that.
        """
        if not self._begun and self._bits == zlib.MAX_WBITS and data[0] & 0x0F != zlib.DEFLATED:
            self._part = zlib.decompressobj(-zlib.MAX_WBITS)  # without the header that the name promises
        self._begun = True
        try:
            yield from self._unpacked(data)
        except zlib.error as error:
            raise ValueError(str(error)) from None

    def _unpacked(self, data: bytes) -> Iterator[bytes]:
        full = False
        while data or full:  # a full piece may leave something behind although all bytes are used up
            if self._part.eof:
                if not data:
                    return
                self._part = zlib.decompressobj(self._bits)  # one after the other, as `gzip` allows
            piece = self._part.decompress(data, _PIECE_BYTES)
            data, full = self._part.unconsumed_tail or self._part.unused_data, len(piece) == _PIECE_BYTES
            if piece:
                yield piece
