"""Configurations of LayerwiseCNNClassifier and an end-to-end CNN on CIFAR-10, in the same run.

Trains on the first four fifths of the file (40,000 images), and scores the other images. With
--validate, trains on the first 35,000 images and scores the next 5,000. Use it to choose
parameters.

Usage: python benchmarks/cifar10.py DATA.npz [--validate] [--methods ...] [--csv FILE]
DATA.npz holds X (n, 32, 32, 3) and y.
"""

import sys
from functools import partial

from _cnn import best_epoch, train_tutorial_cnn
from _configurations import VALID
from _methods import make_parser, run_classifier, run_methods

from skhier import PatchKMeansOrthogonalizer as Phi
from skhier import SphericalKMeans

FAST = SphericalKMeans(max_iter=10, tol=1e-3)
CONFIGURATIONS = {
    "default": {},
    "100 + 600": dict(
        VALID,
        n_clusters=[100, 600],
        n_components=64,
        orthogonalizer=[
            Phi(padding="valid", whiten_eps=1e-2, n_patches=30_000, kmeans=FAST),
            Phi(whiten_eps=0.3, n_patches=30_000, kmeans=FAST),
        ],
    ),
    "one block of 2000": dict(
        n_layers=1,
        n_clusters=2000,
        pool_size="thirds",
        orthogonalizer=Phi(padding="valid", whiten_eps=1e-2),
    ),
    "400 + 1600": dict(VALID, n_clusters=[400, 1600]),
    "400 + 800 + 800": dict(
        n_layers=3,
        n_clusters=[400, 800, 800],
        n_components=128,
        pool_size=[3, 2, "thirds"],
        orthogonalizer=[
            Phi(padding="valid", whiten_eps=1e-2),
            Phi(whiten_eps=0.3),
            Phi(whiten_eps=0.3),
        ],
    ),
    "default, kernel": dict(head="kernel"),
    "400 + 1600, mirror": dict(VALID, n_clusters=[400, 1600], mirror=True),
    "400 + 3200, mirror": dict(VALID, n_clusters=[400, 3200], mirror=True),
    "400 + 1600, mirror, kernel": dict(VALID, n_clusters=[400, 1600], mirror=True, head="kernel"),
    "400 + 3200, mirror, kernel": dict(VALID, n_clusters=[400, 3200], mirror=True, head="kernel"),
}


def run_cnn(X_train, y_train, X_held, y_held, seed):
    epochs = train_tutorial_cnn(X_train, y_train, X_held, y_held, seed)
    rounded = [(round(seconds), round(accuracy, 4)) for seconds, accuracy in epochs]
    print("CNN, seconds and accuracy of epochs:", rounded, file=sys.stderr)
    return best_epoch(epochs)


METHODS = {"CNN": run_cnn}
METHODS |= {name: partial(run_classifier, params=params) for name, params in CONFIGURATIONS.items()}
run_methods(METHODS, make_parser(__doc__, METHODS).parse_args())
print("CNN: the best of 12 epochs on the held-out images, and the time until its end.")
