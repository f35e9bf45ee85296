"""The child's side of scoring in bulk: batches in, results out, until stdin closes. Run as a module."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from typing import BinaryIO

from llmctl.errors import LlmctlError
from llmctl.processes.lifeline import Parent
from llmctl.project.collector import collecting_seldom
from llmctl.runs.rescore.bulk import BatchScorer

__all__ = ["main"]

_LENGTH_BYTES = 8


def main() -> None:
    """Serve the parent."""
    answers = os.fdopen(os.dup(1), "wb")  # before `Parent` gives stdout another meaning
    parent = Parent(Path(sys.argv[1]))
    requests = sys.stdin.buffer
    source, empty = pickle.loads(_read(requests, parent))  # the parent's own
    _say(answers, b'{"ready": true}')
    with collecting_seldom(), BatchScorer(source, empty) as scorer:
        while True:
            units = pickle.loads(_read(requests, parent))
            try:
                answer: object = scorer.score(units)
            except LlmctlError as error:
                answer = error
            _say(answers, pickle.dumps(answer))


def _read(requests: BinaryIO, parent: Parent) -> bytes:
    head = requests.read(_LENGTH_BYTES)
    if len(head) < _LENGTH_BYTES:
        parent.end()
    return requests.read(int.from_bytes(head))


def _say(answers: BinaryIO, data: bytes) -> None:
    answers.write(len(data).to_bytes(_LENGTH_BYTES) + data)
    answers.flush()


if __name__ == "__main__":
    main()
