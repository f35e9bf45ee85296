"""What scores an answer: one evaluator per file, and the registry through which they are found."""
