"""llmctl: change prompts and models without fear."""

__all__ = ["__version__"]

__version__ = "0.1.0"
