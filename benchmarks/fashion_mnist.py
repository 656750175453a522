"""Accuracy, time and memory on Fashion-MNIST.

With --validate, learns from the first 50,000 training images and scores the other
10,000: the place to choose parameters. Without, 60,000 and the 10,000 test images.

Usage: python benchmarks/fashion_mnist.py [--data FOLDER] [--validate] [--set NAME=VALUE ...]
"""

import argparse
import ast

from _common import Table, measure, peak_gigabytes

from skhier import LayerwiseCNNClassifier
from skhier.datasets import load_fashion_mnist

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("--data", help="folder of the four IDX files")
parser.add_argument("--validate", action="store_true")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument(
    "--set", nargs="*", default=[], metavar="NAME=VALUE", help="parameters of the classifier"
)
parser.add_argument("--csv")
options = parser.parse_args()

params = dict(item.split("=", 1) for item in options.set)
params = {name: ast.literal_eval(value) for name, value in params.items()}
data = load_fashion_mnist(options.data)
n_train = 50_000 if options.validate else data.n_train
X_train, y_train = data.images[:n_train], data.target[:n_train]
X_test, y_test = (a[n_train : n_train + 10_000] for a in (data.images, data.target))
clf = LayerwiseCNNClassifier(random_state=options.seed, verbose=True, **params)
_, fit_seconds = measure(clf.fit, X_train, y_train)
accuracy, score_seconds = measure(clf.score, X_test, y_test)
print(f"parameters set: {params or 'none'}")
columns = ("trained on", "held out", "accuracy", "fit s", "score s", "peak GB")
table = Table(*columns, csv_path=options.csv)
table.add(len(X_train), len(X_test), accuracy, fit_seconds, score_seconds, peak_gigabytes())
