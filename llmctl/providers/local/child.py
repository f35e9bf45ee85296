"""The process that runs llama.cpp: an OpenAI-protocol server on a private socket, tied to its parent by stdin.

Settings come as one line of JSON on stdin; one line of JSON on stdout says that the server is ready, or why not.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmctl.processes.lifeline import Parent, work_must_end_within

if TYPE_CHECKING:
    import xllamacpp

__all__ = ["main"]

CONTEXT_TOKENS = 2048


def main() -> None:
    """Serve until stdin closes."""
    parent = Parent(Path(sys.argv[1]))
    settings = parent.settings()
    work_must_end_within(float(settings["deadline_s"]))
    try:
        server = _serve(settings)
    except Exception as error:
        parent.say({"error": f"{type(error).__name__}: {error}"})
        parent.end(1)
    work_must_end_within(None)
    parent.say({"ready": server.listening_address})
    while sys.stdin.buffer.read(4096):
        pass
    parent.end()


def _serve(settings: dict[str, Any]) -> xllamacpp.Server:
    import xllamacpp

    return xllamacpp.Server(_params(xllamacpp.CommonParams(), settings))


def _params(params: xllamacpp.CommonParams, settings: dict[str, Any]) -> xllamacpp.CommonParams:
    params.model.path = settings["weights"]
    params.model_alias = {settings["alias"]}
    params.hostnames = [settings["host"]]
    params.port = 0  # with a host name: any free one
    params.api_keys = [settings["api_key"]] if settings["api_key"] else []
    params.n_ctx = CONTEXT_TOKENS
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = _cores()
    params.verbosity = -1
    params.offline = True
    params.ui = False
    params.endpoint_slots = params.endpoint_props = False
    params.cache_ram_mib = 0  # by default it may take 8 GB to keep old prompts
    return params


def _cores() -> int:
    """Those that this process may use; elsewhere than on Linux that cannot be asked."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


if __name__ == "__main__":
    main()
