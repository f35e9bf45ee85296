"""The transport for a target that is the user's own application."""

from __future__ import annotations

from collections.abc import Mapping

from llmctl.project.app_target import AppKind
from llmctl.providers.app.command import CommandApp
from llmctl.providers.app.http import HttpApp
from llmctl.providers.app.python_function import PythonApp
from llmctl.providers.routes import App
from llmctl.providers.wire import Transport

__all__ = ["PROCESSES", "app_transport"]

PROCESSES = 4
"""How many processes of a command or a function run at once, where the target does not say."""


def app_transport(app: App, slots: int, environ: Mapping[str, str]) -> Transport:
    """Who carries the calls of an application.

    Args:
        app: the application.
        slots: how many calls the run makes at once; the target's own `concurrency` wins.
        environ: holds the secrets of headers, and is the environment of programs.
    """
    own = app.target.concurrency
    match app.target.kind:
        case AppKind.HTTP:
            return HttpApp(app, own or slots, environ)
        case AppKind.COMMAND:
            return CommandApp(app, own or min(slots, PROCESSES), environ)
        case AppKind.PYTHON:
            return PythonApp(app, own or min(slots, PROCESSES), environ)
