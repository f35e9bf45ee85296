"""Evaluators of structured outputs: JSON, XML, HTML, YAML, SQL, tool calls, Python."""
