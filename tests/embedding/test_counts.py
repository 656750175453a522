"""Solver 'counts': k-means of square roots of the numbers of images with a code in each cell."""

from warnings import catch_warnings, simplefilter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from skhier import HierarchicalSampler, TwoLayerConvEmbedder

N_CODES = 12


def embedder(n_groups, **params):
    params = {"solver": "counts", "scale_channels": False, "random_state": 0} | params
    return TwoLayerConvEmbedder(n_groups, **params)


def one_hot_codes(seed, n_images=150, n_labels=3):
    """Draw one-hot codes (n, 2, 3, C) whose frequencies differ between cells, and labels."""
    rng = np.random.default_rng(seed)
    y = np.r_[np.arange(n_labels), rng.integers(n_labels, size=n_images - n_labels)]
    p = rng.dirichlet(np.full(N_CODES, 0.5), size=(n_labels, 2, 3))
    codes = (rng.random((n_images, 2, 3, 1)) > p.cumsum(axis=-1)[y][..., :-1]).sum(axis=-1)
    return np.eye(N_CODES)[codes], y


def square_roots(X, y=None):
    """Return a row for each code: square roots of its sums over each label and position."""
    y = np.zeros(len(X), int) if y is None else y
    sums = np.stack([X[y == label].sum(axis=0) for label in np.unique(y)])
    return np.sqrt(np.moveaxis(sums, -1, 0).reshape(X.shape[-1], -1))


def groups(fitted):
    """Return whether each pair of codes is in one group."""
    return fitted.kernels_ @ fitted.kernels_.T == 1


def appendix_d(n_images, seed, k=4):
    """Return the codes (n, 9, 9, 4 k) of patches of the last level, and labels."""
    sampler = HierarchicalSampler(patches_per_class=k, random_state=0).fit()
    X, y = sampler.sample(n_images, random_state=seed)
    return np.eye(4 * k)[sampler.parse_patches(X)[1]], y


@pytest.mark.parametrize("n_labels", [None, 2, 3])
@pytest.mark.parametrize("n_groups", [1, 3, N_CODES])
def test_each_code_is_in_the_group_whose_mean_of_square_roots_is_nearest(n_labels, n_groups):
    X, y = one_hot_codes(0, n_labels=n_labels or 1)
    y = y if n_labels else None
    fitted = embedder(n_groups).fit(X, y)
    K, roots = fitted.kernels_, square_roots(X, y)
    assert_array_equal(np.sort(K, axis=1), np.eye(n_groups)[[-1] * N_CODES])
    means = np.linalg.lstsq(K, roots)[0]
    distances = np.linalg.norm(roots[:, None] - means, axis=2)
    assert_allclose(distances.min(axis=1), (distances * K).sum(axis=1))


def test_the_readout_has_the_class_means_of_each_group():
    X, y = one_hot_codes(1)
    fitted = embedder(4).fit(X, y)
    M = np.einsum("ij,ihwc->chwj", np.eye(3)[y] - np.bincount(y) / len(y), X) / len(X)
    means = np.linalg.lstsq(fitted.kernels_, M.reshape(N_CODES, -1))[0]
    assert_allclose(np.moveaxis(fitted.readout_, 2, 0).reshape(4, -1), means, atol=1e-12)
    outputs = np.einsum("ihwn,hwnj->ij", fitted.transform(X), fitted.readout_)
    losses = -((np.eye(3)[y] - np.bincount(y) / len(y)) * outputs).sum(axis=1)
    assert_allclose(fitted.loss_curve_, [0, losses.mean()])


@pytest.mark.parametrize("n_labels", [None, 3])
def test_weights_are_copies_and_their_unit_is_arbitrary(n_labels):
    X, y = one_hot_codes(5)
    weight = np.r_[1, 1, 1, np.random.default_rng(0).integers(4, size=len(X) - 3)]
    copies = np.repeat(np.arange(len(X)), weight)
    labels = (y, y[copies]) if n_labels else (None, None)
    expected = groups(embedder(4).fit(X[copies], labels[1]))
    assert not np.array_equal(expected, groups(embedder(4).fit(X, labels[0])))
    for unit in (1, 1e-3, 7.0):
        fitted = embedder(4).fit(X, labels[0], sample_weight=unit * weight)
        assert_array_equal(groups(fitted), expected)


