"""Starts the benchmark's server as a process of its own, asks it for its counts, and ends it."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from types import TracebackType

from benchmarks.server import ServerStats

__all__ = ["BenchServer"]


class BenchServer:
    """The server as a context manager; it also ends by itself when this process dies."""

    def __init__(self, deadline_s: float = 3600.0) -> None:
        self._deadline_s = deadline_s
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def __enter__(self) -> BenchServer:
        command = [sys.executable, "-m", "benchmarks.server", "--deadline-s", str(self._deadline_s)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the benchmark's server did not start")
        self.port = int(line)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    @property
    def pid(self) -> int:
        """The server's process."""
        if self._process is None:
            raise RuntimeError("the benchmark's server was not started")
        return self._process.pid

    def base_url(self, latency_ms: int = 0, spread_ms: int = 0) -> str:
        """The `api_base` whose answers take so long, `spread_ms` more or less."""
        prefix = f"/ms/{latency_ms - spread_ms}-{latency_ms + spread_ms}" if latency_ms else ""
        return f"http://127.0.0.1:{self.port}{prefix}/v1"

    def stats(self) -> ServerStats:
        """What came in since the last reset."""
        return self._ask("GET", "/stats")

    def reset(self) -> ServerStats:
        """Begin to count anew; what had come in before."""
        return self._ask("POST", "/reset")

    def _ask(self, method: str, path: str) -> ServerStats:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, headers={"Content-Length": "0"})
            return ServerStats(**json.loads(connection.getresponse().read()))
        finally:
            connection.close()
