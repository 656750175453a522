"""Classifiers of images that a user would pick instead of skhier's, with their choices."""

import numpy as np
from _cnn import CNNClassifier, reduced
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from skhier import Flatten


class Quarter:
    """Splitter of one stratified quarter of the images to choose on; it splits no group."""

    def split(self, X, y, groups=None):
        kind = StratifiedKFold if groups is None else StratifiedGroupKFold
        yield next(kind(4, shuffle=True, random_state=0).split(np.empty(len(y)), y, groups))

    def get_n_splits(self, X=None, y=None, groups=None):
        return 1


def chosen(clf, grid):
    """Return a search over a grid of parameters, scored on a quarter of the training images."""
    return GridSearchCV(clf, grid, cv=Quarter())


def cnn(seconds, mirror=(False, True)):
    """Return a :class:`CNNClassifier` that trains for `seconds`, or less where that is better.

    Its learning rate, its time and whether it learns from mirror images are chosen. `mirror`
    holds the allowed values.
    """
    grid = {
        "seconds": [seconds / 3, seconds],
        "learning_rate": [0.05, 0.2],
        "mirror": list(mirror),
    }
    return chosen(CNNClassifier(), grid)


def hog_svm():
    """Return an SVM with the RBF kernel on histograms of oriented gradients."""
    grid = {"hog__n_cells": [4, 8], f"{_SVM}__C": [1, 10, 100]}
    return chosen(make_pipeline(HOG(), calibrated_svm()), grid)


def rbf_svm():
    """Return an SVM with the RBF kernel on pixels."""
    return chosen(make_pipeline(Flatten(), calibrated_svm()), {f"{_SVM}__C": [1, 10, 100]})


def gradient_boosting():
    """Return gradient boosting on pixels of images of at most 16x16 pixels."""
    trees = HistGradientBoostingClassifier(max_features=0.1, random_state=0)
    grid = {f"{type(trees).__name__.lower()}__min_samples_leaf": [3, 20]}
    return chosen(make_pipeline(SmallPixels(), trees), grid)


_SVM = "calibratedclassifiercv__estimator"


def calibrated_svm():
    """Return an :class:`RBFSVM` whose probabilities are calibrated on three folds."""
    return CalibratedClassifierCV(RBFSVM(), method="temperature", cv=3, ensemble=False)


class RBFSVM(ClassifierMixin, BaseEstimator):
    """SVC with gamma='scale', whose kernel is a matrix product, many times faster than in SVC."""

    def __init__(self, C=10):
        self.C = C

    def fit(self, X, y):
        self._rows, self._gamma = X, 1 / (X.shape[1] * X.var())
        self._svc = SVC(C=self.C, kernel="precomputed").fit(self._kernel(X), y)
        self.classes_ = self._svc.classes_
        return self

    def _kernel(self, X):
        return rbf_kernel(X, self._rows, self._gamma)

    def decision_function(self, X):
        return self._svc.decision_function(self._kernel(X))

    def predict(self, X):
        return self._svc.predict(self._kernel(X))


class HOG(TransformerMixin, BaseEstimator):
    """Histograms of oriented gradients, with `n_cells` cells along the shorter side of images."""

    def __init__(self, n_cells=8):
        self.n_cells = n_cells

    def fit(self, X, y=None):
        self._hog = _scikit_image_hog()
        return self

    def transform(self, X):
        side = max(2, min(X.shape[1:3]) // self.n_cells)
        options = dict(pixels_per_cell=(side, side), cells_per_block=(2, 2))
        channel_axis = None if X.ndim == 3 else -1
        return np.array([self._hog(x, **options, channel_axis=channel_axis) for x in X])


def _scikit_image_hog():
    try:
        from skimage.feature import hog
    except ImportError as error:
        raise ImportError(
            "HOG + SVM needs scikit-image: pip install 'skhier[benchmarks]', or leave the method "
            "out of --methods."
        ) from error
    return hog


class SmallPixels(TransformerMixin, BaseEstimator):
    """Pixels of images that are reduced to at most `max_side` pixels a side."""

    def __init__(self, max_side=16):
        self.max_side = max_side

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return reduced(X, self.max_side).flatten(1).numpy()
