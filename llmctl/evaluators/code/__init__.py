"""Evaluators that run code of the project, and the processes it runs in."""
