"""A project with an application in it, asked through the gateway as a run asks it."""

from __future__ import annotations

import dataclasses
import os
import select
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pytest

from llmctl.errors import Problem
from llmctl.project.message_files import MessageFiles
from llmctl.project.models import Config, Prompt
from llmctl.project.prompt_file import prompt_of
from llmctl.project.references import Companions
from llmctl.project.sources import WorkingTree
from llmctl.project.syntax.yaml_reader import read_yaml
from llmctl.providers.app import app_model, app_route
from llmctl.providers.gateway import Gateway, GatewaySettings
from llmctl.providers.records import Call, ChatRequest
from llmctl.providers.requests import call_key, request_for
from llmctl.providers.routes import Route


@dataclass
class Project:
    """Files on disk, a prompt in one of them, and the gateway that asks its target."""

    root: Path
    settings: GatewaySettings = field(default_factory=lambda: GatewaySettings(timeout_s=20.0))
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    problems: list[Problem] = field(default_factory=list)

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    @property
    def config(self) -> Config:
        return Config(
            self.root,
            self.root / "llmctl.toml",
            self.root / "prompts",
            self.root / "testbanks",
            self.root / ".llmctl",
            allow_code=True,
        )

    def prompt(self, text: str) -> Prompt:
        """The prompt of a sound file."""
        path = PurePosixPath("prompts/app.yaml")
        self.write(str(path), text)
        document = read_yaml(text.encode(), Path(path))
        self.problems.clear()
        companions = Companions(WorkingTree(self.root), path, document, self.problems)
        prompt = prompt_of(document, "app", companions, self.problems)
        assert prompt is not None, self.problems
        return prompt

    def route(self, text: str) -> Route:
        prompt = self.prompt(text)
        return app_route(prompt, app_model(prompt), self.config)

    def request(self, text: str, **variables: object) -> ChatRequest:
        prompt = self.prompt(text)
        return request_for(prompt, app_model(prompt), variables, MessageFiles(self.root))

    def key(self, text: str, **variables: object) -> str:
        return call_key(self.route(text), self.request(text, **variables), 1)

    async def ask(self, text: str, **variables: object) -> Call:
        """One call through a gateway of its own."""
        async with Gateway(self.settings, self.environ) as gateway:
            return await gateway.ask(self.route(text), self.request(text, **variables))

    def within(self, timeout_s: float) -> Project:
        """The same with another deadline."""
        return dataclasses.replace(self, settings=dataclasses.replace(self.settings, timeout_s=timeout_s))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def ends(pid: int) -> bool:
    """Whether a process that need not be ours ends within 10 seconds."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 10)[0])
    finally:
        os.close(handle)
