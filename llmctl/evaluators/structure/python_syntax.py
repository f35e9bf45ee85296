"""The output is Python that can be read. It is never run."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from llmctl.errors import EvaluatorError
from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.structure.found_text import candidates
from llmctl.evaluators.structure.names_argument import Names
from llmctl.evaluators.wording import listed, quote, visible

__all__ = ["MAX_CHARACTERS", "PythonSyntax"]

MAX_CHARACTERS = 50_000
"""Longer code is not read: Python's parser takes quadratic time for `import a.a.a ...`."""

_FILE = "<output>"
_LANGUAGES = frozenset({"", "py", "py3", "python", "python3"})


@dataclass(frozen=True, slots=True)
class PythonSyntax(Evaluator):
    """The output is Python code that can be parsed, and imports only what it may. Nothing of it is run."""

    name: ClassVar = "python_syntax"
    value_field: ClassVar = "imports"
    reads: ClassVar = ()

    imports: Names | None = None
    """The modules that may be imported; default: any."""
    find: bool = False
    """Look inside fences too: one block that fits is enough."""

    def score(self, context: Context) -> Score:
        """Parse the output."""
        output = context.output
        if len(output) > MAX_CHARACTERS:
            raise EvaluatorError(
                f"the output has {len(output):,} characters, and no code above {MAX_CHARACTERS:,} is read"
            )
        problem: str | None = None
        for text in candidates(output, _LANGUAGES) if self.find else [output]:
            found = self._problem(text)
            if found is None:
                return Score(1.0, True, f"The output is Python: {quote(text.strip(), 80)}.")
            problem = problem or found
        fenced = output.lstrip().startswith("```") and not self.find
        hint = " `find: true` looks inside a fence." if fenced else ""
        return Score(0.0, False, f"The output {problem}.{hint}")

    def _problem(self, text: str) -> str | None:
        tree, problem = _parsed(text)
        if tree is None:
            return f"is not Python: {problem}"
        if not tree.body:
            return "holds no Python statement"
        if self.imports is None:
            return None
        unwanted = dict.fromkeys(name for name in _imported(tree) if not _allowed(name, self.imports))
        return (
            f"imports {listed(unwanted)}, and may import only {listed(self.imports) or 'nothing'}" if unwanted else None
        )


def _parsed(text: str) -> tuple[ast.Module | None, str]:
    # Python warns of "\d" while it parses; these warnings are about the output, and the filter only about its name.
    warnings.filterwarnings("ignore", module=re.escape(_FILE))
    try:
        return ast.parse(text.strip("\n").rstrip(), _FILE), ""
    except SyntaxError as error:
        where = f" at line {error.lineno}, column {error.offset}" if error.lineno else ""
        return None, f"{visible(error.msg)}{where}"
    except (RecursionError, MemoryError):
        return None, "it is nested too deeply"
    except ValueError as error:  # half of a character; a NUL, before Python 3.12
        return None, visible(str(error))


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def _allowed(name: str, modules: tuple[str, ...]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)
