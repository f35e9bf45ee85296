"""Scoring a run again: stored answers, today's cases and evaluators, a new run; no target is asked."""
