"""Comparison of methods on the same images.

Each method runs in its own process, so that peak memory includes no other method.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from _common import Table, measure, peak_gigabytes

from skhier import LayerwiseCNNClassifier
from skhier.datasets import load_fashion_mnist, load_npz


def make_parser(description, methods):
    """Return a parser with the options that all comparisons share.

    Parameters
    ----------
    description : str
        Description of the script, for ``--help``.
    methods : iterable of str
        Names of the methods that ``--methods`` takes.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", help=".npz file of X and y, or folder of Fashion-MNIST's IDX files")
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--methods", nargs="*", default=list(methods), choices=list(methods))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--csv")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser


def run_methods(methods, options):
    """Run the methods that the command line names; print a table and return its rows.

    Parameters
    ----------
    methods : dict
        Name -> function (X_train, y_train, X_held, y_held, seed) -> (accuracy, seconds). A
        function may also return a dict of pairs (accuracy, seconds). Its keys are appended to
        the name of the method.
    options : Namespace
        Options read by the parser of :func:`make_parser`.

    Returns
    -------
    rows : list of (method, accuracy, seconds, gigabytes)
        Rows of the table.
    """
    if options.one:
        split = load_parts(options.data, options.validate)
        result = methods[options.one](*split, options.seed)
        results = result if isinstance(result, dict) else {"": result}
        print(json.dumps([results, peak_gigabytes()]))
        sys.exit()
    width = max(map(len, methods)) + 8
    table = Table("method", "accuracy", "fit s", "peak GB", csv_path=options.csv, first_width=width)
    rows = []
    for method in options.methods:
        command = [sys.executable, *sys.argv, "--one", method]
        out = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
        results, peak = json.loads(out.splitlines()[-1])
        for name, (accuracy, seconds) in results.items():
            rows.append((method + name, accuracy, seconds, peak))
            table.add(*rows[-1])
    return rows


def load_parts(path, validate):
    """Load a file or folder, and return (X_train, y_train, X_held, y_held).

    Of a file, the first four fifths are training images and the others are held out.
    Fashion-MNIST, a folder, has its own split. With `validate`, the last eighth (of
    Fashion-MNIST, sixth) of the training images replaces the held-out images.
    """
    if Path(path).is_dir():
        bunch = load_fashion_mnist(path)
        X, y, n_train, n_validate = bunch.images[..., None], bunch.target, bunch.n_train, 10_000
    else:
        bunch = load_npz(path)
        X, y, n_train = bunch.images, bunch.target, 4 * len(bunch.images) // 5
        n_validate = n_train // 8
    X, n_end = X.astype(np.float32), len(X)
    if validate:
        n_train, n_end = n_train - n_validate, n_train
    return X[:n_train], y[:n_train], X[n_train:n_end], y[n_train:n_end]


def run_classifier(X_train, y_train, X_held, y_held, seed, *, params):
    """Return (accuracy, seconds of the fit) of LayerwiseCNNClassifier with `params`."""
    clf = LayerwiseCNNClassifier(random_state=seed).set_params(**params)
    return fit_and_score(clf, X_train, y_train, X_held, y_held)


def fit_and_score(clf, X_train, y_train, X_held, y_held):
    """Return (accuracy, seconds of the fit) of a classifier."""
    _, seconds = measure(clf.fit, X_train, y_train)
    return clf.score(X_held, y_held), seconds
