"""The processes that run the Python functions of evaluators, kept between calls: one file of the project in each."""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import dataclass
from pathlib import Path

from llmctl.errors import EvaluatorError
from llmctl.evaluators.code.files import ProjectFunction
from llmctl.evaluators.code.message import to_bytes
from llmctl.processes.worker import Crashed, Worker

__all__ = ["Workers"]

_MODULE = "llmctl.evaluators.code.child"
_LOAD_S = 60.0
"""How long importing the file may take before its first call."""
_REPORT_S = 0.25
"""What a process has, when its time is up, to say where it stands."""
_LARGEST = 1024 * 1024
_MOST_IDLE = 8


@dataclass(frozen=True, slots=True)
class _Program:
    """What a process has loaded; another content of the files is another program."""

    root: Path
    file: str
    digest: str


class Workers:
    """Used from one event loop, which also bounds how many are busy at once."""

    def __init__(self) -> None:
        self._idle: list[tuple[_Program, Worker]] = []
        self._broken: dict[_Program, str] = {}
        """Programs that could not be loaded: they are not tried again."""

    async def ask(self, code: ProjectFunction, context: object, args: object, limit_s: float) -> bytes:
        """Call a function, in a process that has its file loaded or in a new one.

        Returns:
            What the child answers, in JSON.

        Raises:
            EvaluatorError: it did not answer.
        """
        program = _Program(code.root, code.file, code.digest)
        message = to_bytes({"function": code.function, "context": context, "args": args, "report_after_s": limit_s})
        worker = self._take(program) or await self._open(program)
        try:
            async with asyncio.timeout(limit_s + _REPORT_S):
                answer = await worker.ask(message)
        except TimeoutError:
            where = _stuck_at(worker.log_end(), code.root)
            await worker.kill()
            raise EvaluatorError(f"{code} did not return within {limit_s:g} s{where}") from None
        except Crashed as error:
            await worker.kill()
            raise EvaluatorError(f"the process of {code} ended: {error}") from None
        except BaseException:
            await worker.kill()
            raise
        if answer is None:
            await worker.kill()
            raise EvaluatorError(f"what {code} returned is too large: more than {_LARGEST // 2**20} MB")
        await self._keep(program, worker)
        return answer

    async def release(self) -> None:
        """End those that wait, and forget what could not be loaded."""
        idle, self._idle = self._idle, []
        self._broken.clear()
        for _, worker in idle:
            await worker.kill()

    def _take(self, program: _Program) -> Worker | None:
        for index in range(len(self._idle) - 1, -1, -1):
            if self._idle[index][0] == program:
                return self._idle.pop(index)[1]
        return None

    async def _keep(self, program: _Program, worker: Worker) -> None:
        self._idle.append((program, worker))
        if len(self._idle) > _MOST_IDLE:
            await self._idle.pop(0)[1].kill()

    async def _open(self, program: _Program) -> Worker:
        if program in self._broken:
            raise EvaluatorError(self._broken[program])
        setting = to_bytes({"root": str(program.root), "file": program.file})
        try:
            async with asyncio.timeout(_LOAD_S):
                return await Worker.start(_MODULE, setting, os.environ, largest=_LARGEST)
        except Crashed as error:
            said = f"{program.file} cannot be loaded: {error}"
        except TimeoutError:
            said = f"{program.file} was not loaded within {_LOAD_S:g} s"
        self._broken[program] = said
        raise EvaluatorError(said)


def _stuck_at(log: str, root: Path) -> str:
    """The innermost line of the project in the stack that `faulthandler` wrote: ` (checks.py, line 7)`."""
    for file, line in re.findall(r'^  File "([^"\n]+)", line (\d{1,9}) in ', log, re.MULTILINE):
        path = Path(file)
        if path.is_relative_to(root):
            return f" ({path.relative_to(root).as_posix()}, line {line})"
    return ""
