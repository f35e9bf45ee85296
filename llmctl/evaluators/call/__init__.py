"""Evaluators of the call itself: time, cost, tokens, how it ended."""
