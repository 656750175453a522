"""KernelRidgeHead, alone and as the head of a classifier."""

import pickle

import numpy as np
import pytest
import torch
from helpers import centered
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import log_loss
from sklearn.metrics.pairwise import rbf_kernel

from skhier import KernelRidgeHead, LayerwiseCNNClassifier, RidgeHead
from skhier._base._fitting import Task
from skhier.classifier._kernel import Kernel
from skhier.classifier._kernel_matrix import KernelMatrix

EXACT = {"tol": 1e-12, "max_iter": 500, "random_state": 0}


def data(n_classes, n=300, n_features=12, seed=0):
    """Return correlated features with an offset, and classes with a mean of their own."""
    rng = np.random.default_rng(seed)
    y = rng.integers(n_classes, size=n)
    X = rng.standard_normal((n, n_features)) @ rng.standard_normal((n_features, n_features))
    return 3 * X + 5 + rng.standard_normal((n_classes, n_features))[y], y


def circles(n, seed):
    """Return two classes that no plane separates: a ball and its outside."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 6))
    return X, (np.square(X).sum(axis=1) > 5.35).astype(int)


def reference_scores(X, y, weight, *, alpha, gamma, power=1.0):
    """Return the scores (n, n_outputs) of scikit-learn's regression with the kernel of the head."""
    powers = np.sign(X) * abs(X) ** power
    mean = np.average(powers, axis=0, weights=weight)
    Z = powers - mean
    Z /= np.sqrt(np.average(Z**2, axis=0, weights=weight)) * np.sqrt(X.shape[1])
    Y = np.eye(y.max() + 1)[y] if y.max() > 1 else 2.0 * y[:, None] - 1
    offset = np.average(Y, axis=0, weights=weight)
    kernel = {"kernel": "rbf", "gamma": gamma, "alpha": alpha}
    return KernelRidge(**kernel).fit(Z, Y - offset, weight).predict(Z) + offset


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("power", [1.0, 0.5])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n", [300, 1500])  # 1,500 samples are preconditioned
def test_is_the_kernel_ridge_regression_of_scikit_learn(n_classes, power, weighted, n):
    X, y = data(n_classes, n)
    weight = np.random.default_rng(1).uniform(0.5, 3, n) if weighted else None
    params = {"alpha": 0.1, "gamma": 0.7, "power": power}
    head = KernelRidgeHead(**params, **EXACT).fit(X, y, weight)
    scores = head.decision_function(X).reshape(n, -1)
    expected = reference_scores(X, y, weight, **params)
    assert_allclose(centered(scores), centered(expected), atol=1e-9)
    assert head.n_iter_ < 500
    assert head.n_iter_ == len(head.residual_curve_)
    assert head.residual_curve_[-1] < 1e-12


def test_classes_that_no_plane_separates_are_learned():
    (X, y), (X_test, y_test) = circles(1000, 0), circles(1000, 1)
    assert KernelRidgeHead().fit(X, y).score(X_test, y_test) > 0.85
    assert RidgeHead().fit(X, y).score(X_test, y_test) < 0.65


def test_fewer_centers_than_samples_solve_the_normal_equations():
    X, y = data(3)
    head = KernelRidgeHead(alpha=0.2, n_centers=40, random_state=0).fit(X, y)
    Z = (X - X.mean(axis=0)) / (X.std(axis=0) * np.sqrt(X.shape[1]))
    assert head.centers_.shape == (40, X.shape[1])
    assert (np.square(Z[:, None] - head.centers_).sum(axis=2).min(axis=0) < 1e-20).all()

    def kernel(a):
        return np.exp(-0.5 * np.square(a[:, None] - head.centers_).sum(axis=2))

    k, Y = kernel(Z), np.eye(3)[y]
    normal = k.T @ k + 0.2 * (kernel(head.centers_) + 1e-4 * np.eye(40))
    expected = k @ np.linalg.solve(normal, k.T @ (Y - Y.mean(axis=0))) + Y.mean(axis=0)
    assert_allclose(head.decision_function(X), expected, atol=1e-7)


def test_all_samples_but_one_as_centers_give_nearly_the_scores_of_all():
    X, y = data(3, 400)
    of_all = KernelRidgeHead(**EXACT).fit(X, y)
    of_most = KernelRidgeHead(n_centers=399, random_state=0).fit(X, y)
    error = np.abs(of_most.decision_function(X) - of_all.decision_function(X)).max(axis=1)
    assert np.sort(error)[-2] < 0.02  # without the sample that is no center
    assert_allclose(of_most.temperature_, of_all.temperature_, rtol=0.02)
    enough = KernelRidgeHead(n_centers=400, **EXACT).fit(X, y)
    assert_array_equal(enough.decision_function(X), of_all.decision_function(X))


