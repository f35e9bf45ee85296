"""From a logged call, or a result of a run, to a case of a test bank."""
