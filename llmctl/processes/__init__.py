"""Child processes that cannot outlive llmctl, hold the terminal, or answer for it by what they print.

What code of the user runs in, for targets and evaluators alike; nothing of llmctl but this room is needed here.
"""
