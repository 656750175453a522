"""Solvers 'svd' and 'kmeans': K W^T is the nearest product to the class means M."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import pdist
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skhier import HierarchicalSampler, LayerwiseCNNClassifier, TwoLayerConvEmbedder
from skhier.embedding._factors import find_groups


def labeled_codes(n_labels, seed=0):
    """Return codes (200, 3, 2, 9) whose means differ between labels, and labels."""
    rng = np.random.default_rng(seed)
    y = np.r_[np.arange(n_labels), rng.integers(n_labels, size=200 - n_labels)]
    return rng.standard_normal((200, 3, 2, 9)) + rng.standard_normal((n_labels, 3, 2, 9))[y], y


def class_means(X, y):
    """Return M, with a row for each channel and a column for each output and position."""
    n_labels = len(np.unique(y))
    signs = (2 * y - 1)[:, None] if n_labels == 2 else np.eye(n_labels)[y] - np.bincount(y) / len(y)
    return np.einsum("ij,ihwc->chwj", signs, X).reshape(X.shape[3], -1) / len(X)


def embedder(solver, n_components, **params):
    """Return an embedder without scaling of channels, unless `params` set it."""
    params = {"scale_channels": False, "random_state": 0} | params
    return TwoLayerConvEmbedder(n_components, solver=solver, **params)


def product(fitted):
    """Return K W^T, which has the shape of M."""
    return np.einsum("cn,hwnj->chwj", fitted.kernels_, fitted.readout_).reshape(
        len(fitted.kernels_), -1
    )


@pytest.mark.parametrize("n_labels", [2, 3])
@pytest.mark.parametrize("n_components", [1, 3, 100])
def test_svd_is_the_best_approximation_of_its_rank(n_labels, n_components):
    X, y = labeled_codes(n_labels)
    fitted = embedder("svd", n_components).fit(X, y)
    M = class_means(X, y)
    singular_values = np.linalg.svd(M, compute_uv=False)
    n = min(n_components, np.linalg.matrix_rank(M))
    assert fitted.kernels_.shape == (9, n)
    assert fitted.output_shape_ == fitted.transform(X).shape[1:] == (3, 2, n)
    error = np.linalg.norm(M - product(fitted))
    assert_allclose(error, np.linalg.norm(singular_values[n:]), atol=1e-12)
    W = fitted.readout_.transpose(0, 1, 3, 2).reshape(-1, n)
    assert_allclose(W.T @ W, np.eye(n), atol=1e-12)


@pytest.mark.parametrize("n_labels", [2, 3])
def test_svd_of_full_rank_keeps_the_distances_between_class_means(n_labels):
    X, y = labeled_codes(n_labels)
    K = embedder("svd", 100).fit(X, y).kernels_
    assert_allclose(pdist(K), pdist(class_means(X, y)), rtol=1e-10)


def test_svd_has_no_more_components_than_the_rank():
    X, y = labeled_codes(2)
    X[..., 4:] = X[..., :1]  # 4 distinct channels
    for dtype in (np.float32, np.float64):
        assert embedder("svd", 128).fit(X.astype(dtype), y).kernels_.shape == (9, 4)
    zeros = np.zeros((4, 1, 1, 3))
    assert not embedder("svd", 2).fit(zeros, [0, 1, 0, 1]).kernels_.any()


def test_signs_of_svd_do_not_depend_on_rounding():
    # Means of two one-hot channels are x and -x: their absolute values are equal.
    for seed in range(40):
        rng = np.random.default_rng(seed)
        X, y = np.eye(2)[rng.integers(2, size=(9, 1, 1))], np.arange(9) % 3
        weight = rng.integers(1, 4, size=9)
        K = embedder("svd", 1).fit(X, y, sample_weight=weight).kernels_
        copies = embedder("svd", 1).fit(X.repeat(weight, axis=0), y.repeat(weight))
        assert_allclose(K, copies.kernels_, atol=1e-12)


def test_svd_draws_nothing_and_takes_no_steps():
    X, y = labeled_codes(3)
    one = embedder("svd", 4).fit(X, y)
    other = embedder("svd", 4, random_state=1, max_iter=0, learning_rate=7, init_scale=9).fit(X, y)
    assert_array_equal(one.kernels_, other.kernels_)
    assert_array_equal(one.readout_, other.readout_)
    assert one.n_iter_ == other.n_iter_ == 1


@pytest.mark.parametrize("solver", ["svd", "kmeans"])
def test_losses_are_of_zero_kernels_and_of_the_fitted_kernels(solver):
    X, y = labeled_codes(2)
    fitted = embedder(solver, 3).fit(X, y)
    outputs = np.einsum("ihwn,hwnj->ij", fitted.transform(X), fitted.readout_)[:, 0]
    assert_allclose(fitted.loss_curve_, [0, -((2 * y - 1) * outputs).mean()])


@pytest.mark.parametrize("n_labels", [2, 3])
@pytest.mark.parametrize("n_groups", [1, 3, 9])
def test_kmeans_puts_each_code_in_the_group_whose_mean_is_nearest(n_labels, n_groups):
    X, y = labeled_codes(n_labels)
    fitted = embedder("kmeans", n_groups).fit(X, y)
    K, M = fitted.kernels_, class_means(X, y)
    assert_array_equal(np.sort(K, axis=1), np.eye(n_groups)[[-1] * 9])
    means = np.linalg.lstsq(K, M)[0]
    assert_allclose(product(fitted), K @ means, atol=1e-12)
    distances = np.linalg.norm(M[:, None] - means, axis=2)
    assert_allclose(distances.min(axis=1), (distances * K).sum(axis=1))


@pytest.mark.parametrize("n_labels", [2, 3])
@pytest.mark.parametrize("factor", [1e-60, 1e60])
def test_groups_do_not_depend_on_the_scale_of_codes(n_labels, factor):
    X, y = labeled_codes(n_labels)
    expected = embedder("kmeans", 3).fit(X, y).kernels_
    assert_array_equal(embedder("kmeans", 3).fit(factor * X, y).kernels_, expected)


def test_scaled_channels_are_codes_divided_by_their_standard_deviations():
    X, y = labeled_codes(3)
    X *= np.geomspace(0.1, 10, 9)
    std = X.std(axis=(0, 1, 2))
    for solver in ("svd", "kmeans"):
        scaled = embedder(solver, 3, scale_channels=True).fit(X, y)
        reference = embedder(solver, 3).fit(X / std, y)
        assert_allclose(scaled.kernels_, reference.kernels_ / std[:, None], rtol=1e-8)


def test_parameters_that_these_solvers_cannot_use_are_refused():
    X, y = labeled_codes(2)
    with pytest.raises(ValueError, match="n_components=10 groups are more than the 9 channels"):
        embedder("kmeans", 10).fit(X, y)
    with pytest.raises(ValueError, match="n_components=10 groups are more than the 9 channels"):
        embedder("kmeans", 10).fit_population(X[0], [0, 1])
    for solver in ("svd", "kmeans"):
        with pytest.raises(ValueError, match=f"solver='{solver}' needs loss='linear' and a fixed"):
            embedder(solver, 2, loss="cross_entropy").fit(X, y)
        with pytest.raises(ValueError, match="early_stopping=True needs solver='sgd' or 'adam'"):
            embedder(solver, 2, early_stopping=True).fit(X, y)
    with pytest.warns(ConvergenceWarning, match="distinct clusters"):
        embedder("kmeans", 3).fit(np.ones((4, 1, 1, 3)), [0, 1, 0, 1])


def test_a_classifier_with_svd_is_accurate_on_digits(digits):
    X, X_test, y, y_test = digits
    clf = LayerwiseCNNClassifier(n_layers=2, n_clusters=64, random_state=0)
    clf.set_params(embedder__solver="svd")
    assert clf.fit(X, y).score(X_test, y_test) >= 0.96


@pytest.mark.parametrize("n_labels", [2, 3])
@pytest.mark.parametrize("solver", ["svd", "kmeans"])
def test_samples_give_nearly_the_kernels_of_the_population(solver, n_labels):
    sampler = HierarchicalSampler(
        n_semantic_classes=3, patches_per_class=2, patch_size=2, n_labels=n_labels, random_state=0
    ).fit()
    X, y = sampler.sample(20_000)
    codes = np.eye(6)[sampler.parse_patches(X)[1]]
    on_samples = embedder(solver, 3).fit(codes, y)
    exact = clone(on_samples).fit_population(sampler.code_moments(1), sampler.classes_)
    products = [K @ K.T for K in (on_samples.kernels_, exact.kernels_)]
    assert_allclose(*products, atol=5 * np.sqrt(36 / 20_000) * np.abs(products[1]).max())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("is_weighted", [False, True])
def test_groups_of_few_points_have_the_least_cost_of_all(seed, is_weighted):
    # In 30 dimensions, Lloyd's steps alone stop at a higher cost.
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(8, 30))
    weight = rng.uniform(0.2, 2, 8) if is_weighted else np.ones(8)

    def cost(labels):
        one_hot = np.eye(3)[list(labels)]
        means = np.linalg.lstsq(
            np.sqrt(weight)[:, None] * one_hot, np.sqrt(weight)[:, None] * points
        )
        return (weight * ((points - one_hot @ means[0]) ** 2).sum(axis=1)).sum()

    found = cost(find_groups(points, weight, 3, np.random.RandomState(0)))
    least = min(cost((0, *labels)) for labels in itertools.product(range(3), repeat=7))
    assert found == pytest.approx(least, rel=1e-9)
