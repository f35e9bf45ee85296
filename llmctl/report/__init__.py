"""One report model, and a renderer for each place it is read."""
