"""Accuracy, time and memory on Fashion-MNIST.

Trains on the 60,000 training images and scores the 10,000 test images. With --validate, trains
on the first 50,000 training images and scores the other 10,000. Use it to choose parameters.

Usage: python benchmarks/fashion_mnist.py FOLDER [--validate] [--methods ...] [--csv FILE]
FOLDER holds the four IDX files.
"""

from functools import partial

from _configurations import VALID
from _methods import make_parser, run_classifier, run_methods

CONFIGURATIONS = {
    "default": {},
    "default, kernel": dict(head="kernel"),
    "400 + 3200": dict(VALID, n_clusters=[400, 3200]),
}
METHODS = {name: partial(run_classifier, params=params) for name, params in CONFIGURATIONS.items()}
run_methods(METHODS, make_parser(__doc__, METHODS).parse_args())
