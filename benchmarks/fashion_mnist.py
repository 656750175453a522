"""Accuracy, time and memory on Fashion-MNIST.

Trains on the 60,000 training images and scores the 10,000 test images. With --validate, trains
on the first 50,000 training images and scores the other 10,000. Use it to choose parameters.
The CNN trains for as long as the default fit of skhier took.

Usage: python benchmarks/fashion_mnist.py FOLDER [--validate] [--methods ...] [--threads N]
           [--csv FILE]
FOLDER holds the four IDX files.
"""

from functools import partial

from _methods import AsLongAs, compare, load_parts, make_parser
from _opponents import cnn

from skhier import LayerwiseCNNClassifier

METHODS = {
    "default": LayerwiseCNNClassifier(),
    "default, kernel": LayerwiseCNNClassifier(head="kernel"),
    "CNN, same time": AsLongAs("default", 1, partial(cnn, sides=[32])),
    "CNN, 3 times": AsLongAs("default", 3, partial(cnn, sides=[32])),
}

if __name__ == "__main__":
    options = make_parser(__doc__, METHODS).parse_args()
    compare(
        METHODS, {options.data.stem: partial(load_parts, options.data, options.validate)}, options
    )
