"""Whole commands in processes of their own, watched: what they printed, and whom they tried to reach."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from llmctl.errors import LlmctlError
from llmctl.providers.embeddings import Embedder
from llmctl.providers.local import weights
from llmctl.providers.local.server import require_package

__all__ = [
    "Contact",
    "Ended",
    "Watched",
    "assert_nobody_was_tried",
    "has_embeddings",
    "has_local_model",
    "own_network",
    "watch",
]

_ROOT = Path(__file__).parents[2]
_HOOK = Path(__file__).parent / "hook"
_UNSHARE = ["unshare", "--net", "--map-root-user"]


@dataclass(frozen=True, order=True)
class Contact:
    """An address that was tried, or a name that was looked up (then without a meaning of the port)."""

    event: str
    host: str
    port: int | str | None


@dataclass(frozen=True)
class Ended:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Watched:
    """What several commands did, one after the other."""

    ended: list[Ended]
    contacts: list[Contact]
    urls: list[str]
    """Of the loopback servers, which end with `/v1`."""
    seen: list[list[dict[str, Any]]]
    """The requests that each of them got."""
    kernel: Mapping[str, int] = field(default_factory=dict)
    """Counters of the network that the commands had to themselves; empty where they had none."""

    @property
    def hosts(self) -> set[str]:
        """`host:port` of every contact."""
        return {f"{contact.host}:{contact.port}" for contact in self.contacts}

    @property
    def servers(self) -> list[str]:
        """`host:port` of the loopback servers."""
        return [url.removeprefix("http://").partition("/")[0] for url in self.urls]


@cache
def own_network() -> bool:
    """Whether a process may be given a network of its own here."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*_UNSHARE, "true"], capture_output=True, check=False).returncode == 0


def watch(
    folder: Path,
    *commands: Sequence[str],
    environ: Mapping[str, str] | None = None,
    blocked: bool = False,
    servers: int = 0,
    scripts: Sequence[Mapping[str, Sequence[Mapping[str, object]]]] = (),
    templates: Sequence[Path] = (),
    umask: int = -1,
) -> Watched:
    """Run commands of llmctl in `folder`, with as many loopback servers beside them.

    `URL0`, `URL1` in `environ` and in the files `templates` become the servers' addresses. `blocked`: every attempt to
    reach another process over a network fails, and is noted all the same.
    """
    beside = folder.parent / f"{folder.name}.watched"
    beside.mkdir(exist_ok=True)
    log, spec = beside / "contacts.jsonl", beside / "spec.json"
    log.write_text("", encoding="utf-8")
    watching = {
        "PYTHONPATH": os.pathsep.join([str(_HOOK), str(_ROOT)]),
        "PRIVACY_LOG": str(log),
        "PRIVACY_BLOCKED": "1" if blocked else "",
        "NO_COLOR": "1",
        "COLUMNS": "200",
    }
    told = {
        "folder": str(folder),
        "commands": [list(map(str, command)) for command in commands],
        "environ": watching | dict(environ or {}),
        "servers": servers,
        "scripts": list(scripts),
        "templates": list(map(str, templates)),
        "umask": umask,
        "own_network": own_network(),
    }
    spec.write_text(json.dumps(told), encoding="utf-8")
    prefix = _UNSHARE if own_network() else []
    command = [*prefix, sys.executable, "-m", "tests.privacy.launcher", str(spec)]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads(done.stdout)
    return Watched(
        [Ended(**one) for one in report["ended"]],
        [Contact(**json.loads(line)) for line in log.read_text(encoding="utf-8").splitlines()],
        report["urls"],
        report["seen"],
        report["kernel"] if own_network() else {},
    )


def assert_nobody_was_tried(watched: Watched) -> None:
    """Neither by Python code nor, where the commands had a network of their own, by anything else."""
    assert watched.contacts == []
    assert not any(watched.kernel.values()), watched.kernel


def has_local_model() -> bool:
    try:
        require_package()
        weights.find("smollm2-135m")
    except LlmctlError:
        return False
    return True


def has_embeddings() -> bool:
    try:
        Embedder("all-MiniLM-L6-v2", Path("unused"), offline=True).check()
    except LlmctlError:
        return False
    return True
