"""Whether a case still asks what it asked: only then does its stored answer say anything about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from llmctl.canonical import digest
from llmctl.errors import ProjectError
from llmctl.project.message_files import MessageFiles
from llmctl.project.models import Case, Config
from llmctl.project.prompt_data import model_from_data, prompt_from_data
from llmctl.project.templates import TemplateError
from llmctl.providers.redaction import Redactor
from llmctl.providers.requests import frame_for, request_in
from llmctl.runs.line_reader import LineReader
from llmctl.runs.rescore.old_run import OldCase, OldRun, vars_digest

if TYPE_CHECKING:
    from llmctl.providers.records import ChatRequest
    from llmctl.runs.records import TargetName

__all__ = ["Questions"]


class Questions:
    """Compares cases of today with those of the run. Used from one thread."""

    def __init__(self, old: OldRun, config: Config, redactor: Redactor) -> None:
        self._old = old
        self._redactor = redactor
        self._lines = LineReader(old.journal)
        self._files = MessageFiles(config.root)

    def same(self, case: Case, was: OldCase) -> bool:
        """Whether each of the run's prompts would ask the same for the case as it did.

        A variable that no prompt uses may change.
        """
        if vars_digest(case.vars) == was.vars_digest:
            return True
        old_vars: Mapping[str, object] = self._lines.fields_at(was.position).fields["vars"]
        new_vars = self._redactor.structure(dict(case.vars))
        if digest(old_vars) == digest(new_vars):  # the same, written in another way or order
            return True
        bank = self._old.banks.get(case.bank)
        targets = bank.targets if bank and bank.targets else tuple(self._old.targets)
        return all(self._asked(target, old_vars) == self._asked(target, new_vars) is not None for target in targets)

    def _asked(self, name: TargetName, variables: Mapping[str, object]) -> ChatRequest | None:
        """What the prompt, as it was, asks for these variables; None where it cannot be rendered."""
        prompt = prompt_from_data(self._old.prompts[name.prompt].source)
        model = model_from_data(self._old.targets[name].config)
        try:
            return request_in(lambda: frame_for(prompt, model), prompt, variables, self._files, model.drop)
        except (TemplateError, ProjectError):
            return None

    def names(self, numbers: Sequence[int]) -> Iterator[tuple[str, str]]:
        """Bank and id of some of the run's cases, by number."""
        positions = self._old.positions() if numbers else ()
        for number in numbers:
            fields = self._lines.fields_at(positions[number]).fields
            yield fields["bank"], fields["case_id"]

    def close(self) -> None:
        """Close the journal."""
        self._lines.close()
