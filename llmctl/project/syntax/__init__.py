"""YAML, TOML and JSON read strictly, with the place of every value."""
