"""A headless Chromium over its debugging pipe: opens a page, runs a script in it, and notes what it complained of."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

__all__ = ["Tab", "browser", "find_browser"]

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)
# The pipe is on descriptors 3 and 4, which Popen cannot choose.
_SHIM = (
    "import os, sys; read, write = map(int, sys.argv[1:3]); os.dup2(read, 3); os.dup2(write, 4);"
    " os.execvp(sys.argv[3], sys.argv[3:])"
)
_TIMEOUT_S = 60.0


def find_browser() -> str | None:
    """The path of a Chromium, where one is installed."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for name in names if (path := shutil.which(name))), None)


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Callable[[], Tab]]:
    """Start a browser with a new profile; gives a function that opens a tab."""
    program = find_browser()
    if program is None:
        raise RuntimeError("no Chromium is installed")
    commands, answers = os.pipe(), os.pipe()
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 20) for end in (commands[0], answers[1])]
    started = [sys.executable, "-c", _SHIM, *map(str, ends), program, *_FLAGS, f"--user-data-dir={profile}"]
    with subprocess.Popen(started, pass_fds=ends, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        for end in (*ends, commands[0], answers[1]):
            os.close(end)
        pipe = _Pipe(answers[0], commands[1])
        try:
            yield lambda: Tab(pipe)
            pipe.call("Browser.close")
            process.wait(_TIMEOUT_S)
        finally:
            os.close(answers[0])
            os.close(commands[1])
            if process.poll() is None:
                process.kill()


class _Pipe:
    """Messages are JSON, each ended by a NUL."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write = read, write
        self._rest = b""
        self._number = 0
        self.listeners: list[Callable[[dict[str, Any]], None]] = []

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; events that come before it go to the listeners."""
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._write, data) :]
        answer = self.wait(lambda one: one.get("id") == number)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def wait(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next message that is wanted."""
        while True:
            message = self._next()
            for listener in self.listeners:
                listener(message)
            if wanted(message):
                return message

    def _next(self) -> dict[str, Any]:
        deadline = time.monotonic() + _TIMEOUT_S
        pieces = [self._rest]
        while b"\0" not in pieces[-1]:
            if not select.select([self._read], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError("the browser does not answer")
            pieces.append(os.read(self._read, 1 << 20))
            if not pieces[-1]:
                raise ConnectionError("the browser has ended")
        line, _, self._rest = b"".join(pieces).partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message


class Tab:
    """A page; `problems` holds what stood in its console, `requests` every address that it asked for."""

    def __init__(self, pipe: _Pipe) -> None:
        self._pipe = pipe
        target = pipe.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = pipe.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.problems: list[str] = []
        self.requests: list[str] = []
        pipe.listeners.append(self._listen)
        for domain in ("Page", "Runtime", "Log", "Network", "Audits"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the DevTools protocol."""
        return self._pipe.call(method, self._session, **parameters)

    def open(self, address: str) -> None:
        """Load an address and wait until it is loaded."""
        self.call("Page.navigate", url="about:blank")
        self.requests.clear()
        self.problems.clear()
        self.call("Page.navigate", url=address)
        self.run(
            "document.readyState === 'complete' || new Promise(done => addEventListener('load', () => done(true)))"
        )

    def run(self, script: str) -> Any:
        """The value of an expression in the page; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def screenshot(self, path: Path, width: int, height: int, *, dark: bool = False) -> None:
        """The page as a picture."""
        self.view(width, height, dark=dark)
        data = self.call("Page.captureScreenshot", captureBeyondViewport=False)["data"]
        path.write_bytes(base64.b64decode(data))

    def view(self, width: int, height: int, *, dark: bool = False) -> None:
        """The size of the window, and the scheme of colours that is wished for."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def print(self) -> bytes:
        """The page as PDF."""
        return base64.b64decode(self.call("Page.printToPDF", printBackground=False)["data"])

    def _listen(self, message: dict[str, Any]) -> None:
        if message.get("sessionId") != self._session:
            return
        match message.get("method"), message.get("params", {}):
            case "Network.requestWillBeSent", parameters:
                self.requests.append(parameters["request"]["url"])
            case "Runtime.consoleAPICalled", parameters:
                self.problems.append(str([one.get("value", one.get("description")) for one in parameters["args"]]))
            case "Runtime.exceptionThrown", parameters:
                self.problems.append(str(parameters["exceptionDetails"]))
            case "Log.entryAdded", parameters:
                self.problems.append(parameters["entry"]["text"])
            case "Audits.issueAdded", parameters if (
                "contentSecurityPolicyIssueDetails" in parameters["issue"]["details"]
            ):
                self.problems.append(str(parameters["issue"]["details"]["contentSecurityPolicyIssueDetails"]))
            case _:
                pass
