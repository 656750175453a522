"""Probabilities of RidgeHead and of the classifier."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhier import LayerwiseCNNClassifier, RidgeHead
from skhier.classifier._calibration import fit_scale, fit_shift


def noisy(n, n_classes, n_features=40, seed=0):
    """Return standard normal features, and classes that depend on a few of them and on noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, n_features))
    scores = X[:, :n_classes] * 1.5
    return X, (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)


def calibration_error(p, y, n_bins=10):
    """Return the mean difference of confidence and accuracy over bins of equal size."""
    order = np.argsort(p.max(axis=1))
    is_correct, confidence = (p.argmax(axis=1) == y)[order], p.max(axis=1)[order]
    bins = zip(np.array_split(is_correct, n_bins), np.array_split(confidence, n_bins))
    return np.mean([abs(a.mean() - c.mean()) for a, c in bins])


@pytest.mark.parametrize("n_classes", [2, 3, 10])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_probabilities_are_calibrated_where_scores_overfit(n_classes, early_stopping):
    X, y = noisy(3000, n_classes, n_features=400)
    X_train, X_test, y_train, y_test = X[:1000], X[1000:], y[:1000], y[1000:]
    head = RidgeHead(alpha=0.01, early_stopping=early_stopping, random_state=0)
    p = head.fit(X_train, y_train).predict_proba(X_test)
    assert_allclose(p.sum(axis=1), 1)
    assert_array_equal(head.classes_[p.argmax(axis=1)], head.predict(X_test))
    assert calibration_error(p, y_test) < 0.06
    # No other temperature is much better, even if it is chosen by the test labels.
    scores = head.decision_function(X_test).reshape(len(X_test), -1)
    scores = np.pad(scores, ((0, 0), (1, 0))) if n_classes == 2 else scores
    best = min(log_loss(y_test, softmax(scores * s, axis=1)) for s in np.geomspace(0.1, 30, 60))
    assert log_loss(y_test, p) < best + 0.03


def test_the_scale_of_scores_is_the_best_factor():
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((20_000, 5))
    y = (3 * scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    weight = rng.integers(1, 3, size=len(y)).astype(float)
    assert_allclose(fit_scale(scores, np.eye(scores.shape[1])[y], weight), 3, rtol=0.05)
    assert_allclose(fit_scale(scores * 100, np.eye(scores.shape[1])[y], weight), 0.03, rtol=0.05)


def test_scores_without_information_or_without_mistakes_have_a_finite_scale():
    y = np.repeat([0, 1, 2], 20)
    for scores in (np.zeros((60, 3)), -np.eye(3)[y], np.eye(3)[y]):
        scale = fit_scale(scores, np.eye(scores.shape[1])[y], np.ones(60))
        p = softmax(scale * scores, axis=1)
        assert 0 < scale < np.inf
        assert -np.log(p[np.arange(60), y]).mean() < np.log(3) + 1e-2


def test_features_without_information_give_probabilities_near_the_frequencies():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((2000, 20)), (rng.uniform(size=2000) < 0.1).astype(int)
    p = RidgeHead().fit(X, y).predict_proba(rng.standard_normal((500, 20)))
    assert_allclose(p[:, 1].mean(), 0.1, atol=0.03)


def test_probabilities_of_the_classifier_are_the_softmax_of_its_scores(digits):
    X_train, X_test, y_train, y_test = digits
    clf = LayerwiseCNNClassifier(n_clusters=[16, 32], random_state=0).fit(X_train, y_train)
    p = clf.predict_proba(X_test)
    expected = softmax(clf.decision_function(X_test) / clf.head_.temperature_, axis=1)
    assert_allclose(p, expected, atol=1e-12)
    base = np.bincount(y_train) / len(y_train)
    assert log_loss(y_test, p) < 0.15 * log_loss(y_test, np.tile(base, (len(y_test), 1)))
    assert calibration_error(p, y_test) < 0.04


def test_rare_classes_are_found_as_well_as_by_balanced_logistic_regression(digits):
    """Compare on the same features, with 8 images of the rare label among 808 to learn from."""
    X, y = np.concatenate(digits[:2]), np.concatenate(digits[2:])
    ours, theirs = [], []
    for seed, digit in enumerate([1, 3, 8]):
        rng = np.random.default_rng(seed)
        rare = rng.permutation(np.flatnonzero(y == digit))
        other = rng.permutation(np.flatnonzero(y != digit))
        train, test = np.r_[rare[:8], other[:800]], np.r_[rare[8:], other[800:]]
        clf = LayerwiseCNNClassifier(n_clusters=16, class_weight="balanced", random_state=seed)
        clf.fit(X[train], y[train] == digit)
        ours.append(balanced_accuracy_score(y[test] == digit, clf.predict(X[test])))
        features = clf.transform(X).reshape(len(X), -1)
        regression = make_pipeline(
            StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=500)
        )
        regression.fit(features[train], y[train] == digit)
        predicted = regression.predict(features[test])
        theirs.append(balanced_accuracy_score(y[test] == digit, predicted))
    assert np.mean(ours) > max(0.8, np.mean(theirs))


@pytest.mark.parametrize("n_classes", [2, 4])
def test_shifts_of_scores_are_the_best_offsets(n_classes):
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((20_000, n_classes))
    shift = np.linspace(-0.4, 0.4, n_classes)
    y = (3 * (scores + shift) + rng.gumbel(size=scores.shape)).argmax(axis=1)
    assert_allclose(
        fit_shift(scores, np.eye(scores.shape[1])[y], np.ones(len(y))), shift, atol=0.05
    )
