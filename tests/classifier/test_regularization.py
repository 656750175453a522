"""The regularization that leave-one-out errors select."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.special import log_softmax
from sklearn.datasets import load_digits

from skhier import RidgeHead
from skhier.classifier._left_out import LeftOut
from skhier.classifier._regularization import AUTO_ALPHAS, best_penalty, minimum_at_largest_penalty


def left_out_losses(X, y, weight, penalties):
    """Return the log losses of regressions without one sample at the best temperature."""
    losses, targets = [], np.eye(y.max() + 1)[y]
    offset = weight @ targets / weight.sum()
    for penalty in penalties:
        scores = np.empty(targets.shape)
        for i in range(len(X)):
            others = np.arange(len(X)) != i
            B = X[others].T * weight[others]
            right_side = B @ (targets - offset)[others]
            W = np.linalg.solve(B @ X[others] + penalty * np.eye(X.shape[1]), right_side)
            scores[i] = offset + X[i] @ W
        scales = np.geomspace(1e-3, 1e3, 300)
        of_labels = [log_softmax(s * scores, axis=1)[range(len(y)), y] for s in scales]
        losses.append(-max(weight @ logs for logs in of_labels))
    return losses


@pytest.mark.parametrize("noise", [0.3, 1.0, 5.0])
@pytest.mark.parametrize("n", [40, 90])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_penalty_has_the_lowest_loss_of_samples_that_are_left_out(n_classes, n, noise):
    rng = np.random.default_rng(n)
    X, weight = rng.standard_normal((n, 20)), rng.uniform(0.2, 3, n)
    y = (X[:, :n_classes] + noise * rng.standard_normal((n, n_classes))).argmax(axis=1)
    penalties = [0.1, 1.0, 10.0, 100.0]
    table = np.array([[-1.0], [1.0]]) if n_classes == 2 else np.eye(n_classes)
    offset = weight @ table[y] / weight.sum()
    arrays = [torch.from_numpy(array) for array in (X @ X.T, table[y] - offset, weight / 8)]
    left_out = LeftOut.in_sets(*arrays, None)
    best = best_penalty(left_out, [p / 8 for p in penalties], torch.from_numpy(offset), 8)
    losses = left_out_losses(X, y, weight, penalties)
    # Labels are smoothed by one sample, which changes losses a little.
    assert losses[best] <= 1.01 * losses[minimum_at_largest_penalty(losses)]


def test_small_errors_beyond_a_maximum_are_not_believed():
    assert minimum_at_largest_penalty([0.3, 0.9, 0.5, 0.7]) == 2
    assert minimum_at_largest_penalty([0.3, 0.4, 0.5, 0.7]) == 0
    assert minimum_at_largest_penalty([0.9, 0.8]) == 1
    assert minimum_at_largest_penalty([0.9, 0.7, 0.8, 0.8]) == 1


def noisy_digits(flipped):
    """Return 300 digits to learn from and 500 others; a share of the former has random labels."""
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(X))[:800]
    X, y = X[order], y[order]
    learned, clean = y[:300].copy(), y[300:]
    is_flipped = rng.random(300) < flipped
    learned[is_flipped] = rng.integers(10, size=is_flipped.sum())
    return X[:300], learned, X[300:], clean


@pytest.mark.parametrize("flipped", [0.0, 0.6])
def test_alpha_is_near_the_best_for_clean_and_for_noisy_labels(flipped):
    X, y, X_test, y_test = noisy_digits(flipped)
    head = RidgeHead(random_state=0).fit(X, y)
    assert head.alpha_ in AUTO_ALPHAS
    best = max(RidgeHead(alpha).fit(X, y).score(X_test, y_test) for alpha in AUTO_ALPHAS)
    assert head.score(X_test, y_test) >= best - 0.03


def test_noisy_labels_need_a_larger_alpha():
    alphas = [RidgeHead().fit(*noisy_digits(flipped)[:2]).alpha_ for flipped in (0.0, 0.6)]
    assert alphas[0] < alphas[1]


@pytest.mark.parametrize("n_copies", [2, 5])
def test_copies_of_samples_are_left_out_together(n_copies):
    """Copies on both sides would favor the smallest alpha, however noisy the labels are."""
    X, y = noisy_digits(0.6)[:2]
    copies = np.tile(X, (n_copies, 1)), np.tile(y, n_copies)
    weighted = RidgeHead().fit(X, y, sample_weight=np.full(len(X), n_copies))
    repeated = RidgeHead().fit(*copies)
    assert repeated.alpha_ == weighted.alpha_ > AUTO_ALPHAS[0]
    assert_allclose(repeated.coef_, weighted.coef_, atol=0.02 * np.abs(weighted.coef_).max())


def test_a_given_alpha_is_used():
    X, y = load_digits(return_X_y=True)
    assert RidgeHead(0.7).fit(X, y).alpha_ == 0.7
