"""The process that makes embeddings: texts in as a line of JSON, vectors out as a JSON header and raw float32.

The first line holds the settings and is answered by `{"ready": true}`. Each later line `{"texts": [...]}` is answered
by `{"count": n, "dimension": d}` and n x d little-endian floats, or by `{"error": ...}`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from llmctl.providers.local import lifeline

__all__ = ["main"]

Encode = Callable[[list[str]], Any]


def main() -> None:
    """Answer until stdin closes."""
    answers = lifeline.private_stdout()
    folder = Path(sys.argv[1])
    lifeline.tie_to_parent(folder)
    line = sys.stdin.buffer.readline()
    if not line:
        lifeline.end(folder)
    settings = json.loads(line)
    try:
        encode = _load(settings)
    except Exception as error:
        _say(answers, {"error": f"{type(error).__name__}: {error}"})
        lifeline.end(folder, 1)
    _say(answers, {"ready": True})
    for line in sys.stdin.buffer:
        _answer(encode, json.loads(line)["texts"], answers)
    lifeline.end(folder)


def _load(settings: dict[str, Any]) -> Encode:
    _prepare_environment(settings)
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(settings["threads"])
    # On the CPU: the same vectors on every machine, and no seconds spent on waking a GPU for short texts.
    local = bool(settings["local"])
    model = SentenceTransformer(settings["source"], device="cpu", local_files_only=local, trust_remote_code=False)

    def encode(texts: list[str]) -> Any:
        return model.encode(texts, batch_size=64, normalize_embeddings=True, show_progress_bar=False)

    return encode


def _prepare_environment(settings: dict[str, Any]) -> None:
    """Libraries read these when they are imported."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    os.environ["OMP_NUM_THREADS"] = str(settings["threads"])
    if settings["local"]:
        os.environ["HF_HUB_OFFLINE"] = "1"
        os.environ["TRANSFORMERS_OFFLINE"] = "1"


def _answer(encode: Encode, texts: list[str], answers: BinaryIO) -> None:
    try:
        vectors = encode(texts).astype("<f4")
    except Exception as error:
        _say(answers, {"error": f"{type(error).__name__}: {error}"})
        return
    _say(answers, {"count": vectors.shape[0], "dimension": vectors.shape[1]}, vectors.tobytes())


def _say(answers: BinaryIO, header: dict[str, object], body: bytes = b"") -> None:
    answers.write(json.dumps(header).encode() + b"\n" + body)
    answers.flush()


if __name__ == "__main__":
    main()
