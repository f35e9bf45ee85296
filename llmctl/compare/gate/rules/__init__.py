"""One rule a file, each `rule(scope, limit) -> RuleVerdict`."""
