"""What two sides have in common and where they differ: `diff`, `gate`, `compare`, `power`, `blame`."""
