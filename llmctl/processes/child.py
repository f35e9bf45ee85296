"""The child's side of a `Worker`: the user's module is imported, and called until stdin closes.

Both ways a message is its length as 8 bytes, big-endian, and that much JSON. The first one in names the module; it
and every later one are answered. Whatever the user's code prints goes to the log, and it finds its own stdin empty.
Nothing but the standard library is imported here.
"""

from __future__ import annotations

import asyncio
import faulthandler
import importlib
import importlib.util
import inspect
import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

from llmctl.processes.lifeline import Parent

__all__ = ["Answering", "Refusal", "serve"]

_LENGTH_BYTES = 8
_MAX_TRACEBACK = 20_000
_STDERR = 2

Message = Mapping[str, Any]
Answering = Callable[[Message], Any]
"""One message in, the value to answer with out; it may be awaitable."""


class Refusal(Exception):
    """A sentence of llmctl's own that is the answer: no error of the user's code, and without a place in it."""


def serve(
    prepare: Callable[[ModuleType, Message], Answering], finish: Callable[[Any], Any] = lambda value: value
) -> None:
    """Answer until stdin closes, and end then at once, even in the middle of the user's code.

    Args:
        prepare: makes of the user's module and the first message (`root`, `file` ...) what answers the later ones. A
            message with `report_after_s` has the stack of a call that lasts longer written to the log.
        finish: makes of what the user's code returned the value that is sent, as JSON.
    """
    answers, requests = os.fdopen(os.dup(1), "wb"), _private_stdin()
    parent = Parent(Path(sys.argv[1]))
    waiting: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests, waiting, parent), daemon=True).start()
    setting = waiting.get()
    root = Path(setting["root"])
    answering, problem = _loaded(prepare, setting, root)
    _say(answers, problem or {"ready": True})
    with asyncio.Runner() as runner:
        while answering is not None:
            _say(answers, _called(answering, finish, waiting.get(), runner, root))
    parent.end(1)


def _private_stdin() -> BinaryIO:
    """The pipe from the parent, out of the function's reach; what it reads itself is at its end at once."""
    requests = os.fdopen(os.dup(0), "rb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return requests


def _listen(requests: BinaryIO, waiting: queue.SimpleQueue[dict[str, Any]], parent: Parent) -> None:
    while len(head := requests.read(_LENGTH_BYTES)) == _LENGTH_BYTES:
        waiting.put(json.loads(requests.read(int.from_bytes(head))))
    parent.end()


def _say(answers: BinaryIO, message: dict[str, Any]) -> None:
    try:
        data = json.dumps(message, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        data = json.dumps({"error": f"It returned what is no text, number or JSON: {error}"}).encode()
    answers.write(len(data).to_bytes(_LENGTH_BYTES) + data)
    answers.flush()


def _loaded(
    prepare: Callable[[ModuleType, Message], Answering], setting: Message, root: Path
) -> tuple[Answering | None, dict[str, Any] | None]:
    """What answers, or why there is nothing."""
    try:
        os.chdir(root)
        return prepare(_module(root / setting["file"], root), setting), None
    # The user's module runs while it is imported: it can fail in every way there is, sys.exit() included.
    except BaseException as error:
        return None, _failure(error, root)


def _module(path: Path, root: Path) -> ModuleType:
    """Import a file as Python itself would: inside its packages, else by its own name."""
    top, names = path.parent, [path.stem]
    while top != root and (top / "__init__.py").is_file():
        names.insert(0, top.name)
        top = top.parent
    sys.path[:0] = list(dict.fromkeys((str(top), str(root))))
    if len(names) > 1:
        return importlib.import_module(".".join(names))
    name = names[0] if names[0] not in sys.modules else f"llmctl_target_{names[0]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _called(
    answering: Answering, finish: Callable[[Any], Any], message: Message, runner: asyncio.Runner, root: Path
) -> dict[str, Any]:
    patience = message.get("report_after_s")
    try:
        if patience is not None:
            faulthandler.dump_traceback_later(patience, file=_STDERR)
        value = answering(message)
        if inspect.isawaitable(value):
            value = runner.run(_awaited(value))
        return {"value": finish(value)}
    # sys.exit() in the user's function ends a call, not the process.
    except BaseException as error:
        return _failure(error, root)
    finally:
        if patience is not None:
            faulthandler.cancel_dump_traceback_later()


async def _awaited(value: Any) -> Any:
    return await value


def _failure(error: BaseException, root: Path) -> dict[str, Any]:
    try:
        said = " ".join(str(error).split())[:1000]
    except Exception:  # its own __str__ fails
        said = ""
    if isinstance(error, Refusal):
        return {"error": said}
    lines = "".join(traceback.format_exception(error))
    name = type(error).__name__
    return {"error": (f"{name}: {said}" if said else name) + _where(error, root), "traceback": lines[-_MAX_TRACEBACK:]}


def _where(error: BaseException, root: Path) -> str:
    """The innermost line of the project that was running."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(root):
            return f" ({path.relative_to(root).as_posix()}, line {frame.lineno})"
    return ""
