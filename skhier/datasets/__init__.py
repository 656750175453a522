"""Real image data sets, read from files that are already on the machine."""

from ._fashion_mnist import load_fashion_mnist
from ._npz import load_npz

__all__ = ["load_fashion_mnist", "load_npz"]
