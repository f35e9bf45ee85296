"""All targets of a run side by side, on the cases that all of them answered: `compare_targets`."""
