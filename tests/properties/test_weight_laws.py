"""A sample of weight 2 equals two copies, and a sample of weight 0 equals no sample."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from strategies import labeled_codes, seeds

from skhier import (
    LayerwiseCNNClassifier,
    PatchKMeansOrthogonalizer,
    RidgeHead,
    SphericalKMeans,
    TwoLayerConvEmbedder,
)
from skhier.classifier import _calibration

EXACT = {"tol": 1e-13, "max_iter": 300}
FEW_EXAMPLES = max(4, settings.default.max_examples // 8)


@st.composite
def weighted_digits(draw):
    """Draw images, labels of three classes, and integer weights from 0."""
    digits = load_digits(n_class=3)
    rng = np.random.default_rng(draw(seeds))
    chosen = rng.choice(len(digits.target), 60, replace=False)
    weight = rng.integers(4, size=60)
    X, y = digits.images[chosen], digits.target[chosen]
    weight[[np.flatnonzero(y == label)[0] for label in range(3)]] = 1  # each label has a sample
    return X, y, weight


def fit_both(estimator, X, y, weight):
    """Return an estimator fitted with weights, and one fitted on copies."""
    copies = np.repeat(np.arange(len(X)), weight)
    weighted = clone(estimator).fit(X, y, sample_weight=weight)
    return weighted, clone(estimator).fit(X[copies], y[copies])


@settings(max_examples=FEW_EXAMPLES)
@given(weighted_digits(), st.sampled_from(["crelu", "one_hot"]), st.sampled_from([None, 0.1]))
def test_weights_of_images_are_copies_for_an_orthogonalizer(data, encoding, whiten_eps):
    params = {"encoding": encoding, "whiten_eps": whiten_eps, "border": "dark"}
    phi = PatchKMeansOrthogonalizer(12, n_patches=None, random_state=0, **params)
    weighted, repeated = fit_both(phi, *data)
    assert_allclose(weighted.border_, repeated.border_)
    assert_allclose(weighted.transform(data[0]), repeated.transform(data[0]), atol=1e-6)


@given(labeled_codes(), seeds, st.sampled_from(["exact", "svd", "gd"]), st.booleans())
def test_weights_of_codes_are_copies_for_an_embedder(data, seed, solver, is_one_hot):
    codes, y, n_components = data
    if is_one_hot:
        codes = np.eye(codes.shape[3])[codes.argmax(axis=3)]
    weight = np.random.default_rng(seed).integers(1, 4, size=len(y))
    weight[-1] = 0 if np.isin(y[-1], y[:-1]) and len(np.unique(y[:-1])) > 1 else 1
    embedder = TwoLayerConvEmbedder(n_components, solver=solver, max_iter=20, random_state=0)
    weighted, repeated = fit_both(embedder, codes, y, weight)
    assert_allclose(weighted.kernels_, repeated.kernels_, atol=1e-10)
    assert_allclose(weighted.loss_curve_, repeated.loss_curve_, atol=1e-10)


@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0, 2: 0.5}])
@settings(max_examples=FEW_EXAMPLES)
@given(weighted_digits())
def test_weights_of_features_are_copies_for_a_ridge_head_and_its_probabilities(class_weight, data):
    X, y, weight = data
    X = X.reshape(len(X), -1)
    head = RidgeHead(class_weight=class_weight, **EXACT)
    weighted, repeated = fit_both(head, X, y, weight)
    assert_allclose(weighted.decision_function(X), repeated.decision_function(X), atol=1e-6)
    assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("head", ["ridge", "svm", "linear"])
@settings(max_examples=FEW_EXAMPLES)
@given(weighted_digits())
def test_weights_of_images_are_copies_for_a_classifier(head, data):
    X, y, weight = data
    clf = LayerwiseCNNClassifier(n_clusters=8, head=head, class_weight="balanced", random_state=0)
    if head == "linear":
        clf.set_params(head__logisticregression__tol=1e-8)
    weighted, repeated = fit_both(clf, X, y, weight)
    assert_allclose(weighted.transform(X), repeated.transform(X), atol=1e-6)
    scores = weighted.decision_function(X)
    assert_allclose(scores, repeated.decision_function(X), atol=1e-3 * np.abs(scores).max())


@settings(max_examples=FEW_EXAMPLES)
@given(weighted_digits())
def test_weights_of_classes_are_weights_of_their_samples(data):
    X, y, _ = data
    clf = LayerwiseCNNClassifier(n_clusters=8, random_state=0)
    by_class = clone(clf).set_params(class_weight={0: 2.0, 1: 1.0, 2: 0.5}).fit(X, y)
    by_sample = clone(clf).fit(X, y, sample_weight=np.array([2.0, 1.0, 0.5])[y])
    assert_array_equal(by_class.transform(X), by_sample.transform(X))
    assert_array_equal(by_class.head_.coef_, by_sample.head_.coef_)  # intercepts differ
    ones = clone(clf).fit(X, y, sample_weight=np.ones(len(X)))
    assert_array_equal(ones.decision_function(X), clone(clf).fit(X, y).decision_function(X))


@pytest.mark.parametrize(
    "estimator",
    [
        RidgeHead(),
        TwoLayerConvEmbedder(2),
        SphericalKMeans(2),
        PatchKMeansOrthogonalizer(2),
        LayerwiseCNNClassifier(n_layers=1, n_clusters=2),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
@pytest.mark.parametrize("weight", [1e300, 1e-300, np.nan, np.inf, -1.0, 10**400, "a"])
def test_invalid_weights_and_weights_out_of_range_are_refused(estimator, weight):
    X, y = np.eye(6) + 1, np.arange(6) % 2
    for weights in (weight, [weight] * 6, np.array([weight, *[1] * 5], object)[::-1]):
        if weights is weight or weight != 1e-300:
            with pytest.raises(ValueError, match="sample_weight"):
                clone(estimator).fit(X, y, sample_weight=weights)


@pytest.mark.parametrize("weight", [0, -1.0, np.nan, np.inf, 1e300, 1e-300, None, "2", 1j])
@pytest.mark.parametrize(
    "estimator", [RidgeHead(), LayerwiseCNNClassifier(n_layers=1, n_clusters=2)]
)
def test_invalid_weights_of_classes_and_weights_out_of_range_are_refused(estimator, weight):
    X, y = np.eye(6) + 1, np.arange(6) % 2
    with pytest.raises(ValueError, match=r"class_weight\[1\]="):
        clone(estimator).set_params(class_weight={1: weight}).fit(X, y)


@settings(max_examples=FEW_EXAMPLES)
@given(weighted_digits(), st.integers(-20, 20), st.sampled_from([np.float32, np.float64]))
def test_a_factor_of_weights_and_alpha_changes_no_coefficient(data, exponent, dtype):
    X, y, weight = data
    X, factor = X.reshape(len(X), -1).astype(dtype), 2.0**exponent
    expected = RidgeHead(0.5).fit(X, y, sample_weight=weight)
    head = RidgeHead(0.5 * factor).fit(X, y, sample_weight=weight * factor)
    assert_array_equal(head.coef_, expected.coef_)


@settings(max_examples=FEW_EXAMPLES)
@given(weighted_digits(), st.sampled_from([0, 1e-20, 0.3, 1e6]), st.booleans())
def test_probabilities_of_classes_of_very_different_weights_sum_to_one(data, alpha, is_double):
    X, y, weight = data
    X = X.reshape(len(X), -1).astype(np.float64 if is_double else np.float32)
    head = RidgeHead(alpha, class_weight={0: 1e-6, 1: 1e6})
    p = head.fit(X, y, sample_weight=weight / 3).predict_proba(X)
    assert_allclose(p.sum(axis=1), 1, rtol=1e-5)


def test_constant_features_of_a_head_of_scikit_learn_give_no_warning():
    X = np.repeat(np.random.default_rng(0).random((1, 4, 4)), 40, axis=0)
    y, weight = np.arange(40) % 2, np.random.default_rng(0).uniform(0.1, 3, 40)
    params = {"n_clusters": 3, "patch_size": 2, "n_components": 2, "random_state": 0}
    phi = PatchKMeansOrthogonalizer(whiten_eps=None)
    for head in ("svm", "linear"):
        clf = LayerwiseCNNClassifier(n_layers=1, head=head, orthogonalizer=phi, **params)
        assert np.isfinite(clf.fit(X, y, sample_weight=weight).decision_function(X)).all()


@settings(max_examples=FEW_EXAMPLES)
@given(seeds, st.floats(0.01, 3), st.integers(1, 3))
def test_leaving_one_out_is_exact_where_all_leverages_are_equal(seed, penalty, n_copies):
    # A full factorial design: each row has the same leverage.
    design = np.array(np.meshgrid(*[[-1.0, 1.0]] * 3)).reshape(3, 8).T.repeat(n_copies, axis=0)
    targets = np.random.default_rng(seed).standard_normal((len(design), 2))
    A = np.c_[np.ones(len(design)), design]
    P = penalty * np.diag([0, 1, 1, 1])

    def smooth(rows):
        return A @ np.linalg.solve(A[rows].T @ A[rows] + P, A[rows].T)

    all_rows = np.arange(len(A))
    H = smooth(all_rows)
    ones = np.ones(len(A))
    scores = _calibration.leave_one_out(H @ targets, targets, ones, ones, np.trace(H), all_rows)
    for i in all_rows:
        others = np.delete(all_rows, i)
        assert_allclose(scores[i], smooth(others)[i] @ targets[others], atol=1e-8)
