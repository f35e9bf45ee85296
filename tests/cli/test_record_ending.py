"""`llmctl record` in front of every kind of upstream, and however it ends: killed, terminated, or with a full disk."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from llmctl.traffic.store import TrafficStore
from tests.providers.local_support import real_weights, short_tmp

__all__ = ["real_weights", "short_tmp"]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX")

BODY = {"model": "m", "messages": [{"role": "user", "content": "Hi " * 200}]}


class _Upstream(ThreadingHTTPServer):
    """Answers with its own number each time, after `go_on` is set."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.count = 0
        self.asked = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, _Upstream)
        self.rfile.read(int(self.headers["Content-Length"]))
        server.count += 1
        number = server.count
        server.asked.set()
        server.go_on.wait(30)
        message = {"message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
        body = json.dumps({"id": f"c-{number}", "model": "m", "choices": [message]}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def _serving(wrap: Callable[[socket.socket], socket.socket] | None = None) -> Iterator[_Upstream]:
    server = _Upstream()
    if wrap is not None:
        server.socket = wrap(server.socket)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.go_on.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def upstream() -> Iterator[_Upstream]:
    with _serving() as server:
        yield server


class _Recorder:
    """The command, started in a folder of its own."""

    def __init__(self, folder: Path, address: str, *, limits: str = "") -> None:
        (folder / "llmctl.toml").write_text("", encoding="utf-8")
        command = [sys.executable, "-m", "llmctl", "record", "--port", "0", "--upstream", address]
        if limits:
            command = ["sh", "-c", f"{limits}; exec {shlex.join(command)}"]
        self.process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        self.stderr = self.process.stderr
        line = self.stderr.readline()
        found = re.match(r"Recording http://127\.0\.0\.1:(\d+) -> ", line)
        assert found is not None, line + self.stderr.read()
        self.port = int(found[1])

    def __enter__(self) -> _Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def ask(self, client: http.client.HTTPConnection, body: object = BODY) -> bytes:
        """The answer's body."""
        client.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
        response = client.getresponse()
        data = response.read()
        assert response.status == 200, data
        return data

    def client(self) -> http.client.HTTPConnection:
        """A client of it."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def wait_until_it_listens_no_more(self) -> None:
        """Nobody new is let in, once it has seen a signal."""
        with pytest.raises((ConnectionRefusedError, ConnectionResetError)):
            while True:
                socket.create_connection(("127.0.0.1", self.port)).close()

    def ended(self, number: signal.Signals) -> tuple[int, str]:
        """Its exit code and what it said last; the writing process holds its stderr too, and has ended with it."""
        self.process.send_signal(number)
        said = self.stderr.read()
        return self.process.wait(30), said


def _address(server: _Upstream, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{server.server_port}"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_under_way_ends_before_the_recorder(
    tmp_path: Path, upstream: _Upstream, number: signal.Signals
) -> None:
    upstream.go_on.clear()
    answers: list[bytes] = []
    with _Recorder(tmp_path, _address(upstream)) as recorder, contextlib.closing(recorder.client()) as client:
        asking = threading.Thread(target=lambda: answers.append(recorder.ask(client)))
        asking.start()
        assert upstream.asked.wait(20)
        recorder.process.send_signal(number)
        recorder.wait_until_it_listens_no_more()
        upstream.go_on.set()
        asking.join(30)
        said = recorder.stderr.read()
        assert recorder.process.wait(30) == 0, said
    assert json.loads(answers[0])["id"] == "c-1"
    assert "recorded 1 call as " in said


def test_a_second_signal_cuts_off_what_is_under_way(tmp_path: Path, upstream: _Upstream) -> None:
    upstream.go_on.clear()
    with _Recorder(tmp_path, _address(upstream)) as recorder, contextlib.closing(recorder.client()) as client:
        client.request("POST", "/v1/chat/completions", json.dumps(BODY))
        assert upstream.asked.wait(20)
        recorder.process.send_signal(signal.SIGINT)
        recorder.wait_until_it_listens_no_more()
        code, said = recorder.ended(signal.SIGINT)
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            client.getresponse()
    assert code == 0, said
    (stored,) = TrafficStore(tmp_path / ".llmctl").calls()
    assert stored.call.tags == ("stopped",)


def test_killed_it_loses_nothing_that_was_handed_over(tmp_path: Path, upstream: _Upstream) -> None:
    sent = 0
    with _Recorder(tmp_path, _address(upstream)) as recorder, contextlib.closing(recorder.client()) as client:
        traffic = tmp_path / ".llmctl" / "traffic"
        while sent < 20 or not any(path.stat().st_size for path in traffic.glob("*.jsonl")):
            recorder.ask(client)
            sent += 1
        code, _ = recorder.ended(signal.SIGKILL)
    assert code == -signal.SIGKILL
    ids = [one.call.source_id for one in TrafficStore(tmp_path / ".llmctl").calls()]
    assert ids == [f"c-{number + 1}" for number in range(len(ids))], "none is missing in between"
    assert 1 <= len(ids) <= sent
    (journal,) = traffic.glob("*.jsonl")
    assert b'"type":"traffic_end"' in journal.read_bytes().splitlines()[-1], "the writing process has ended in order"


def test_a_full_disk_is_said_and_no_client_notices(tmp_path: Path, upstream: _Upstream) -> None:
    with (
        # Nothing may grow beyond 64 KiB: writing fails as on a full disk.
        _Recorder(tmp_path, _address(upstream), limits="ulimit -f 128") as recorder,
        contextlib.closing(recorder.client()) as client,
    ):
        ids = [json.loads(recorder.ask(client))["id"] for _ in range(300)]
        code, said = recorder.ended(signal.SIGINT)
    assert ids == [f"c-{number + 1}" for number in range(300)]
    assert code == 4, said
    assert said.count("Warning: The journal") == 1
    assert "cannot be written: File too large." in said and "no longer recorded." in said
    recorded = re.search(r"recorded (\d+) calls as", said)
    lost = re.search(r"passed on, and not kept: the journal could not be written x (\d+)", said)
    assert recorded is not None and lost is not None, said
    assert int(recorded[1]) + int(lost[1]) == 300
    assert len(list(TrafficStore(tmp_path / ".llmctl").calls())) == int(recorded[1])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="children are found in /proc")
def test_without_its_writing_process_it_passes_on_and_ends_with_4(tmp_path: Path, upstream: _Upstream) -> None:
    with _Recorder(tmp_path, _address(upstream)) as recorder, contextlib.closing(recorder.client()) as client:
        pid = recorder.process.pid
        (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        os.kill(int(child), signal.SIGKILL)
        assert "no longer recorded" in recorder.stderr.readline()
        ids = [json.loads(recorder.ask(client))["id"] for _ in range(3)]
        code, said = recorder.ended(signal.SIGINT)
    assert (ids, code) == (["c-1", "c-2", "c-3"], 4)
    assert said == "recorded 0 calls\npassed on, and not kept: the journal could not be written x 3\n"


# TLS, with a certificate authority of these tests.


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here to make certificates with")
    folder = tmp_path_factory.mktemp("tls")
    (folder / "san").write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE", encoding="utf-8")
    key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    for line in (
        f"req -x509 {key} -days 2 -subj /CN=ca -keyout ca.key -out ca.pem",
        f"req {key} -subj /CN=server -keyout server.key -out server.csr",
        "x509 -req -days 2 -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile san -out server.pem",
    ):
        subprocess.run(["openssl", *line.split()], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("trusted", [True, False])
def test_https_with_a_certificate_of_ones_own(
    tmp_path: Path, certificates: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "ca.pem"))
    else:
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with (
        _serving(lambda plain: context.wrap_socket(plain, server_side=True)) as server,
        _Recorder(tmp_path, _address(server, "https")) as recorder,
        contextlib.closing(recorder.client()) as client,
    ):
        client.request("POST", "/v1/chat/completions", json.dumps(BODY))
        response = client.getresponse()
        found = json.loads(response.read())
        code, said = recorder.ended(signal.SIGINT)
    assert code == 0, said
    (stored,) = TrafficStore(tmp_path / ".llmctl").calls()
    if trusted:
        assert (response.status, found["id"], stored.call.output) == (200, "c-1", "Hello")
    else:
        assert (response.status, found["error"]["code"]) == (502, "upstream_unreachable")
        assert "certificate" in found["error"]["message"].lower()
        assert stored.call.tags == ("unreachable",)


@pytest.mark.usefixtures("real_weights")
def test_a_local_model_is_started_recorded_and_ended(short_tmp: Path) -> None:
    body = {"model": "any", "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 4, "temperature": 0}
    with (
        _Recorder(short_tmp, "local/smollm2-135m") as recorder,
        contextlib.closing(recorder.client()) as client,
    ):
        whole = json.loads(recorder.ask(client, body))
        streamed = recorder.ask(client, {**body, "stream": True})
        code, said = recorder.ended(signal.SIGINT)
    assert code == 0, said
    assert streamed.endswith(b"data: [DONE]\n\n")
    first, second = (one.call for one in TrafficStore(short_tmp / ".llmctl").calls())
    assert first.output == second.output == whole["choices"][0]["message"]["content"]
    assert (first.provider, first.ttft_ms) == ("local", None)
    assert second.ttft_ms is not None and second.latency_ms is not None and second.ttft_ms <= second.latency_ms
