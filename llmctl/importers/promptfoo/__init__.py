"""From promptfoo's configuration to a project."""
