"""Runs commands in a network of their own, and says which addresses were tried: a process of the tests.

    python -m tests.privacy.launcher SPEC.json

`unshare --net` stands before it where that is allowed. Then the kernel counts, too: an address that is tried without a
route to it raises `OutNoRoutes`, whichever library tried. `watched.py` writes the spec, and reads what comes on stdout.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.openai_server import OpenAIServer, Reply

__all__ = ["main"]

_SIOCSIFFLAGS = 0x8914
_UP_AND_RUNNING = 0x41
_COUNTED = ("Ip.OutNoRoutes", "Tcp.ActiveOpens", "Udp.OutDatagrams", "Ip6OutNoRoutes", "Ip6OutRequests")


def main() -> None:
    """Run what the spec says."""
    spec = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    if spec["own_network"] and spec["servers"]:
        _loopback_up()
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(OpenAIServer()) for _ in range(spec["servers"])]
        for server, scripts in zip(servers, spec["scripts"], strict=False):
            for model, replies in scripts.items():
                server.script(model, *map(_reply, replies))
        urls = {f"URL{number}": server.url for number, server in enumerate(servers)}
        for path in spec["templates"]:
            file = Path(path)
            file.write_text(_filled(file.read_text(encoding="utf-8"), urls), encoding="utf-8")
        before = _counters()
        ended = [_run(command, spec, urls) for command in spec["commands"]]
        after = _counters()
        report = {
            "ended": ended,
            "urls": list(urls.values()),
            "seen": [[dataclasses.asdict(one) for one in server.seen] for server in servers],
            "kernel": {name: after[name] - before[name] for name in after},
        }
    json.dump(report, sys.stdout, default=lambda value: value.decode("utf-8", "replace"))


def _reply(fields: dict[str, Any]) -> Reply:
    """A reply; `text_body` is its body as text, which JSON can carry."""
    body = fields.pop("text_body", None)
    return Reply(**fields, body=None if body is None else body.encode())


def _run(command: list[str], spec: dict[str, Any], urls: dict[str, str]) -> dict[str, object]:
    environ = {**os.environ, **{name: _filled(value, urls) for name, value in spec["environ"].items()}}
    done = subprocess.run(
        [sys.executable, "-m", "llmctl", *command],
        cwd=spec["folder"],
        env=environ,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
        umask=spec["umask"],
    )
    texts = {"out": done.stdout.decode("utf-8", "replace"), "err": done.stderr.decode("utf-8", "replace")}
    return {"code": done.returncode, **texts}


def _filled(text: str, urls: dict[str, str]) -> str:
    for name, url in urls.items():
        text = text.replace(name, url)
    return text


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _UP_AND_RUNNING))


def _counters() -> dict[str, int]:
    """What the kernel counted in this network since it was made."""
    found: dict[str, int] = {}
    with contextlib.suppress(FileNotFoundError):  # not Linux
        lines = Path("/proc/net/snmp").read_text(encoding="ascii").splitlines()
        for names, values in zip(lines[::2], lines[1::2], strict=True):
            group = names.partition(":")[0]
            pairs = zip(names.split()[1:], values.split()[1:], strict=True)
            found |= {f"{group}.{name}": int(value) for name, value in pairs}
        for line in Path("/proc/net/snmp6").read_text(encoding="ascii").splitlines():
            name, value = line.split()
            found[name] = int(value)
    return {name: found.get(name, 0) for name in _COUNTED}


if __name__ == "__main__":
    main()
