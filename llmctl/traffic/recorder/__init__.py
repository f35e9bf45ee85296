"""Records calls as they are made: a pass-through server, and a writer that nobody waits for."""
