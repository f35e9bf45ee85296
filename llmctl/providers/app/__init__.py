"""The user's own application as a target: over HTTP, as a command, or as a Python function."""

from llmctl.providers.app.route import app_model, app_problems, app_route

__all__ = ["app_model", "app_problems", "app_route"]
