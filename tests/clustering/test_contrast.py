"""Normalization of local contrast: its formula, its laws, and where it applies."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter

from skhier import LayerwiseCNNClassifier, PatchKMeansOrthogonalizer
from skhier._base import _device
from skhier.clustering._contrast import contrast_operator

CPU = torch.device("cpu")


def normalized(X, border=0.0, k=0.3, deviation=1.0, radius=2.0):
    """Return images of normalized contrast."""
    border = np.full(X.shape[3], border, X.dtype)
    constants = {"k": k, "deviation": deviation, "radius": radius}
    operator = contrast_operator(X.shape[1:], border, **constants, dtype=X.dtype, device=CPU)
    return operator(X).numpy()


def local_mean(X, radius):
    """Return means with Gaussian weights; weights beyond the border do not count."""
    sigma, inside = (0, radius, radius, 0), np.ones((1, *X.shape[1:3], 1))
    how = {"mode": "constant", "truncate": 40}
    return gaussian_filter(X, sigma, **how) / gaussian_filter(inside, sigma, **how)


@pytest.mark.parametrize("shape", [(8, 8, 1), (5, 9, 2), (1, 7, 3), (20, 16, 4)])
def test_a_pixel_is_less_its_local_mean_and_divided_by_the_local_deviation(shape):
    X = np.random.default_rng(0).normal(3, 2, (4, *shape))
    x = (X - 1.5) / 2.5
    mean = local_mean(x, 2)
    variance = local_mean(((x - mean) ** 2).mean(axis=3, keepdims=True), 2)
    expected = (x - 0.75 * mean) / np.sqrt(variance + 0.3**2)
    assert_allclose(normalized(X, 1.5, deviation=2.5), expected, atol=1e-12)


def test_fitted_codes_are_codes_of_images_of_normalized_contrast():
    """The fitted constants are the dark color, and the deviation from the mean of a channel."""
    X = np.random.default_rng(0).gamma(2, 3, (40, 16, 20, 3)) * [1, 2, 3]
    phi = PatchKMeansOrthogonalizer(6, contrast=0.5, random_state=0).fit(X)
    dark = np.maximum(X.min(axis=(0, 1, 2)), X.mean(axis=(0, 1, 2)) - 3 * X.std(axis=(0, 1, 2)))
    deviation = np.sqrt(X.var(axis=(0, 1, 2)).mean())
    assert_allclose(phi.border_, dark)
    assert phi.contrast_ == {"k": 0.5, "deviation": pytest.approx(deviation), "radius": 2.0}
    assert phi.pixel_range_ == pytest.approx((X - dark).max())
    Z = normalized(X - dark, k=0.5, deviation=deviation)
    raw = PatchKMeansOrthogonalizer(6, contrast=None, border=0, random_state=0).fit(Z)
    assert_allclose(phi.kernels_, raw.kernels_, atol=1e-9)
    assert_allclose(phi.transform(X), raw.transform(Z), atol=1e-9)
    assert_array_equal(phi.predict(X), raw.predict(Z))


@pytest.mark.parametrize("shape", [(1, 64, 1), (64, 1, 2)])
def test_signals_have_a_neighbourhood_and_are_normalized_if_asked(shape):
    X = np.random.default_rng(0).standard_normal((30, *shape))
    phi = PatchKMeansOrthogonalizer(5, contrast=1e-3, random_state=0).fit(X)
    assert phi.contrast_["radius"] == 8
    light = np.random.default_rng(1).uniform(0.3, 3, (30, 1, 1, 1))
    dim = PatchKMeansOrthogonalizer(5, contrast=1e-3, border=0, random_state=0).fit(X * light)
    phi = PatchKMeansOrthogonalizer(5, contrast=1e-3, border=0, random_state=0).fit(X)
    assert_allclose(dim.transform(X * light), phi.transform(X), atol=1e-3)
    assert PatchKMeansOrthogonalizer(5).fit(X).contrast_ is None


def test_of_the_light_of_an_image_little_is_left():
    """A factor changes nothing that k does not hide; of an offset a quarter is left."""
    rng = np.random.default_rng(0)
    X, factor = rng.standard_normal((9, 16, 16, 3)), rng.uniform(0.3, 3, (9, 1, 1, 1))
    assert_allclose(normalized(X * factor, k=1e-4), normalized(X, k=1e-4), atol=1e-5)
    assert_allclose(normalized(X * factor, k=1e4), normalized(X, k=1e4) * factor, rtol=1e-5)
    offset = rng.normal(0, 3, (9, 1, 1, 3))
    scale = np.sqrt(local_mean(((X - local_mean(X, 2)) ** 2).mean(3, keepdims=True), 2) + 0.09)
    assert_allclose((normalized(X + offset) - normalized(X)) * scale, 0.25 * offset + 0 * X)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_flat_images_stay_flat_and_finite(dtype):
    X = np.random.default_rng(0).integers(0, 200, (30, 8, 8, 2)).astype(dtype)
    X[:10] = 7  # flat images
    X[..., 1] = 9  # a constant channel
    phi = PatchKMeansOrthogonalizer(5, random_state=0).fit(X)
    codes = phi.transform(X)
    assert np.isfinite(codes).all()
    assert np.isfinite(phi.kernels_).all()
    assert_allclose(codes[:10], np.repeat(codes[:1], 10, axis=0), atol=1e-6)
    flat = X[:10].astype(float)
    assert_allclose(normalized(flat, deviation=50.0), 0.25 / 0.3 * flat / 50.0, rtol=1e-12)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_images_that_vary_by_rounding_only_are_constant(dtype):
    ulps = np.random.default_rng(0).integers(-1, 2, (30, 8, 8))
    X = (0.1 * (1 + ulps * np.finfo(dtype).eps)).astype(dtype)
    phi = PatchKMeansOrthogonalizer(2, random_state=0).fit(X)
    assert phi.contrast_["deviation"] == np.inf
    assert np.ptp(phi.transform(X), axis=0).max() == 0


def test_batches_change_codes_by_rounding_only():
    X = np.random.default_rng(0).random((30, 16, 16, 3))
    phi = PatchKMeansOrthogonalizer(8, random_state=0).fit(X)
    codes = phi.transform(X)
    assert_allclose(np.concatenate([phi.transform(x[None]) for x in X]), codes, atol=1e-12)
    assert_allclose(phi.set_params(batch_size=7).transform(X), codes, atol=1e-12)


@pytest.mark.usefixtures("fast_bfloat16")
def test_contrast_is_normalized_before_rounding_to_bfloat16(monkeypatch):
    X = np.random.default_rng(0).integers(0, 99, (30, 16, 16, 3)).astype(np.float32)
    phi = PatchKMeansOrthogonalizer(8, random_state=0, precision="float32").fit(X)
    exact = phi.transform(X)
    monkeypatch.setattr(_device, "_MANY_PRODUCTS", 0)
    other = X + np.float32(2**17)  # in bfloat16 all pixels would be equal
    rounded = phi.set_params(precision="bfloat16").fit(other).transform(other)
    assert 0 < np.abs(rounded - exact).max() < 0.05 * exact.max()


@pytest.mark.parametrize(
    ("shape", "params", "is_normalized"),
    [
        ((8, 8), {}, True),
        ((8, 8, 4), {}, True),
        ((8, 8, 5), {}, False),
        ((8, 8, 5), {"contrast": 1.0}, True),
        ((8, 8), {"contrast": None}, False),
        ((8, 8), {"whiten_eps": None}, False),
        ((8, 8), {"whiten_eps": None, "contrast": 0.1}, True),
        ((1, 1, 3), {}, False),
        ((3,), {}, False),
    ],
)
def test_auto_normalizes_images_not_codes_raw_patches_or_vectors(shape, params, is_normalized):
    X = np.random.default_rng(0).random((30, *shape))
    phi = PatchKMeansOrthogonalizer(3, random_state=0, **params).fit(X)
    assert (phi.contrast_ is not None) == is_normalized


def test_only_the_first_layer_of_a_classifier_normalizes_contrast():
    X, y = np.random.default_rng(0).random((40, 12, 12)), np.arange(40) % 2

    def constants(clf):
        parts = [block.orthogonalizer for block in clf.fit(X, y).layers_]
        return [part.contrast_ and part.contrast_["k"] for part in parts]

    clf = LayerwiseCNNClassifier(n_layers=2, n_clusters=4, n_components=2, random_state=0)
    assert constants(clf) == [0.7, None]
    assert constants(clf.set_params(orthogonalizer__contrast=0.4)) == [0.4, None]
    assert constants(clf.set_params(orthogonalizer__contrast=None)) == [None, None]
    parts = [PatchKMeansOrthogonalizer(contrast=c) for c in (None, 0.2)]
    assert constants(clf.set_params(orthogonalizer=parts)) == [None, 0.2]


@pytest.mark.parametrize(
    "make",
    [
        lambda: LayerwiseCNNClassifier.algorithm_1(4, patch_size=2),
        lambda: LayerwiseCNNClassifier.section_6([4, 4], [2, 2], -0.25, 1000, head="ridge"),
    ],
)
def test_recipes_of_the_paper_do_not_normalize_contrast(make):
    X, y = np.random.default_rng(0).random((40, 8, 8)), np.arange(40) % 2
    first = make().set_params(random_state=0).fit(X, y).layers_[0].orthogonalizer
    assert first.contrast_ is None


@pytest.mark.parametrize("contrast", [0, -1, np.inf, "local"])
def test_other_contrasts_are_refused(contrast):
    with pytest.raises(ValueError, match="contrast"):
        PatchKMeansOrthogonalizer(3, contrast=contrast).fit(np.zeros((9, 8, 8)))


def test_contrast_of_plain_vectors_is_refused():
    X, y = np.eye(16), np.arange(16) % 2
    for estimator in (
        PatchKMeansOrthogonalizer(3, contrast=0.3),
        LayerwiseCNNClassifier().set_params(orthogonalizer__contrast=0.3),
    ):
        with pytest.raises(ValueError, match=r"contrast=0\.3 is for images: flat X"):
            estimator.fit(X, y)
