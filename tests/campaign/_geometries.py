"""Random geometries: classifiers with odd parameters, fitted on images of odd shapes."""

import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skhier import LayerwiseCNNClassifier, PatchKMeansOrthogonalizer, TwoLayerConvEmbedder

_MAX_REFUSED = 20  # geometries in a row that the package may refuse
_N_UNSEEN = 20


@dataclass(frozen=True)
class Geometry:
    """Fitted classifier, its training images and other images.

    Attributes
    ----------
    clf : LayerwiseCNNClassifier
        Fitted classifier.
    X : ndarray of shape (n, H, W, C)
        Images of the fit.
    y : ndarray of shape (n,)
        Labels of the fit.
    X_test : ndarray of shape (n + 20, H, W, C)
        Images of the fit, then images that were not in the fit.
    """

    clf: LayerwiseCNNClassifier
    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray

    @property
    def has_one_hot(self):
        """Whether a layer has one-hot codes, which are discontinuous between clusters."""
        return any(block.orthogonalizer.encoding == "one_hot" for block in self.clf.layers_)


@lru_cache
def geometry(number):
    """Return the first geometry of a sequence with this number that the package accepts."""
    for attempt in range(_MAX_REFUSED):
        rng = np.random.default_rng([number, attempt])
        X, y, n = _images(rng)
        try:
            return Geometry(fit(_classifier(rng, X), X[:n], y[:n]), X[:n], y[:n], X)
        except ValueError:
            continue
    raise AssertionError(f"{_MAX_REFUSED} geometries in a row were refused")


def fit(classifier, X, y):
    """Fit a classifier; its head need not converge."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return classifier.fit(X, y)


def _images(rng):
    """Return noisy copies of a picture for each label, the labels, and the number of the fit."""
    shape = *rng.choice(np.arange(5, 21), 2, replace=False), rng.integers(1, 5)
    n_labels, n = rng.integers(2, 5), rng.integers(40, 81)
    y = np.arange(n + _N_UNSEEN) % n_labels
    pictures = rng.standard_normal((n_labels, *shape))
    X = pictures[y] + rng.standard_normal((len(y), *shape))
    dtype = rng.choice(["float32", "float64", "uint8"])
    if dtype == "uint8":
        return np.clip(128 + 30 * X, 0, 255).astype(dtype), y, n
    return (X + rng.choice([0, 10, 1000])).astype(dtype), y, n


def _classifier(rng, X):
    n_layers = int(rng.integers(1, 4))
    parts = [_orthogonalizer(rng) for _ in range(n_layers)]
    if X.mean() > 100 * X.std():  # patches hold differences to a far color with few digits
        parts[0].set_params(border="dark")
    return LayerwiseCNNClassifier(
        n_layers=n_layers,
        n_components=int(rng.integers(2, 9)),
        orthogonalizer=parts,
        embedder=TwoLayerConvEmbedder(scale_channels=_one_of(rng, True, False)),
        head=_one_of(rng, "ridge", "kernel", "svm", "linear", "mlp"),
        mirror=_one_of(rng, False, True),
        memory_limit=_one_of(rng, None, "4MB"),
        precision="auto",
        random_state=int(rng.integers(1000)),
    )


def _orthogonalizer(rng):
    return PatchKMeansOrthogonalizer(
        n_clusters=int(rng.integers(3, 25)),
        patch_size=_pair(rng, 5),
        stride=_one_of(rng, 1, 2, None, _pair(rng, 3)),
        padding=_one_of(rng, "same", "same", "valid", 1, _pair(rng, 2)),
        border=_one_of(rng, "auto", "dark", 0, float(rng.normal())),
        encoding=_one_of(rng, "relu", "crelu", "crelu", "relu", "one_hot"),
        bias=float(rng.uniform(-1, 0.25)),
        normalize=_one_of(rng, True, False),
        pool_size=_one_of(rng, "auto", 1, 2, _pair(rng, 4)),
        pooling=_one_of(rng, "max", "average"),
        whiten_eps=_one_of(rng, None, 0.1, 1e-3),
    )


def _pair(rng, largest):
    return tuple(map(int, rng.integers(1, largest + 1, 2)))


def _one_of(rng, *values):
    return values[rng.integers(len(values))]
