"""RidgeHead, compared with scikit-learn's regression, and its early stopping."""

import numpy as np
import pytest
import torch
from helpers import centered
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.base import clone
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.metrics import balanced_accuracy_score, log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhier import KernelRidgeHead, RidgeHead

EXACT = {"tol": 1e-13, "max_iter": 500}


def data(n_classes, n=120, n_features=9, seed=0):
    """Return correlated features with an offset, and classes with a mean of their own."""
    rng = np.random.default_rng(seed)
    y = rng.integers(n_classes, size=n)
    X = rng.standard_normal((n, n_features)) @ rng.standard_normal((n_features, n_features))
    return 3 * X + 5 + rng.standard_normal((n_classes, n_features))[y], y


@pytest.mark.parametrize("is_balanced", [False, True])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_is_the_ridge_regression_of_scikit_learn(n_classes, is_balanced):
    X, y = data(n_classes)
    if is_balanced:
        smallest = np.bincount(y).min()
        kept = np.concatenate([np.flatnonzero(y == c)[:smallest] for c in range(n_classes)])
        X, y = X[kept], y[kept]
    head = RidgeHead(alpha=0.2, **EXACT).fit(X, y)
    Z = StandardScaler().fit_transform(X) / np.sqrt(X.shape[1])
    reference = RidgeClassifier(alpha=0.2).fit(Z, y)
    scores = reference.decision_function(Z)
    if n_classes > 2:  # targets are 0 and 1 here, and -1 and 1 in scikit-learn
        scores = (scores + 1) / 2
    found = head.decision_function(X)
    assert_allclose(centered(found), centered(scores), atol=1e-9)
    if is_balanced:  # otherwise the scores of rare classes are raised
        assert_allclose(found, scores, atol=1e-9)
        assert_array_equal(head.predict(X), reference.predict(Z))


def test_rare_classes_are_found_and_have_calibrated_probabilities():
    rng = np.random.default_rng(0)
    means = 0.2 * rng.standard_normal((3, 150))

    def draw(n):
        y = rng.choice(3, n, p=[0.1, 0.3, 0.6])
        return means[y] + rng.standard_normal((n, 150)), y

    (X, y), (X_test, y_test) = draw(300), draw(3000)
    head = RidgeHead().fit(X, y)
    ridge = make_pipeline(StandardScaler(), RidgeClassifier(alpha=head.alpha_ * 150)).fit(X, y)
    scores = [(ridge.decision_function(X_test) + 1) / 2, head.decision_function(X_test)]
    assert_allclose(*map(centered, scores), atol=0.05)
    without, found = (balanced_accuracy_score(y_test, s.argmax(axis=1)) for s in scores)
    assert found > without + 0.05
    losses = [log_loss(y_test, softmax(scores[0] / t, axis=1)) for t in np.geomspace(0.05, 2, 30)]
    assert log_loss(y_test, head.predict_proba(X_test)) < min(losses)


def test_more_features_than_samples_take_no_more_iterations_than_samples():
    X, y = data(3, n=30, n_features=80)
    head = RidgeHead(alpha=1.0, **EXACT).fit(X, y)
    Z = StandardScaler().fit_transform(X) / np.sqrt(80)
    reference = Ridge(alpha=1.0).fit(Z, np.eye(3)[y])
    assert_allclose(head.decision_function(X), reference.predict(Z), atol=1e-9)
    assert head.n_iter_ <= 31


def test_units_of_features_and_constant_features_do_not_matter():
    X, y = data(3)
    scores = RidgeHead(0.3, **EXACT).fit(X, y).decision_function(X)
    rescaled = X * np.logspace(-2, 2, 9) - 7
    assert_allclose(RidgeHead(0.3, **EXACT).fit(rescaled, y).decision_function(rescaled), scores)
    padded = np.c_[X, np.full((len(X), 3), 4.2)]
    head = RidgeHead(alpha=0.3 * 9 / 12, **EXACT).fit(padded, y)
    assert_allclose(head.decision_function(padded), scores)
    assert_array_equal(head.coef_[:, 9:], 0)


@pytest.mark.parametrize("power", [0.5, 2.0])
def test_power_is_the_regression_on_powers_of_features(power):
    X, y = data(3)
    Z = np.sign(X) * abs(X) ** power
    X_before = X.copy()
    head = RidgeHead(power=power, **EXACT).fit(X, y)
    reference = RidgeHead(**EXACT).fit(Z, y)
    assert_allclose(head.decision_function(X), reference.decision_function(Z), atol=1e-9)
    assert_allclose(head.coef_, reference.coef_)
    assert head.alpha_ == reference.alpha_
    assert_array_equal(X, X_before)
    tensor = torch.from_numpy(X)
    RidgeHead(power=power).fit_features(tensor, y)
    assert_array_equal(tensor, X_before)


@pytest.mark.parametrize(
    ("value", "shape", "message"),
    [(torch.nan, (40, 3), "NaN"), (torch.inf, (40, 3), "infinite"), (1.0, (40,), r"shape \(40,\)")],
)
def test_features_that_are_no_finite_rows_are_refused(value, shape, message):
    features = torch.ones(shape, dtype=torch.bfloat16)
    features[3] = value
    with pytest.raises(ValueError, match=message):
        RidgeHead().fit_features(features, np.arange(40) % 2)


