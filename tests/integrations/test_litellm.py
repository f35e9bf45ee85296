"""A real application on litellm, against a server on loopback: what it asks and gets is in the store."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from llmctl.outcome import Outcome
from llmctl.traffic.store import TrafficStore

APPLICATION = """
import asyncio, json, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        said = asked["messages"][-1]["content"]
        base = {"id": "c-" + said, "created": 1, "model": "served"}
        if said == "fail":
            self.answer(400, "application/json", json.dumps({"error": {"message": "No such thing."}}))
        elif asked.get("stream"):
            parts = [{"role": "assistant", "content": "Hel"}, {"content": "lo"}, {}]
            chunks = [{**base, "object": "chat.completion.chunk", "choices": [
                {"index": 0, "delta": part, "finish_reason": None if part else "stop"}]} for part in parts]
            self.answer(200, "text/event-stream", "".join(f"data: {json.dumps(one)}\\n\\n" for one in chunks)
                        + "data: [DONE]\\n\\n")
        else:
            self.answer(200, "application/json", json.dumps({**base, "object": "chat.completion", "choices": [
                {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}],
                "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}}))
    def answer(self, status, kind, text):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())
    def log_message(self, *_):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()

import litellm
from llmctl.integrations.litellm import TrafficLogger

logger = TrafficLogger(sys.argv[1])
litellm.callbacks = [logger]
common = dict(model="openai/m", api_base=f"http://127.0.0.1:{server.server_port}/v1",
              api_key="a-key-of-nobody-0123456789", max_retries=0, num_retries=0)

def messages(said):
    return [{"role": "user", "content": said}]

litellm.completion(messages=messages("sync"), temperature=0.5, **common,
                   metadata={"prompt_name": "triage", "variables": {"ticket": "T1"}})
list(litellm.completion(messages=messages("stream"), stream=True, **common))
try:
    litellm.completion(messages=messages("fail"), **common)
except litellm.BadRequestError:
    pass

async def work():
    await litellm.acompletion(messages=messages("async"), **common)
    async for _ in await litellm.acompletion(messages=messages("astream"), stream=True, **common):
        pass
    await asyncio.sleep(1)

asyncio.run(work())
print("failures", logger.failures)
"""


def _run(tmp_path: Path, store: Path) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "application.py"
    script.write_text(textwrap.dedent(APPLICATION), encoding="utf-8")
    return subprocess.run(
        [sys.executable, str(script), str(store)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"},
    )


def test_every_call_of_an_application_is_recorded_once(tmp_path: Path) -> None:
    done = _run(tmp_path, tmp_path / ".llmctl")
    assert done.returncode == 0, done.stderr
    assert "failures 0" in done.stdout
    calls = [one.call for one in TrafficStore(tmp_path / ".llmctl").calls()]
    by_text = {str((call.messages or ({},))[-1].get("content")): call for call in calls}
    assert sorted(by_text) == ["astream", "async", "fail", "stream", "sync"]
    assert len(calls) == 5
    assert {name: call.output for name, call in by_text.items() if name != "fail"} == dict.fromkeys(
        ("astream", "async", "stream", "sync"), "Hello"
    )
    sync, failed = by_text["sync"], by_text["fail"]
    assert (sync.prompt_name, sync.variables, sync.provider) == ("triage", {"ticket": "T1"}, "openai")
    assert (sync.input_tokens, sync.output_tokens, sync.params) == (3, 1, {"temperature": 0.5})
    assert sync.latency_ms is not None and sync.latency_ms > 0
    assert (failed.outcome, failed.status) == (Outcome.BAD_REQUEST, 400)
    assert failed.error is not None and "No such thing." in failed.error
    assert by_text["stream"].ttft_ms is not None
    written = b"".join(path.read_bytes() for path in (tmp_path / ".llmctl" / "traffic").iterdir())
    assert b"a-key-of-nobody" not in written


def test_its_own_failures_are_heard(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    done = _run(tmp_path, tmp_path / "file")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("TrafficLogger could not record") == 1