@pytest.mark.parametrize("n_centers", [None, 30])
def test_units_of_features_and_constant_features_do_not_matter(n_centers):
    X, y = data(3)
    params = {"n_centers": n_centers, **EXACT}
    scores = KernelRidgeHead(**params).fit(X, y).decision_function(X)
    changed = np.c_[X * np.logspace(-2, 2, 12) - 7, np.full((len(X), 3), 4.2)]
    head = KernelRidgeHead(**params).fit(changed, y)
    assert_allclose(head.decision_function(changed), scores, atol=1e-8)


@pytest.mark.parametrize("n_centers", [None, 60])
def test_a_weight_of_two_equals_two_copies_and_a_weight_of_zero_equals_no_sample(n_centers):
    X, y = data(3)
    weight = np.random.default_rng(0).integers(3, size=len(y)).astype(float)
    params = {**EXACT, "alpha": 0.5}
    weighted = KernelRidgeHead(**params).fit(X, y, weight)
    index = np.repeat(np.arange(len(y)), weight.astype(int))
    copied = KernelRidgeHead(**params).fit(X[index], y[index])
    assert_allclose(weighted.decision_function(X), copied.decision_function(X), atol=1e-8)
    if n_centers:
        params["n_centers"] = n_centers
        weighted = KernelRidgeHead(**params).fit(X, y, 2 * weight)
        is_kept = weight > 0
        without = KernelRidgeHead(**params).fit(X[is_kept], y[is_kept], 2 * weight[is_kept])
        assert_array_equal(weighted.decision_function(X), without.decision_function(X))


def test_bfloat16_features_give_the_scores_of_their_values_at_the_default_tolerance():
    X, y = data(5, 1200, n_features=300)
    features = torch.from_numpy(X.astype(np.float32)).bfloat16()
    rounded = features.float().numpy()
    narrow = KernelRidgeHead(random_state=0).fit_features(features, y)
    wide = KernelRidgeHead(**EXACT).fit(rounded, y)
    assert narrow.n_iter_ < 30
    assert_allclose(narrow.decision_function(rounded), wide.decision_function(rounded), atol=0.03)


@pytest.mark.parametrize("make", [RidgeHead, KernelRidgeHead])
@pytest.mark.parametrize("n_labels", [199, 201])
def test_labels_of_other_features_are_refused(make, n_labels):
    X, _ = data(5, 200)
    labels = np.arange(n_labels) % 2
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        make().fit_features(torch.from_numpy(X), labels)


@pytest.mark.parametrize("n_features", [6, 300, 2000])
@pytest.mark.parametrize("n_centers", [None, 300])
def test_any_number_of_bfloat16_features_gives_the_scores_of_their_values(n_features, n_centers):
    X, y = data(5, 1200, n_features=n_features)
    features = torch.from_numpy(X.astype(np.float32)).bfloat16()
    rounded = features.float().numpy()
    params = {**EXACT, "n_centers": n_centers}
    narrow = KernelRidgeHead(**{**params, "tol": 1e-4}).fit_features(features, y)
    wide = KernelRidgeHead(**params).fit(rounded, y)
    assert_allclose(narrow.decision_function(rounded), wide.decision_function(rounded), atol=0.02)


@pytest.mark.parametrize("n_features", [500, 2_000])
def test_rounding_of_a_bfloat16_kernel_matrix_has_eigenvalues_far_below_alpha(n_features):
    # They grow with the root of the number of samples: below 0.004 here is below 0.02 at 50,000.
    points = np.random.default_rng(0).standard_normal((2000, n_features)) / np.sqrt(n_features)
    centers = torch.from_numpy(points).bfloat16()
    one = torch.ones(2000, dtype=torch.float32)
    head = KernelRidgeHead()
    with Task.fit(head) as task:
        K = KernelMatrix(Kernel(centers, 0.5, torch.float32), one, task) @ torch.eye(2000)
    exact = Kernel(centers.double(), 0.5, torch.float64)(centers.double())
    assert torch.linalg.eigvalsh(K - exact).abs().max() < 0.004


