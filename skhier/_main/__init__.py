"""The main job of the package, run by `python -m skhier`."""

from ._cli import main

__all__ = ["main"]
