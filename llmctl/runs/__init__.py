"""A run: plan, execute, journal, import."""
