"""Temperatures of heads, compared with the best ones for scores of left-out samples."""

import numpy as np
import pytest
import torch
from helpers import centered
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import StandardScaler

from skhier import KernelRidgeHead, RidgeHead

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
    """Return the temperature of the lowest log loss, of the best division by frequencies too.

    Labels are smoothed by one more sample, divided among all classes.
    """
    n, n_classes = weight.sum(), scores.shape[1]
    smoothed = (n * np.eye(n_classes)[y] + 1 / n_classes) / (n + 1)
    rarity = -np.log(np.bincount(y, weight) / n)

    def at_best_temperature(power):
        def log_loss(log_temperature):
            logits = scores / np.exp(log_temperature) + power * rarity
            return -weight @ (smoothed * log_softmax(logits, axis=1)).sum(1)

        return minimize_scalar(log_loss, bounds=(-7, 7), options={"xatol": 1e-9})

    options = {"bounds": (0, 2), "options": {"xatol": 1e-9}}
    power = minimize_scalar(lambda power: at_best_temperature(power).fun, **options).x
    return np.exp(at_best_temperature(power).x)


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


def noisy_classes(n_samples, n_features, n_classes):
    """Return standard normal features, and classes that depend on a few of them and on noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_samples, n_features))
    scores = 2 * X[:, :n_classes]
    return X, (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)


def smoothed(K, penalty, targets):
    """Regress targets with a kernel matrix and an intercept, in closed form.

    Returns
    -------
    scores : ndarray of shape (n_samples, n_outputs)
        Fitted values.
    left_out : ndarray of shape (n_samples, n_outputs)
        Values without the sample; each leverage is replaced by the mean of all.
    """
    smoother = np.linalg.solve(K + penalty * np.eye(len(K)), K).T
    scores = smoother @ (targets - targets.mean(axis=0)) + targets.mean(axis=0)
    leverage = (1 + np.trace(smoother)) / len(K)  # the intercept adds 1 to the trace
    return scores, scores - leverage / (1 - leverage) * (targets - scores)


def test_temperature_of_ridge_regression_is_the_best_for_the_mean_leverage():
    # With more than 512 samples and features the mean leverage is estimated from random signs.
    X, y = noisy_classes(700, 600, 4)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    scores, left_out = smoothed(Z @ Z.T, 0.05 * 600, np.eye(4)[y])
    found = []
    for seed in range(4):
        head = RidgeHead(0.05, tol=1e-9, max_iter=300, random_state=seed).fit(X, y)
        assert_array_equal(head.predict(X), scores.argmax(axis=1))
        found.append(head.temperature_)
    assert_allclose(np.mean(found), best_temperature(left_out, y, np.ones(700)), rtol=0.1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_temperature_of_kernel_ridge_regression_is_the_best_for_the_mean_leverage(dtype):
    # The mean leverage of 1,500 samples is estimated from random signs, of rounded features.
    X, y = noisy_classes(1500, 60, 5)
    X = torch.from_numpy(X).to(dtype)
    rounded = X.double().numpy()
    Z = (rounded - rounded.mean(axis=0)) / (rounded.std(axis=0) * np.sqrt(60))
    _, left_out = smoothed(rbf_kernel(Z, gamma=0.5), 0.03, np.eye(5)[y])
    heads = [KernelRidgeHead(random_state=seed).fit_features(X, y) for seed in range(4)]
    found = np.mean([head.temperature_ for head in heads])
    assert_allclose(found, best_temperature(left_out, y, np.ones(1500)), rtol=0.05)


def test_scores_of_the_mean_leverage_are_nearly_those_of_fits_without_the_sample():
    X = np.random.default_rng(0).standard_normal((150, 6))
    y = (np.square(X).sum(axis=1) > 5.35).astype(int)
    Z = (X - X.mean(axis=0)) / (X.std(axis=0) * np.sqrt(6))
    scores, left_out = smoothed(rbf_kernel(Z, gamma=0.5), 0.3, 2.0 * y[:, None] - 1)
    head = KernelRidgeHead(0.3, tol=1e-12, max_iter=500).fit(X, y)
    assert_allclose(centered(head.decision_function(X)), centered(scores[:, 0]), atol=1e-9)
    logits = np.c_[np.zeros(150), left_out]  # the only score belongs to the second class
    assert_allclose(head.temperature_, best_temperature(logits, y, np.ones(150)), rtol=1e-6)
    refitted = []
    for i in range(150):
        rest = np.arange(150) != i
        scaler = StandardScaler().fit(X[rest])
        Z, target = scaler.transform(X) / np.sqrt(6), 2.0 * y - 1
        mean = target[rest].mean()
        fewer = KernelRidge(alpha=0.3, kernel="rbf", gamma=0.5).fit(Z[rest], target[rest] - mean)
        refitted.append(fewer.predict(Z[i : i + 1])[0] + mean)
    # With six features the leverages of samples differ much from their mean.
    assert np.corrcoef(left_out[:, 0], refitted)[0, 1] > 0.98
    error, effect = (np.abs(values[:, 0] - refitted) for values in (left_out, scores))
    assert error.mean() < 0.5 * effect.mean()
