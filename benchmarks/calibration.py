"""Calibration of probabilities: calibration error and log loss on held-out images.

Held-out images are sorted into 15 bins of confidence, the largest probability. The calibration
error is the mean distance between the mean confidence and the accuracy of a bin, weighted by the
number of images in the bin. CalibratedClassifierCV fits the classifier once for each of three
folds, and once to all training images.

Usage: python benchmarks/calibration.py DATA [--validate] [--max-train N] [--methods ...]
           [--csv FILE]
DATA is a .npz file of X and y, or the folder of Fashion-MNIST.
"""

import numpy as np
from _common import Table, measure
from _methods import in_own_process, load_parts, make_parser
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import log_loss

from skhier import LayerwiseCNNClassifier


def calibrated(method):
    """Return a function that wraps a classifier in CalibratedClassifierCV."""
    return lambda clf: CalibratedClassifierCV(clf, method=method, cv=3, ensemble=False)


METHODS = {
    "default": lambda clf: clf,
    "logistic regression as head": lambda clf: clf.set_params(head="linear"),
    "default, calibrated: temperature": calibrated("temperature"),
    "default, calibrated: sigmoid": calibrated("sigmoid"),
}


def calibration_error(p, y, n_bins=15):
    """Return the error of probabilities p (n, n_classes) of classes 0, 1, ... with labels y."""
    confidence, is_right = p.max(axis=1), p.argmax(axis=1) == y
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    gaps = [abs((confidence - is_right)[bins == b].sum()) for b in range(n_bins)]
    return float(sum(gaps) / len(y))


def score(method, data, validate, max_train, seed):
    """Return (accuracy, calibration error, log loss, seconds of the fit) of one method."""
    X, y, X_held, y_held, _ = load_parts(data, validate, max_train)
    clf = METHODS[method](LayerwiseCNNClassifier(random_state=seed))
    _, seconds = measure(clf.fit, X, y)
    p = clf.predict_proba(X_held)
    accuracy = float((p.argmax(axis=1) == y_held).mean())
    return accuracy, calibration_error(p, y_held), log_loss(y_held, p), seconds


if __name__ == "__main__":
    parser = make_parser(__doc__, METHODS)
    parser.add_argument("--max-train", type=int, default=10_000)
    options = parser.parse_args()
    columns = "method", "accuracy", "error", "log loss", "fit s"
    table = Table(*columns, csv_path=options.csv, first_width=max(map(len, METHODS)))
    for method in options.methods:
        args = method, options.data, options.validate, options.max_train, options.seed
        table.add(method, *in_own_process(score, *args, threads=options.threads))
