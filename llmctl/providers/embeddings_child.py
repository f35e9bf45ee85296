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
from typing import Any

from llmctl.processes.lifeline import Parent

__all__ = ["main"]

Encode = Callable[[list[str]], Any]


def main() -> None:
    """Answer until stdin closes."""
    parent = Parent(Path(sys.argv[1]))
    settings = parent.settings()
    try:
        encode = _load(settings)
    except Exception as error:
        parent.say({"error": f"{type(error).__name__}: {error}"})
        parent.end(1)
    parent.say({"ready": True})
    for line in sys.stdin.buffer:
        if not line.endswith(b"\n"):  # the parent died in the middle of it
            break
        _answer(encode, json.loads(line)["texts"], parent)
    parent.end()


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


def _answer(encode: Encode, texts: list[str], parent: Parent) -> None:
    try:
        vectors = encode(texts).astype("<f4")
    except Exception as error:
        parent.say({"error": f"{type(error).__name__}: {error}"})
        return
    parent.say({"count": vectors.shape[0], "dimension": vectors.shape[1]}, vectors.tobytes())


if __name__ == "__main__":
    main()
