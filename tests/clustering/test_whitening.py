"""Whitening: coordinates of the directions that vary, and the kernels that apply to raw patches."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skhier import LayerwiseCNNClassifier, PatchKMeansOrthogonalizer
from skhier.clustering._whitening import Whitening, faintest

N_VALUES = 12
FADING = 3.0 ** -np.arange(N_VALUES)  # standard deviations of directions


def patches_of(deviations, n=400, seed=0):
    """Return patches that have exactly these standard deviations in directions of their own."""
    rng = np.random.default_rng(seed)
    white = rng.standard_normal((n, len(deviations)))
    white = np.linalg.qr(white - white.mean(axis=0))[0] * np.sqrt(n)
    turn = np.linalg.qr(rng.standard_normal((len(deviations), len(deviations))))[0]
    return white * deviations @ turn + 5 * rng.standard_normal(len(deviations))


def zca(patches, eps):
    """Return patches whitened by the definition, without directions of little variance."""
    values, vectors = np.linalg.eigh(np.cov(patches.T, bias=True))
    gains = 1 / np.sqrt(values + eps * values.mean())
    gains[values < faintest(eps) * values.mean()] = 0
    return (patches - patches.mean(axis=0)) @ (vectors * gains) @ vectors.T


@pytest.mark.parametrize("eps", [1e-6, 1e-3, 0.1, 1e9])
def test_coordinates_are_whitened_patches_in_another_basis(eps):
    patches = patches_of(FADING)
    whitening, expected = Whitening.learn(patches, eps), zca(patches, eps)
    coordinates = whitening.apply(patches)
    assert_allclose(whitening.restore(coordinates), expected, atol=1e-9)
    assert_allclose(coordinates @ coordinates.T, expected @ expected.T, atol=1e-8)
    values = FADING**2
    assert coordinates.shape[1] == (values >= faintest(eps) * values.mean()).sum()


@pytest.mark.parametrize("eps", [1e-3, 0.1, 1.0, 1e9])
def test_directions_that_are_left_out_have_little_variance_with_and_without_whitening(eps):
    patches = patches_of(FADING)
    n_kept = Whitening.learn(patches, eps).apply(patches).shape[1]
    values = FADING**2
    raw, whitened = values[n_kept:], values[n_kept:] / (values[n_kept:] + eps * values.mean())
    assert 0 < n_kept < N_VALUES
    assert raw.sum() <= values.sum() / 40
    assert whitened.max() <= 1 / 5


def test_white_patches_keep_all_directions():
    patches = patches_of(np.ones(N_VALUES))
    assert Whitening.learn(patches, 0.1).basis is None


def test_the_basis_does_not_depend_on_the_rounding_of_equal_variances():
    deviations = np.repeat([1.0, 0.01], N_VALUES // 2)
    patches = patches_of(deviations)
    coordinates = Whitening.learn(patches, 0.1).apply(patches)
    backwards = Whitening.learn(patches[::-1].copy(), 0.1).apply(patches)
    assert coordinates.shape == (400, N_VALUES // 2)
    assert_allclose(backwards, coordinates, atol=1e-9)


@pytest.mark.parametrize(("n_kernels", "n_factors"), [(2, 1), (50, 2)])
def test_folded_kernels_apply_to_raw_patches_in_the_fewest_products(n_kernels, n_factors):
    patches = patches_of(FADING)
    whitening = Whitening.learn(patches, 0.1)
    coordinates = whitening.apply(patches)
    rng = np.random.default_rng(1)
    kernels, intercepts = rng.standard_normal((n_kernels, coordinates.shape[1])), np.ones(n_kernels)
    factors, folded = whitening.fold(kernels, intercepts)
    responses = patches
    for factor in factors:
        responses = responses @ factor.T
    assert_allclose(responses + folded, coordinates @ kernels.T + 1, atol=1e-9)
    n_in_two = coordinates.shape[1] * (N_VALUES + n_kernels)
    assert sum(factor.size for factor in factors) == min(n_in_two, N_VALUES * n_kernels)
    assert len(factors) == n_factors


def test_without_whitening_patches_and_kernels_stay_as_they_are():
    patches, whitening = patches_of(FADING), Whitening.learn(patches_of(FADING), None)
    assert_array_equal(whitening.apply(patches), patches)
    assert_array_equal(whitening.restore(patches), patches)
    assert_array_equal(whitening.fold(patches, np.zeros(400))[0], [patches])


def smooth_images(n, seed=0):
    """Return images (n, 8, 8) whose patches hardly vary in most directions, and labels."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    waves = np.cos(np.outer(np.arange(8), [0, 0.3, 0.6]))
    X = np.einsum("nij,hi,wj->nhw", rng.standard_normal((n, 3, 3)), waves, waves)
    return X + y[:, None, None], y


def test_two_factors_are_the_convolution_with_the_kernels():
    X, _ = smooth_images(50)
    phi = PatchKMeansOrthogonalizer(
        20, 4, contrast=None, padding="valid", normalize=False, pool_size=1, random_state=0
    ).fit(X)
    assert len(phi._factors) == 2
    windows = np.lib.stride_tricks.sliding_window_view(X - phi.border_, (4, 4), axis=(1, 2))
    r = np.einsum("nhwij,kij->nhwk", windows, phi.kernels_[..., 0]) + phi.intercepts_
    expected = np.maximum(np.concatenate([r, -r], axis=3) - 0.5, 0)
    assert_allclose(phi.transform(X), expected, atol=1e-9)
    assert_allclose(phi.predict(X), r.argmax(axis=3))
    assert_allclose(phi.kernels_.reshape(20, 16), phi._factors[1] @ phi._factors[0])


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_the_exported_network_has_two_convolutions_for_two_factors(padding):
    X, y = smooth_images(60)
    phi = PatchKMeansOrthogonalizer(60, 4, padding=padding, contrast=None)
    clf = LayerwiseCNNClassifier(n_layers=1, orthogonalizer=phi, shift=0, mirror=False).fit(X, y)
    n_coordinates, n_clusters = clf.layers_[0].orthogonalizer._factors[1].T.shape
    network = clf.to_torch()
    convolutions = [m for m in network if isinstance(m, torch.nn.Conv2d) and m.groups == 1]
    found = [(m.in_channels, m.out_channels, m.kernel_size) for m in convolutions[-2:]]
    assert found == [(1, n_coordinates, (4, 4)), (n_coordinates, 2 * n_clusters, (1, 1))]
    scores = network(torch.from_numpy(X[:, None])).detach().numpy()
    assert_allclose(scores.ravel(), clf.decision_function(X), atol=1e-8)