@pytest.mark.parametrize(
    ("n_features", "params"), [(6, {"alpha": 1e-9}), (20, {"alpha": 1e-5}), (20, {"max_iter": 1})]
)
def test_a_regression_that_is_not_solved_raises_a_warning(n_features, params):
    X, y = data(5, 3000, n_features=n_features)
    features = torch.from_numpy(X).bfloat16()
    with pytest.warns(ConvergenceWarning, match="not solved: .* alpha=.* Raise alpha"):
        KernelRidgeHead(random_state=0, **params).fit_features(features, y)


@pytest.mark.parametrize("n_centers", [None, 200])
@pytest.mark.parametrize("n_classes", [2, 5])
def test_probabilities_are_calibrated_where_scores_overfit(n_classes, n_centers):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3000, 30))
    scores = 2 * X[:, :n_classes]
    y = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    head = KernelRidgeHead(n_centers=n_centers, random_state=0).fit(X[:1000], y[:1000])
    assert n_centers or head.score(X[:1000], y[:1000]) > 0.98
    p = head.predict_proba(X[1000:])
    assert_array_equal(head.classes_[p.argmax(axis=1)], head.predict(X[1000:]))
    scores = head.decision_function(X[1000:]).reshape(2000, -1)
    scores = np.pad(scores, ((0, 0), (1, 0))) if n_classes == 2 else scores
    best = min(log_loss(y[1000:], softmax(scores * s, axis=1)) for s in np.geomspace(0.1, 30, 60))
    assert log_loss(y[1000:], p) < best + 0.02


def test_a_kernel_matrix_of_several_blocks_solves_the_regression():
    X, y = data(3, 4400, n_features=2)  # blocks have 4,096 rows
    head = KernelRidgeHead(alpha=1.0, **EXACT).fit(X, y)
    K = rbf_kernel((X - X.mean(axis=0)) / (X.std(axis=0) * np.sqrt(2)), gamma=0.5)
    targets = np.eye(3)[y] - np.eye(3)[y].mean(axis=0)
    assert_allclose(K @ head.dual_coef_ + head.dual_coef_, targets, atol=1e-8)


def test_copies_of_samples_do_not_make_the_regression_singular():
    X, y = data(3, 100)
    X, y = np.tile(X, (20, 1)), np.tile(y, 20)
    for n_centers in (None, 500):
        head = KernelRidgeHead(n_centers=n_centers, random_state=0).fit(X, y)
        assert head.score(X, y) > 0.95


def test_a_pickled_head_and_parameters_set_after_fit_give_the_scores_of_the_fit():
    X, y = data(3)
    head = KernelRidgeHead(random_state=0).fit(X, y)
    scores = head.decision_function(X)
    head.set_params(gamma=3.0, power=0.5, n_centers=3)
    assert_array_equal(pickle.loads(pickle.dumps(head)).decision_function(X), scores)


def test_a_kernel_matrix_larger_than_memory_is_refused_before_work():
    n = 500_000  # the matrix takes 1 TB
    X, y = np.linspace(-1, 1, n, dtype=np.float32)[:, None], np.arange(n) % 2
    with pytest.raises(ValueError, match=r"kernel of 500000 samples takes .* Set n_centers"):
        KernelRidgeHead().fit(X, y)
    KernelRidgeHead(n_centers=2).fit(X, y)


@pytest.mark.parametrize(
    ("name", "value"),
    [("alpha", 0), ("gamma", 0.0), ("gamma", np.nan), ("power", -1), ("n_centers", 0), ("tol", -1)],
)
def test_bad_parameters_are_refused(name, value):
    with pytest.raises(ValueError, match=f"'{name}' parameter of KernelRidgeHead"):
        KernelRidgeHead(**{name: value}).fit(*data(2))


def test_a_classifier_with_a_kernel_head_is_accurate_and_exported(digits):
    X, X_test, y, y_test = digits
    params = {"n_clusters": [16, 32], "random_state": 0}
    few = slice(200)
    kernel = LayerwiseCNNClassifier(head="kernel", **params).fit(X[few], y[few])
    assert kernel.head_.power == 0.5
    ridge = LayerwiseCNNClassifier(**params).fit(X[few], y[few])
    assert kernel.score(X_test, y_test) > ridge.score(X_test, y_test) - 0.01
    assert kernel.score(X_test, y_test) > 0.9
    network = kernel.to_torch()
    scores = network(torch.from_numpy(X_test[:, None])).detach().numpy()
    assert_allclose(scores, kernel.decision_function(X_test), atol=1e-6)
