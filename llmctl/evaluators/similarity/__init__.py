"""Evaluators that measure how alike two texts are."""
