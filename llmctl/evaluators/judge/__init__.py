"""The judge: what it is asked, and what counts as its answer."""
