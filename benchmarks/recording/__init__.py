"""What `llmctl record` adds to a call, beside the same calls without it: `python -m benchmarks.recording`."""
