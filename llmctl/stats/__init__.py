"""Pure functions on numbers: intervals, tests, power."""
