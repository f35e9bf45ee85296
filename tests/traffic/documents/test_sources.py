"""Files of every kind, by their first bytes."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path

import duckdb
import pytest

from llmctl.errors import UsageError
from llmctl.traffic.documents.found import Unreadable
from llmctl.traffic.readers.base import Document
from llmctl.traffic.sources import sources_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LINES = b"".join(json.dumps({"n": number, "t": "é"}, ensure_ascii=False).encode() + b"\n" for number in range(4))
LONG = b"".join(
    json.dumps({"n": number, "t": f"{number * 7919 % 10007:x}" * 9}).encode() + b"\n" for number in range(9000)
)


def read(path: Path, encoding: str | None = None) -> tuple[list[object], list[str]]:
    """Values of what is read, and the reasons of what is not."""
    [source] = sources_of([str(path)])
    found = list(source.documents(encoding))
    values: list[object] = [one.value for one in found if isinstance(one, Document)]
    return values, [one.reason for one in found if isinstance(one, Unreadable)]


EXPECTED = [{"n": number, "t": "é"} for number in range(4)]


@pytest.mark.parametrize(
    "content",
    [
        LINES,
        gzip.compress(LINES),
        gzip.compress(LINES[:20]) + gzip.compress(LINES[20:]),
        gzip.compress(gzip.compress(LINES)),
        zstd.compress(LINES),
        zstd.compress(LINES[:20]) + zstd.compress(LINES[20:]),
        b"\xef\xbb\xbf" + LINES,
        LINES.decode().encode("utf-16"),
        LINES.decode().encode("utf-16-le"),
        LINES.decode().encode("utf-16-be"),
        gzip.compress(LINES.decode().encode("utf-16")),
    ],
    ids=range(11),  # gzip writes the time, so the bytes are no name
)
def test_packed_and_encoded(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "misleading.txt"
    file.write_bytes(content)
    assert read(file) == (EXPECTED, [])


def test_latin_1_is_set_aside_unless_it_is_named(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(LINES.decode().encode("latin-1"))
    values, reasons = read(file)
    assert (values, reasons) == ([], ["not UTF-8 text (--encoding names another)"] * 4)
    assert read(file, "latin-1") == (EXPECTED, [])


@pytest.mark.parametrize("packed", [gzip.compress(LONG), zstd.compress(LONG)])
def test_what_came_before_the_cut_counts(tmp_path: Path, packed: bytes) -> None:
    file = tmp_path / "log"
    file.write_bytes(packed[: len(packed) // 2])
    values, reasons = read(file)
    assert len(values) > 1000
    assert reasons[-1] == "the compressed data is cut off"


def test_damage_inside_of_compressed_data(tmp_path: Path) -> None:
    file = tmp_path / "log"
    packed = bytearray(gzip.compress(LONG))
    packed[len(packed) // 2] ^= 0xFF
    packed[len(packed) // 2 + 1] ^= 0xFF
    file.write_bytes(packed)
    assert read(file)[1]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (bytes(range(256)) * 300, "binary data"),
        (b"hello\nworld\n", "neither JSON nor a table"),
        (b"PAR1 and nothing more", "the Parquet file is damaged"),
    ],
)
def test_what_is_no_log(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "log.jsonl"
    file.write_bytes(content)
    assert read(file) == ([], [reason])


def test_lines_that_a_logger_has_begun_are_no_table(tmp_path: Path) -> None:
    file = tmp_path / "app.log"
    file.write_bytes(b'10:00:00,123 INFO {"a": 1, "b": 2}\n10:00:01,123 INFO {"a": 2, "b": 3}\n')
    assert read(file) == ([{"a": 1, "b": 2}, {"a": 2, "b": 3}], [])


def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"")
    assert read(tmp_path / "log") == ([], [])


def test_csv(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes('id;text;"x y"\r\n1;"a\nb; ""c""";é\r\n2;x\r\n3;a;b;c\r\n4;"open\r\n'.encode())
    [source] = sources_of([str(file)])
    found = list(source.documents())
    assert found[0] == Document({"id": "1", "text": 'a\nb; "c"', "x y": "é"}, found[0].raw, 2)  # type: ignore[union-attr]
    assert [(one.line, one.reason) for one in found if isinstance(one, Unreadable)] == [
        (5, "more cells than the header has columns"),
        (6, "a quote in it is not closed"),
    ]
    assert isinstance(found[1], Document)
    assert found[1].value == {"id": "2", "text": "x"}


def test_parquet_also_packed(tmp_path: Path) -> None:
    file = tmp_path / "log.parquet"
    with duckdb.connect() as con:
        con.execute(
            "COPY (SELECT 1 AS n, [{'role': 'user'}] AS messages, TIMESTAMP '2026-01-02 03:04:05' AS t, NULL AS x) "
            f"TO '{file}'"
        )
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    expected = [{"n": 1, "messages": [{"role": "user"}], "t": "2026-01-02 03:04:05", "x": None}]
    assert read(file) == (expected, [])
    assert read(packed) == (expected, [])


def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(LINES))))
    [source] = sources_of(["-"])
    assert [one.value for one in source.documents() if isinstance(one, Document)] == EXPECTED


def test_folders_and_patterns(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b/c.jsonl", ".hidden/d.jsonl", "e.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
    names = [source.name for source in sources_of([str(tmp_path)], directory=tmp_path)]
    assert names == ["a.jsonl", str(Path("b/c.jsonl")), "e.csv"]
    assert [source.name for source in sources_of(["**/*.jsonl", "a.jsonl"], directory=tmp_path)] == names[:2]
    with pytest.raises(UsageError, match="No file fits"):
        sources_of(["*.nothing"], directory=tmp_path)
    with pytest.raises(UsageError, match="There is no file"):
        sources_of(["nothing"], directory=tmp_path)
