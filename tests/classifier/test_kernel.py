import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import log_loss

from skhier import KernelRidgeHead, LayerwiseCNNClassifier, RidgeHead
from skhier._base import _memory
from skhier._base._fitting import Task
from skhier.classifier import _calibration, _kernel_matrix
from skhier.classifier._kernel import Kernel
from skhier.classifier._kernel_matrix import KernelMatrix

EXACT = {"tol": 1e-12, "max_iter": 500, "random_state": 0}


def data(n_classes, n=300, n_features=12, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(n_classes, size=n)
    X = rng.standard_normal((n, n_features)) @ rng.standard_normal((n_features, n_features))
    return 3 * X + 5 + rng.standard_normal((n_classes, n_features))[y], y


def circles(n, seed):
    """Two classes that no plane separates."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 6))
    return X, (np.square(X).sum(axis=1) > 5.35).astype(int)


def references(X, y, weight, *, alpha, gamma, power=1.0):
    """scikit-learn's regression (n, n_outputs) with the kernel that ours is defined by."""
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
@pytest.mark.parametrize("n", [300, 1500])  # the latter is preconditioned
def test_is_the_kernel_ridge_regression_of_scikit_learn(n_classes, power, weighted, n):
    X, y = data(n_classes, n)
    weight = np.random.default_rng(1).uniform(0.5, 3, n) if weighted else None
    params = {"alpha": 0.1, "gamma": 0.7, "power": power}
    head = KernelRidgeHead(**params, **EXACT).fit(X, y, weight)
    scores = head.decision_function(X).reshape(n, -1)
    assert_allclose(scores, references(X, y, weight, **params), atol=1e-9)
    assert head.n_iter_ < 500
    assert head.n_iter_ == len(head.residual_curve_)
    assert head.residual_curve_[-1] < 1e-12


def test_learns_what_no_plane_separates():
    (X, y), (X_test, y_test) = circles(1000, 0), circles(1000, 1)
    assert KernelRidgeHead().fit(X, y).score(X_test, y_test) > 0.85
    assert RidgeHead().fit(X, y).score(X_test, y_test) < 0.65


def test_centers_fewer_than_samples_regress_on_their_span():
    """The normal equations of scikit-learn's kernel, solved as they stand."""
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


def test_nearly_all_centers_are_nearly_all_samples():
    X, y = data(3, 400)
    every = KernelRidgeHead(**EXACT).fit(X, y)
    some = KernelRidgeHead(n_centers=399, random_state=0).fit(X, y)
    off = np.abs(some.decision_function(X) - every.decision_function(X)).max(axis=1)
    assert np.sort(off)[-2] < 0.02  # of all but the sample that is no center
    assert_allclose(some.temperature_, every.temperature_, rtol=0.02)
    more = KernelRidgeHead(n_centers=400, **EXACT).fit(X, y)
    assert_array_equal(more.decision_function(X), every.decision_function(X))


@pytest.mark.parametrize("n_centers", [None, 30])
def test_units_of_features_and_constant_features_do_not_matter(n_centers):
    X, y = data(3)
    params = {"n_centers": n_centers, **EXACT}
    scores = KernelRidgeHead(**params).fit(X, y).decision_function(X)
    changed = np.c_[X * np.logspace(-2, 2, 12) - 7, np.full((len(X), 3), 4.2)]
    head = KernelRidgeHead(**params).fit(changed, y)
    assert_allclose(head.decision_function(changed), scores, atol=1e-8)


@pytest.mark.parametrize("n_centers", [None, 60])
def test_a_weight_of_two_is_two_copies_and_of_zero_none(n_centers):
    X, y = data(3)
    weight = np.random.default_rng(0).integers(3, size=len(y)).astype(float)
    params = {**EXACT, "alpha": 0.5}
    heavy = KernelRidgeHead(**params).fit(X, y, weight)
    copies = np.repeat(np.arange(len(y)), weight.astype(int))
    several = KernelRidgeHead(**params).fit(X[copies], y[copies])
    assert_allclose(heavy.decision_function(X), several.decision_function(X), atol=1e-8)
    if n_centers:
        params["n_centers"] = n_centers
        heavy = KernelRidgeHead(**params).fit(X, y, 2 * weight)
        kept = weight > 0
        again = KernelRidgeHead(**params).fit(X[kept], y[kept], 2 * weight[kept])
        assert_array_equal(heavy.decision_function(X), again.decision_function(X))


def test_bfloat16_features_give_their_scores_to_three_digits():
    X, y = data(5, 1200, n_features=300)
    features = torch.from_numpy(X.astype(np.float32)).bfloat16()
    rounded = features.float().numpy()
    narrow = KernelRidgeHead(random_state=0).fit_features(features, y)
    wide = KernelRidgeHead(**EXACT).fit(rounded, y)
    assert narrow.n_iter_ < 30
    assert_allclose(narrow.decision_function(rounded), wide.decision_function(rounded), atol=0.03)


@pytest.mark.parametrize("n_features", [6, 300, 4000])
@pytest.mark.parametrize("n_centers", [None, 300])
def test_bfloat16_features_of_any_number_give_their_scores(n_features, n_centers):
    X, y = data(5, 2000, n_features=n_features)
    features = torch.from_numpy(X.astype(np.float32)).bfloat16()
    rounded = features.float().numpy()
    params = {**EXACT, "n_centers": n_centers}
    narrow = KernelRidgeHead(**{**params, "tol": 1e-4}).fit_features(features, y)
    wide = KernelRidgeHead(**params).fit(rounded, y)
    assert_allclose(narrow.decision_function(rounded), wide.decision_function(rounded), atol=0.02)


@pytest.mark.parametrize("n_features", [500, 10_000])
def test_rounding_of_a_matrix_of_bfloat16_has_eigenvalues_far_below_alpha(n_features):
    """They grow with the root of the number of samples: at 50,000 these are below 0.02."""
    points = np.random.default_rng(0).standard_normal((2000, n_features)) / np.sqrt(n_features)
    centers = torch.from_numpy(points).bfloat16()
    one = torch.ones(2000, dtype=torch.float32)
    head = KernelRidgeHead()
    with Task.fit(head) as task:
        K = KernelMatrix(Kernel(centers, 0.5, torch.float32), one, task) @ torch.eye(2000)
    exact = Kernel(centers.double(), 0.5, torch.float64)(centers.double())
    assert torch.linalg.eigvalsh(K - exact).abs().max() < 0.004


@pytest.mark.parametrize("params", [{"alpha": 1e-9}, {"alpha": 1e-3}, {"max_iter": 1}])
def test_a_regression_that_is_not_solved_is_warned_of(params):
    X, y = data(5, 3000, n_features=6)
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


def test_left_out_scores_are_nearly_those_of_fits_without_the_sample(monkeypatch):
    X, y = circles(150, 0)
    found = {}
    monkeypatch.setattr(
        "skhier.classifier._kernel_head.leave_one_out",
        lambda *args: found.setdefault("scores", _calibration.leave_one_out(*args)),
    )

    def fitted(weight=None):
        return KernelRidgeHead(alpha=0.3, **EXACT).fit(X, y, weight).decision_function(X)

    scores = fitted()
    expected = []
    for i in range(len(y)):
        weight = np.ones(len(y))
        weight[i] = 1e-6
        expected.append(fitted(weight)[i])
    # The mean leverage stands for each; of six features they differ much.
    assert np.corrcoef(found["scores"][:, 0], expected)[0, 1] > 0.98
    off, moved = found["scores"][:, 0] - expected, scores - expected
    assert np.abs(off).mean() < 0.5 * np.abs(moved).mean()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_random_signs_and_rounding_leave_probabilities_as_they_are(monkeypatch, dtype):
    rng = np.random.default_rng(0)
    X = torch.from_numpy(rng.standard_normal((1500, 60))).to(dtype)
    scores = 2 * X[:, :5].double().numpy()
    y = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    monkeypatch.setattr(_calibration, "_MOST_EXACT", 1500)
    exact = KernelRidgeHead(**EXACT).fit(X.double().numpy(), y)
    monkeypatch.setattr(_calibration, "_MOST_EXACT", 512)
    estimated = KernelRidgeHead(random_state=0).fit_features(X, y)
    assert_allclose(estimated.temperature_, exact.temperature_, rtol=0.05)


def test_blocks_of_the_matrix_do_not_matter(monkeypatch):
    X, y = data(3, 250)
    expected = KernelRidgeHead(**EXACT).fit(X, y).dual_coef_
    monkeypatch.setattr(_kernel_matrix, "_ROWS", 97)
    assert_allclose(KernelRidgeHead(**EXACT).fit(X, y).dual_coef_, expected, rtol=1e-8)


def test_copies_of_samples_are_no_trouble():
    X, y = data(3, 100)
    X, y = np.tile(X, (20, 1)), np.tile(y, 20)
    for n_centers in (None, 500):
        head = KernelRidgeHead(n_centers=n_centers, random_state=0).fit(X, y)
        assert head.score(X, y) > 0.95


def test_parameters_set_after_the_fit_and_pickles_do_not_matter():
    X, y = data(3)
    head = KernelRidgeHead(random_state=0).fit(X, y)
    scores = head.decision_function(X)
    head.set_params(gamma=3.0, power=0.5, n_centers=3)
    assert_array_equal(pickle.loads(pickle.dumps(head)).decision_function(X), scores)


def test_a_matrix_that_no_memory_holds_is_refused_before_work(monkeypatch):
    X, y = data(2)
    monkeypatch.setattr(_memory, "_machine_bytes", lambda: 500_000)
    with pytest.raises(ValueError, match=r"kernel of 300 samples takes .* Set n_centers"):
        KernelRidgeHead().fit(X, y)
    KernelRidgeHead(n_centers=20).fit(X, y)


@pytest.mark.parametrize(
    ("name", "value"),
    [("alpha", 0), ("gamma", 0.0), ("gamma", np.nan), ("power", -1), ("n_centers", 0), ("tol", -1)],
)
def test_values_that_are_not_allowed(name, value):
    with pytest.raises(ValueError, match=f"'{name}' parameter of KernelRidgeHead"):
        KernelRidgeHead(**{name: value}).fit(*data(2))


def test_classifier_with_a_kernel_beats_one_without(digits):
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
