"""What `checks` imports."""

__all__ = ["WORD"]

WORD = "please"
