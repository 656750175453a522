"""Classifiers of images that a user would pick instead of skhier's, with their choices."""

import numpy as np
from _cnn import CNNClassifier, reduced
from _common import measure
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from skhier import Flatten


class Chosen(ClassifierMixin, BaseEstimator):
    """Classifier with parameters chosen one after another on a quarter of its training images.

    A full grid would take several times as many fits.

    Parameters
    ----------
    classifier : classifier
        What is fitted, to three quarters of the images for each value that is tried, and in the
        end to all images.
    grid : dict of str to list
        Values to try of each parameter, in this order. Meanwhile later parameters have their
        first values.

    Attributes
    ----------
    classifier_ : classifier
        Fitted to all images, with the values of highest accuracy.
    params_ : dict
        These values.
    choice_seconds_, fit_seconds_ : float
        Seconds that the choice took, and the final fit.
    """

    def __init__(self, classifier, grid):
        self.classifier = classifier
        self.grid = grid

    def fit(self, X, y, groups=None):
        """Choose parameters, splitting no group, and fit the classifier to all images."""
        self.params_, self.choice_seconds_ = measure(self._choose, X, y, groups)
        clf = clone(self.classifier).set_params(**self.params_)
        self.classifier_, self.fit_seconds_ = measure(clf.fit, X, y)
        self.classes_ = clf.classes_
        return self

    def _choose(self, X, y, groups):
        learned, held = quarter(y, groups)
        params, best = {name: values[0] for name, values in self.grid.items()}, None
        for name, values in self.grid.items():
            scores = [] if best is None else [best]
            for value in values[len(scores) :]:
                clf = clone(self.classifier).set_params(**params | {name: value})
                scores.append(clf.fit(X[learned], y[learned]).score(X[held], y[held]))
            best = max(scores)
            params[name] = values[scores.index(best)]
        return params

    def predict(self, X):
        return self.classifier_.predict(X)

    def predict_proba(self, X):
        return self.classifier_.predict_proba(X)


def quarter(y, groups=None):
    """Return the rows of three quarters of the images and those of a stratified quarter.

    No group has images on both sides. Of two or three groups, one is on the second side.
    """
    if groups is None:
        folds = StratifiedKFold(4, shuffle=True, random_state=0)
    else:
        n_folds = min(4, len(np.unique(groups)))
        folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=0)
    return next(folds.split(np.empty(len(y)), y, groups))


def cnn(seconds, mirror=(False, True), sides=(32, 64)):
    """Return a :class:`CNNClassifier` that trains for `seconds`, or less where that is better.

    Its parameters are chosen: the size of the images, the learning rate, whether it learns from
    mirror images, and the time. `sides` and `mirror` are the values to try.
    """
    grid = {
        "max_side": list(sides),
        "learning_rate": [0.1, 0.05, 0.2],
        "mirror": list(mirror),
        "seconds": [seconds, seconds / 3],
    }
    return Chosen(CNNClassifier(), grid)


def hog_svm():
    """Return an SVM with the RBF kernel on histograms of oriented gradients."""
    grid = {"hog__n_cells": [8, 4], f"{_SVM}__C": [10, 1, 100]}
    return Chosen(make_pipeline(HOG(), calibrated_svm()), grid)


def rbf_svm():
    """Return an SVM with the RBF kernel on pixels."""
    return Chosen(make_pipeline(Flatten(), calibrated_svm()), {f"{_SVM}__C": [10, 1, 100]})


def gradient_boosting():
    """Return gradient boosting on pixels of images of at most 16x16 pixels."""
    trees = HistGradientBoostingClassifier(max_features=0.1, random_state=0)
    grid = {f"{type(trees).__name__.lower()}__min_samples_leaf": [20, 3]}
    return Chosen(make_pipeline(SmallPixels(), trees), grid)


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
            "HOG + SVM needs scikit-image: pip install scikit-image, or leave the method "
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
