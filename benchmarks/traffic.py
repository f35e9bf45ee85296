"""Makes logs of any length and measures their import: `python -m benchmarks.traffic 1000000`.

The lines are OpenAI chat pairs (request and response, about 1.1 kB), each with texts of its own. The import runs in a
process of its own, through the same function as `llmctl traffic import`; peak memory is that process's. The index is
built after it and measured apart.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["lines", "main", "write_log"]

_WORDS = ("parcel", "card", "refund", "delay", "invoice", "order", "address", "charge", "return", "label", "account")
_QUEUES = ("billing", "shipping", "other")
_MODELS = ("gpt-4o-mini", "gpt-4.1-mini", "gpt-5-nano")
_SYSTEM = (
    "You route support tickets of Acme to one queue:\nbilling: cards, charges, refunds\nshipping: parcels, delays\n"
    "other: everything else\nAnswer with the name of the queue and nothing else."
)
_CHILD = """
import json, os, resource, sys, time
from pathlib import Path
from llmctl.providers.redaction import Redactor
from llmctl.traffic import importing
from llmctl.traffic.sources import sources_of

store, log = map(Path, sys.argv[1:3])
began, began_cpu = time.monotonic(), time.process_time()
marks = {}
class Later:
    def __init__(self, store): self.store = store
    def look(self, reading): return importing_reader(self.store).look(reading)
    def refresh(self):
        marks["read"] = (time.monotonic() - began, time.process_time() - began_cpu)
        marks["read_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return importing_reader(self.store).refresh()
importing_reader, importing.StoreReader = importing.StoreReader, Later
from llmctl.project.collector import collecting_seldom
with collecting_seldom():
    done = importing.import_traffic(store, sources_of([str(log)]), importing.Importing(), Redactor(os.environ))
marks["all"] = (time.monotonic() - began, time.process_time() - began_cpu)
marks["all_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"imported": done.imported, "skipped": done.skipped, "later": done.later, **marks}))
"""


def lines(count: int, seed: int = 7) -> Iterator[str]:
    """So many lines of a log, each another."""
    source = random.Random(seed)
    for number in range(count):
        ticket = " ".join(source.choices(_WORDS, k=40))
        request = {
            "model": source.choice(_MODELS),
            "messages": [
                {"role": "system", "content": _SYSTEM},
                {"role": "user", "content": f"Ticket {number}: {ticket}"},
            ],
            "temperature": 0,
            "max_tokens": 24,
        }
        answer = {"role": "assistant", "content": source.choice(_QUEUES), "refusal": None}
        response = {
            "id": f"chatcmpl-{source.getrandbits(96):024x}",
            "object": "chat.completion",
            "created": 1_790_000_000 + number,
            "model": f"{request['model']}-2026-03-01",
            "choices": [{"index": 0, "message": answer, "logprobs": None, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 110, "completion_tokens": 3, "total_tokens": 113},
        }
        yield json.dumps({"request": request, "response": response, "latency_ms": source.randint(200, 900)})


def write_log(path: Path, count: int) -> int:
    """Write a log; its size in bytes."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines(count))
    return path.stat().st_size


def main(arguments: Sequence[str]) -> int:
    """Measure the import of logs of these lengths."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", nargs="+", type=int, metavar="LINES")
    for count in parser.parse_args(arguments).counts:
        with tempfile.TemporaryDirectory(prefix="traffic-benchmark-") as folder:
            _measure(Path(folder), count)
    return 0


def _measure(folder: Path, count: int) -> None:
    size = write_log(folder / "log.jsonl", count)
    for title in ("first import", "again"):
        began = time.monotonic()
        child = subprocess.run(
            [sys.executable, "-c", _CHILD, str(folder / "store"), str(folder / "log.jsonl")],
            check=False,
            capture_output=True,
            text=True,
        )
        if child.returncode:
            raise SystemExit(child.stderr)
        found = json.loads(child.stdout)
        wall_s = time.monotonic() - began
        read_wall, read_cpu = found.get("read", found["all"])
        index_cpu = found["all"][1] - read_cpu
        sys.stdout.write(
            f"{count:,} lines, {size / 1e6:,.0f} MB, {title}: imported {found['imported']:,}, "
            f"skipped {found['skipped']:,}; read and written {read_wall:.1f} s, {read_cpu:.1f} s of CPU, "
            f"{count / read_cpu:,.0f} lines per CPU second, peak {found.get('read_mib', found['all_mib']):.0f} MiB; "
            f"index {found['all'][0] - read_wall:.1f} s, {index_cpu:.1f} s of CPU, peak {found['all_mib']:.0f} MiB; "
            f"whole process {wall_s:.1f} s {found['later'] or ''}\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