@settings(max_examples=settings.default.max_examples // 3)
@given(st.integers(0, 2**32 - 1))
def test_names_of_labels_positions_and_codes_change_no_group(seed):
    # 60 images tell the classes, so that no two groupings are equally good.
    X, y = appendix_d(60, seed=3)
    rng = np.random.default_rng(seed)
    expected = groups(embedder(4).fit(X, y))
    assert_array_equal(groups(embedder(4).fit(X, np.array(["b", "a"])[(y > 0) * 1])), expected)
    order = rng.permutation(16)
    moved = rng.permutation(X.reshape(len(X), -1, 16).swapaxes(0, 1)).swapaxes(0, 1)
    moved = moved[..., order].reshape(X.shape)
    assert_array_equal(groups(embedder(4).fit(moved, y)), expected[order][:, order])


def test_classes_are_found_from_fewer_images_than_by_class_means():
    classes = np.arange(16) // 4
    found = {"counts": 0, "kmeans": 0, "positions": 0}
    for seed in range(6):
        X, y = appendix_d(28, seed)
        for name in found:
            solver = "kmeans" if name == "kmeans" else "counts"
            fitted = embedder(4, solver=solver).fit(X, None if name == "positions" else y)
            found[name] += np.array_equal(groups(fitted), classes[:, None] == classes)
    # The rates of 200 runs are 1 with and without labels, and 0.32.
    assert found["counts"] == found["positions"] == 6
    assert found["kmeans"] <= 5


def test_sums_of_dense_codes_are_grouped_too_in_any_unit():
    X, y = one_hot_codes(4)
    X = X * np.random.default_rng(0).uniform(0.5, 2, X.shape)
    expected = embedder(4).fit(X, y).kernels_
    for unit in (1e-60, 1e60):
        assert_array_equal(embedder(4).fit(unit * X, y).kernels_, expected)
    assert_array_equal(embedder(4).fit(X.astype(np.float32), y).kernels_, expected)


def test_without_labels_the_readout_is_zero():
    X, _ = one_hot_codes(5)
    fitted = embedder(3).fit(X)
    assert fitted.classes_ is None
    assert fitted.transform(X).shape == (150, 2, 3, 3)
    assert not fitted.readout_.any()
    assert_array_equal(fitted.loss_curve_, [0, 0])


def test_what_the_solver_cannot_use_is_refused():
    X, y = one_hot_codes(6)
    with pytest.raises(ValueError, match="Negative values in data passed to X, down to -1: solv"):
        embedder(3).fit(-X, y)
    with pytest.raises(ValueError, match=r"n_components=13 .* 12 channels .* solver='counts'"):
        embedder(13).fit(X, y)
    with pytest.raises(ValueError, match="solver='counts' needs loss='linear' and a fixed"):
        embedder(3, loss="cross_entropy").fit(X, y)
    with pytest.raises(ValueError, match=r"fit_population needs a solver of .* not 'counts'"):
        embedder(3).fit_population(X[0], [0, 1])
    with pytest.raises(ValueError, match="requires y to be passed"):
        embedder(3, solver="kmeans").fit(X)


@pytest.mark.parametrize("n_labels", [None, 3])
def test_shares_are_grouped_by_k_means_with_their_totals_as_weights(n_labels):
    X, y = one_hot_codes(7)
    y = y if n_labels else None
    fitted = embedder(3, solver="shares").fit(X, y)
    K, roots = fitted.kernels_, square_roots(X, y)
    total = (roots**2).sum(axis=1)
    shares = roots / np.sqrt(total)[:, None]
    means = (K * total[:, None]).T @ shares / (K.T @ total)[:, None]
    distances = np.linalg.norm(shares[:, None] - means, axis=2)
    assert_allclose(distances.min(axis=1), (distances * K).sum(axis=1))


def test_shares_tell_classes_of_rare_and_frequent_codes():
    classes = np.arange(24) // 6
    sampler = HierarchicalSampler(patches_per_class=6, rule_weights=2.0, random_state=0).fit()
    found = {"shares": 0, "counts": 0, "kmeans": 0}  # the rarest code has a share of 1 / 54
    for seed in range(4):
        X, y = sampler.sample(256, random_state=seed)
        codes = np.eye(24)[sampler.parse_patches(X)[1]]
        for solver in found:
            fitted = embedder(4, solver=solver).fit(codes, y)
            found[solver] += np.array_equal(groups(fitted), classes[:, None] == classes)
    assert found == {"shares": 4, "counts": 0, "kmeans": 0}


@pytest.mark.parametrize("solver", ["counts", "shares"])
def test_codes_that_are_never_seen_are_in_a_group(solver):
    X, y = one_hot_codes(8)
    X[..., 3:] = 0
    for codes in (X, 0 * X):
        with catch_warnings():
            simplefilter("ignore", ConvergenceWarning)  # k-means of equal points
            K = embedder(4, solver=solver).fit(codes, y).kernels_
        assert_array_equal(K.sum(axis=1), np.ones(N_CODES))
