"""From OpenAI Evals' samples and registry to a project."""
