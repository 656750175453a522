"""Shifted copies of the training images, from which the head learns."""

import numpy as np
import pytest
from helpers import centered, moved_digits
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import shift as shift_image
from sklearn.metrics import log_loss
from sklearn.svm import LinearSVC

from skhier import KernelRidgeHead, LayerwiseCNNClassifier, RidgeHead
from skhier._base._rows import Rows
from skhier.classifier._shifts import n_copies, with_shifts

SMALL = {"n_layers": 1, "n_clusters": 8, "pool_size": 4, "precision": "float32", "random_state": 0}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("pixels", [1, 3])
def test_copies_are_the_image_moved_in_four_directions(pixels, dtype):
    images = np.random.default_rng(0).integers(0, 200, (4, 7, 9, 2)).astype(dtype)
    rows = with_shifts(Rows.of_array(images), pixels)
    found = rows.collect().reshape(4, n_copies(pixels), 7, 9, 2)
    steps = [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)]
    for copy, (down, right) in enumerate(steps):
        move = (0, pixels * down, pixels * right, 0)
        assert_array_equal(found[:, copy], shift_image(images, move, order=0, mode="nearest"))


def test_any_rows_of_the_copies_can_be_read():
    images = np.random.default_rng(0).standard_normal((6, 5, 5, 1))
    rows = with_shifts(Rows.of_array(images), 1)
    every, some = rows.take(slice(None)), np.array([3, 4, 11, 28])
    assert_array_equal(rows.take(some), every[some])
    assert_array_equal(rows.subset(some).take(slice(1, 3)), every[some][1:3])


def with_copies(X, y, pixels):
    """Return images with their copies as an array, and the labels of all."""
    rows, number = with_shifts(Rows.of_array(X[..., None]), pixels), n_copies(pixels)
    return rows.collect()[..., 0], np.repeat(y, number), number


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("make", [RidgeHead, KernelRidgeHead], ids=["ridge", "kernel"])
def test_head_is_that_of_the_features_of_all_copies(make, mirror):
    X, y = moved_digits(150, 0)
    head = make(0.1, random_state=1, max_iter=300, tol=1e-9)
    clf = LayerwiseCNNClassifier(head=head, shift=2, mirror=mirror, **SMALL).fit(X, y)
    copies, labels, number = with_copies(X, y, 2)
    features = clf.transform(copies).reshape(len(copies), -1)
    alone = make(0.1, random_state=1, max_iter=300, tol=1e-9)
    alone.fit(features, labels, sample_weight=np.full(len(labels), 1 / number))
    X_test, _ = moved_digits(50, 1)
    expected = alone.decision_function(clf.transform(X_test).reshape(50, -1))
    found = clf.decision_function(X_test)
    assert_allclose(centered(found), centered(expected), atol=2e-3)


def scores_without_an_image(features, targets, alpha):
    """Return the scores of images by ridge regressions without them and their copies.

    `features` has shape (n, number, n_features); they are standardized.
    """
    n, number, D = features.shape
    scores = np.empty((n, targets.shape[1]))
    mean = targets.mean(axis=0)
    for i in range(n):
        Z = np.delete(features, i, axis=0).reshape(-1, D)
        Y = np.repeat(np.delete(targets, i, axis=0) - mean, number, axis=0)
        W = np.linalg.solve(Z.T @ Z / number + alpha * D * np.eye(D), Z.T @ Y / number)
        scores[i] = features[i, 0] @ W + mean
    return scores


@pytest.mark.parametrize("alpha", [0.03, 0.3])
def test_probabilities_are_calibrated_without_the_image_and_its_copies(alpha):
    X, y = moved_digits(200, 0)
    clf = LayerwiseCNNClassifier(head=RidgeHead(alpha, tol=1e-6), shift=2, **SMALL).fit(X, y)
    copies, _, number = with_copies(X, y, 2)
    features = clf.transform(copies).reshape(len(copies), -1).astype(float)
    varying = features.std(axis=0) > 1e-6
    features = (features - features.mean(axis=0))[:, varying] / features.std(axis=0)[varying]
    features = features.reshape(len(X), number, -1)
    alpha *= varying.size / varying.sum()
    scores = scores_without_an_image(features, np.eye(10)[y], alpha)

    def loss(temperature):
        p = np.exp(scores / temperature)
        return log_loss(y, p / p.sum(axis=1, keepdims=True))

    best = min(np.geomspace(0.01, 1, 200), key=loss)
    assert_allclose(clf.head_.temperature_, best, rtol=0.15)


def test_copies_help_where_images_are_few_and_their_places_vary():
    X, y = moved_digits(60, 0)
    X_test, y_test = moved_digits(600, 1)
    score = {
        shift: LayerwiseCNNClassifier(
            n_layers=1, n_clusters=32, pool_size=4, shift=shift, random_state=0
        )
        .fit(X, y)
        .score(X_test, y_test)
        for shift in (0, 1)
    }
    assert score[1] > score[0] + 0.01


@pytest.mark.parametrize("head", [LinearSVC(), RidgeHead(early_stopping=True), "kernel"])
def test_any_head_learns_from_copies(head):
    X, y = moved_digits(200, 0)
    clf = LayerwiseCNNClassifier(head=head, shift=1, **SMALL).fit(X, y)
    assert clf.score(X, y) > 0.8


@pytest.mark.parametrize(
    ("size", "n", "pixels"), [(8, 30, 0), (16, 30, 1), (35, 30, 2), (64, 30, 2), (16, 2001, 0)]
)
def test_auto_depends_on_the_size_and_number_of_images_and_of_layers(size, n, pixels):
    X = np.random.default_rng(0).random((n, size, size), np.float32)
    for n_layers in (1, 2):
        clf = LayerwiseCNNClassifier(
            n_layers=n_layers, n_clusters=2, patch_size=3, pool_size=8, mirror=False, random_state=0
        )
        assert clf.fit(X, np.arange(n) % 2).shift_ == (pixels if n_layers > 1 else 0)


@pytest.mark.parametrize("shift", [-1, 0.5, "none", None])
def test_invalid_shifts_are_refused(shift):
    with pytest.raises(ValueError, match="'shift' parameter of LayerwiseCNNClassifier"):
        LayerwiseCNNClassifier(shift=shift).fit(*moved_digits(20, 0))


def test_a_shift_as_large_as_the_image_is_refused():
    with pytest.raises(ValueError, match="shift=16 is not less than 16"):
        LayerwiseCNNClassifier(shift=16, **SMALL).fit(*moved_digits(20, 0))
    vectors = np.random.default_rng(0).random((40, 5))
    with pytest.raises(ValueError, match="shift=1 is not less than 1"):
        LayerwiseCNNClassifier(shift=1).fit(vectors, np.arange(40) % 2)
