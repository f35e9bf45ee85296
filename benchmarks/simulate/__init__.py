"""How often the gate is wrong: the objects that it drives, run on made-up banks whose truth is known."""
