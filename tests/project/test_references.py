"""The digest of a file is that of its text with LF line ends, in whatever pieces it is read."""

from __future__ import annotations

import hashlib
import io

from hypothesis import given
from hypothesis import strategies as st

from llmctl.project import references
from llmctl.project.references import text_digest


class _InPieces(io.BytesIO):
    """Gives at most three bytes at a time."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, 3))


@given(st.text(st.sampled_from("\r\nab"), max_size=12).map(str.encode))
def test_pieces_make_no_difference(data: bytes) -> None:
    expected = hashlib.sha256(data.replace(b"\r\n", b"\n")).hexdigest()
    assert text_digest(_InPieces(data)) == expected
    assert text_digest(io.BytesIO(data)) == expected


def test_a_piece_is_bounded() -> None:
    assert references._CHUNK_BYTES <= 1 << 20
