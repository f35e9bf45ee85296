"""Logged calls asked again: with another model, another prompt, or scored as they were answered."""
