"""From inspect_ai's datasets and logs to a project."""
