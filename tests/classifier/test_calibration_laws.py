"""The temperature of RidgeHead, compared with refitting without one copy of each sample."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from skhier import RidgeHead

ALPHA = 0.4


def factorial_design(weights, n_classes):
    """Return features, labels and weights for which one copy of each sample has equal leverage.

    The head's closed form, which takes the mean leverage for all, is exact then. Features are the
    8 corners of a cube, and each corner has one sample of each weight: weighted features have
    mean 0, variance 1 and no correlation.
    """
    corners = np.array(np.meshgrid(*[[-1.0, 1.0]] * 3)).reshape(3, 8).T
    X = corners.repeat(len(weights), axis=0)
    rng = np.random.default_rng(0)
    scores = X @ rng.standard_normal((3, n_classes))
    y = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    return X, y, np.tile(weights, 8)


def scores_without_one_copy(X, targets, weight):
    """Score each sample by a ridge regression that is refitted without one copy of it.

    A weight is a number of copies. A sample of less than one copy is left out altogether.
    """
    A = np.c_[np.ones(len(X)), X]
    penalty = ALPHA * X.shape[1] * np.diag([0, 1, 1, 1])
    scores = np.empty(targets.shape)
    for i in range(len(X)):
        remaining = weight.copy()
        remaining[i] = max(weight[i] - 1, 0)
        B = A.T * remaining
        scores[i] = A[i] @ np.linalg.solve(B @ A + penalty, B @ targets)
    return scores


def best_temperature(scores, y, weight):
    """Return the temperature of the lowest log loss.

    Labels are smoothed by one more sample of each class (Platt, 1999).
    """
    n, n_classes = weight.sum(), scores.shape[1]
    smoothed = (n * np.eye(n_classes)[y] + 1) / (n + n_classes)

    def log_loss(log_temperature):
        return -weight @ (smoothed * log_softmax(scores / np.exp(log_temperature), axis=1)).sum(1)

    return np.exp(minimize_scalar(log_loss, bounds=(-7, 7), options={"xatol": 1e-9}).x)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "weights",
    [(1, 1, 1), (1, 2, 3), (7, 7), (0.25, 0.75, 2.5), (0.2, 0.3, 0.4), (0.5, 6)],
    ids=str,
)
def test_temperature_is_the_best_for_scores_without_one_copy_of_the_sample(weights, n_classes):
    X, y, weight = factorial_design(weights, n_classes)
    targets = 2.0 * y[:, None] - 1 if n_classes == 2 else np.eye(n_classes)[y]
    scores = scores_without_one_copy(X, targets, weight)
    if n_classes == 2:  # the only score belongs to the second class
        scores = np.c_[np.zeros(len(y)), scores]
    head = RidgeHead(ALPHA, tol=1e-13, max_iter=300).fit(X, y, sample_weight=weight)
    assert_allclose(head.temperature_, best_temperature(scores, y, weight), rtol=1e-6)
