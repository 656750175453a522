"""Our best configurations against the end-to-end CNN on CIFAR-10, in the same run.

Trains on the first four fifths of the file (40,000 images) and scores the rest. With
--validate, trains on the first 35,000 and scores the next 5,000: the place to choose.

Usage: python benchmarks/cifar10.py DATA.npz [--validate] [--methods ...] [--csv FILE]
DATA.npz holds X (n, 32, 32, 3) and y.
"""

import sys
from functools import partial

from _cnn import best_epoch, train_tutorial_cnn
from _common import measure
from _methods import run_methods

from skhier import LayerwiseCNNClassifier

VALID = dict(padding=["valid", "same"], pool_size=3, whiten_eps=[1e-2, 0.3])
CONFIGURATIONS = {
    "default": {},
    "100 + 600": dict(
        VALID, n_clusters=[100, 600], n_components=64, n_patches=30_000, kmeans_max_iter=10
    ),
    "one block of 2000": dict(
        n_layers=1, n_clusters=2000, padding="valid", pool_size=9, whiten_eps=1e-2
    ),
    "400 + 1600": dict(VALID, n_clusters=[400, 1600]),
    "400 + 800 + 800": dict(
        n_layers=3,
        n_clusters=[400, 800, 800],
        padding=["valid", "same", "same"],
        pool_size=[3, 2, 2],
        whiten_eps=[1e-2, 0.3, 0.3],
    ),
    "400 + 1600, mirror": dict(VALID, n_clusters=[400, 1600], mirror=True),
    "400 + 3200, mirror": dict(VALID, n_clusters=[400, 3200], mirror=True),
}


def run_ours(X_train, y_train, X_held, y_held, seed, *, params):
    clf = LayerwiseCNNClassifier(**params, random_state=seed)
    _, seconds = measure(clf.fit, X_train, y_train)
    return clf.score(X_held, y_held), seconds


def run_cnn(X_train, y_train, X_held, y_held, seed):
    epochs = train_tutorial_cnn(X_train, y_train, X_held, y_held, seed)
    print("CNN, epochs:", [round(accuracy, 4) for _, accuracy in epochs], file=sys.stderr)
    return best_epoch(epochs)


run_methods(
    __doc__,
    {"CNN": run_cnn}
    | {name: partial(run_ours, params=params) for name, params in CONFIGURATIONS.items()},
    "CNN: its best epoch of 12 on the held-out images, and the time that took.",
)
