"""The gate: rules, the evidence they are judged by, and the verdict."""
