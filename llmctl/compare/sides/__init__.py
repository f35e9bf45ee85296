"""From what a user writes to two sides whose results can be read: `resolve`, then `open_sides`."""
