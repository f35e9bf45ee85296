"""`llmctl record` as it is started and ended from a shell."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.cli.conftest import Invoke

ANSWER = {
    "id": "c-1",
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
}


class _Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps(ANSWER).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def upstream() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Upstream)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_record_then_ctrl_c_then_list(llmctl: Invoke, tmp_path: Path, upstream: str) -> None:
    (tmp_path / "llmctl.toml").write_text("", encoding="utf-8")
    command = [sys.executable, "-m", "llmctl", "record", "--port", "0", "--upstream", upstream]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            said = process.stderr.readline()
            found = re.match(r"Recording http://127\.0\.0\.1:(\d+) -> " + re.escape(upstream), said)
            assert found is not None, said
            client = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=20)
            body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}]})
            client.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
            assert json.loads(client.getresponse().read()) == ANSWER
            process.send_signal(signal.SIGINT)
            rest = process.stderr.read()
            client.close()
            assert process.wait(20) == 0
        finally:
            process.kill()
    assert re.match(r"recorded 1 call as \S+\n", rest), rest
    listed = llmctl("traffic", "list", "--json")
    assert listed.code == 0, listed.err
    assert '"c-1"' in listed.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--upstream", "ftp://x"), "is no address of an HTTP server"),
        (("--upstream", "https://user:pw@x"), "holds a user"),
        (("--upstream", "http://x", "--prompt-header", "a b"), "cannot be the name of a header"),
        (("--upstream", "http://x", "--host", "192.0.2.1"), "Nothing can listen on http://192.0.2.1:8080"),
    ],
)
def test_mistakes(llmctl: Invoke, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    (tmp_path / "llmctl.toml").write_text("", encoding="utf-8")
    done = llmctl("record", *arguments)
    assert done.code == 2
    assert said in " ".join(done.err.split())
    assert "pw@" not in done.err
