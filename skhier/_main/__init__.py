"""The command `python -m skhier`."""

from ._cli import main

__all__ = ["main"]