@pytest.mark.parametrize("features", [torch.ones(40, 3).long(), np.ones((40, 3))])
def test_features_that_are_no_tensor_of_floats_are_refused(features):
    with pytest.raises(TypeError, match="takes a tensor of floats"):
        RidgeHead().fit_features(features, np.arange(40) % 2)


def test_features_with_a_gradient_and_lists_of_labels_are_taken():
    X, y = data(3)
    expected = RidgeHead(**EXACT).fit(X[1:], y[1:]).decision_function(X)
    features = torch.from_numpy(X).requires_grad_()
    head = RidgeHead(**EXACT).fit_features(features, y.tolist(), [0] + [1] * (len(y) - 1))
    assert_allclose(head.decision_function(X), expected, atol=1e-9)


@pytest.mark.parametrize("head", [RidgeHead(), KernelRidgeHead()], ids=str)
@pytest.mark.parametrize("unit", [1e-12, 1e10])
def test_values_whose_powers_are_out_of_range_are_refused(head, unit):
    X, y = data(3)
    X = np.float32(unit) * X.astype(np.float32)
    assert clone(head).set_params(power=0.5).fit(X, y).decision_function(X).std() > 0.05
    with pytest.raises(ValueError, match="Divide X by"):
        clone(head).set_params(power=4.0).fit(X, y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_without_a_tolerance_iterations_end_at_the_rounding_error(dtype):
    X, y = data(4)
    head = RidgeHead(tol=0, max_iter=300).fit(X.astype(dtype), y)
    assert np.isfinite(head.residual_curve_).all()
    assert head.n_iter_ < 300
    assert_allclose(head.coef_, RidgeHead(**EXACT).fit(X, y).coef_, atol=1e-4)


def test_iterations_end_when_the_residual_is_below_the_tolerance():
    X, y = data(4)
    head = RidgeHead(tol=1e-6, max_iter=100).fit(X, y)
    assert head.residual_curve_[-1] <= 1e-6 < head.residual_curve_[-2]
    assert head.n_iter_ == len(head.residual_curve_) < 100


def test_bfloat16_features_give_nearly_the_scores_of_their_values():
    X, y = data(3, n=2000, n_features=40)
    features = torch.from_numpy(X).to(torch.bfloat16)
    rounded = features.double().numpy()
    narrow = RidgeHead(0.3, tol=1e-3).fit_features(features, y).decision_function(rounded)
    wide = RidgeHead(0.3, **EXACT).fit(rounded, y).decision_function(rounded)
    assert np.sqrt(((narrow - wide) ** 2).mean()) < 0.01 * wide.std()


def test_early_stopping_keeps_the_best_iteration():
    X, y = data(3, n=300, n_features=200)
    head = RidgeHead(alpha=0, early_stopping=True, n_iter_no_change=4, random_state=0).fit(X, y)
    best = head.validation_scores_.argmax()
    assert head.n_iter_ == len(head.validation_scores_) == best + 1 + 4
    fewer = RidgeHead(
        alpha=0, early_stopping=True, max_iter=int(best) + 1, n_iter_no_change=50, random_state=0
    ).fit(X, y)
    assert_allclose(head.coef_, fewer.coef_)


def test_exactly_the_validation_fraction_of_the_samples_is_not_learned_from():
    X, y = data(2, n=60)
    head = RidgeHead(early_stopping=True, n_iter_no_change=500, random_state=0, **EXACT)
    expected = head.fit(X, y).residual_curve_

    def changes_the_solution(samples):
        other = X.copy()
        other[samples] = 1e3
        found = head.fit(other, y).residual_curve_
        return len(found) != len(expected) or not np.allclose(found, expected, rtol=1e-7)

    validation = [sample for sample in range(60) if not changes_the_solution(sample)]
    assert len(validation) == 6
    assert not changes_the_solution(validation)


def test_two_string_labels_have_one_score():
    X, y = data(2)
    head = RidgeHead().fit(X, np.array(["cat", "dog"])[y])
    assert head.coef_.shape == (1, 9)
    assert set(head.predict(X)) == {"cat", "dog"}
    assert_array_equal(head.predict(X) == "dog", head.decision_function(X) > 0)


@pytest.mark.parametrize(
    "params",
    [{"alpha": -1}, {"max_iter": 0}, {"tol": -1e-3}, {"validation_fraction": 1.0}],
    ids=str,
)
def test_bad_parameters_are_refused(params):
    (name,) = params
    with pytest.raises(ValueError, match=f"'{name}' parameter of RidgeHead"):
        RidgeHead(**params).fit(*data(2))


def test_rows_in_reverse_memory_order_give_the_coefficients_of_a_copy():
    X, y = data(2)
    head = RidgeHead(np.float64(0.3))
    expected = head.fit(X[::-1].copy(), y[::-1]).coef_
    assert_array_equal(head.fit(X[::-1], y[::-1]).coef_, expected)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="at least 2 classes"):
        RidgeHead().fit(np.eye(3), [1, 1, 1])
