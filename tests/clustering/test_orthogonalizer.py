"""PatchKMeansOrthogonalizer: codes, pooling, whitening, borders, precision and parameters."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from skhier import PatchKMeansOrthogonalizer, SphericalKMeans
from skhier._base import _device
from skhier.clustering._encoder import _rectify, make_pool

# Algorithm 1: patches do not overlap and are not whitened, codes are one-hot and not pooled.
F64 = torch.float64
ALGORITHM_1 = {
    "stride": None,
    "padding": "valid",
    "encoding": "one_hot",
    "pool_size": 1,
    "whiten_eps": None,
    "random_state": 0,
}
# Steps 2 to 4 of section 6, for all patches inside the image, before pooling.
SECTION_6 = ALGORITHM_1 | {
    "stride": 1,
    "encoding": "relu",
    "bias": -0.25,
    "normalize": False,
    "pooling": "max",
}


def patches_of(images, size, stride, padding=(0, 0, 0, 0)):
    """Cut patches (n, rows, columns, h, w, c) in loops."""
    top, bottom, left, right = padding
    images = np.pad(images, ((0, 0), (top, bottom), (left, right), (0, 0)))
    _, height, width, _ = images.shape
    return np.array(
        [
            [
                [
                    image[r : r + size[0], c : c + size[1]]
                    for c in range(0, width - size[1] + 1, stride[1])
                ]
                for r in range(0, height - size[0] + 1, stride[0])
            ]
            for image in images
        ]
    )


def test_one_hot_codes_are_orthogonal_and_follow_the_nearest_centroid(images):
    X, _ = images
    phi = PatchKMeansOrthogonalizer(8, (2, 4), **ALGORITHM_1).fit(X)
    patches = patches_of(X, (2, 4), (2, 4)).reshape(-1, 24)
    centers = phi.cluster_centers_.reshape(8, 24)
    labels = (patches @ centers.T).argmax(axis=1)
    codes = phi.transform(X)
    assert codes.shape == (60, *phi.output_shape_) == (60, 3, 2, 8)
    assert_array_equal(codes.reshape(-1, 8), np.eye(8)[labels])
    assert_array_equal(phi.predict(X).ravel(), labels)


@pytest.mark.parametrize("whiten_eps", [None, 0.1])
@pytest.mark.parametrize("patch_size", [3, (2, 3)])
def test_relu_codes_are_a_thresholded_convolution_then_max_pooled(images, whiten_eps, patch_size):
    X, _ = images
    params = {"padding": "same", "bias": -0.3, "whiten_eps": whiten_eps, "contrast": None}
    params = SECTION_6 | params
    phi = PatchKMeansOrthogonalizer(5, patch_size, **params).fit(X)
    size = phi.cluster_centers_.shape[1:3]
    pads = [p for s in size for p in ((s - 1) // 2, s - 1 - (s - 1) // 2)]
    patches = patches_of(X - phi.border_, size, (1, 1), pads).reshape(60, 6, 8, -1)
    if whiten_eps:  # all patches are clustered, so these are the statistics of all
        rows = patches.reshape(-1, patches.shape[-1])
        values, vectors = np.linalg.eigh(np.cov(rows.T, bias=True))
        gains = 1 / np.sqrt(values + whiten_eps * values.mean())
        patches = (patches - rows.mean(axis=0)) @ (vectors * gains) @ vectors.T
    responses = patches @ phi.cluster_centers_.reshape(5, -1).T
    assert_allclose(phi.scale_, np.sqrt((patches**2).mean()))
    expected = np.maximum(responses / phi.scale_ - 0.3, 0)
    assert_allclose(phi.transform(X), expected, atol=1e-10)
    phi.set_params(pool_size=(4, 3)).fit(X)
    pooled = phi.transform(X)
    assert pooled.shape == (60, 2, 3, 5) == (60, *phi.output_shape_)
    # The last windows are cut by the border: rows 4 and 5, columns 6 and 7.
    assert_allclose(pooled[:, 1, 2], expected[:, 4:, 6:].max(axis=(1, 2)), atol=1e-10)
    assert_allclose(pooled[:, 0, 1], expected[:, :4, 3:6].max(axis=(1, 2)), atol=1e-10)


@pytest.mark.parametrize("shape", [(40, 6, 5, 2), (40, 8, 8, 5)])
def test_auto_border_is_dark_for_images_and_zero_for_codes(shape):
    X = np.random.default_rng(0).normal(100, 1, shape)
    X[0, 0, 0] = -1000  # a broken pixel
    border = PatchKMeansOrthogonalizer(4).fit(X).border_
    dark = X.mean(axis=(0, 1, 2)) - 3 * X.std(axis=(0, 1, 2))
    assert_allclose(border, dark if shape[3] <= 4 else np.zeros(5))
    X[0, 0, 0] = 100
    dark = PatchKMeansOrthogonalizer(4, border="dark").fit(np.abs(X - 100)).border_
    assert_array_equal(dark, np.abs(X - 100).min(axis=(0, 1, 2)))
    assert_array_equal(PatchKMeansOrthogonalizer(4, whiten_eps=None).fit(X).border_, 0)


def test_images_continue_with_the_border_beyond_it(images):
    X, _ = images
    phi = PatchKMeansOrthogonalizer(5, 3, border=7, contrast=None, random_state=0).fit(X)
    framed = np.pad(X, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=7)
    params = {"border": 7, "contrast": None, "random_state": 0}
    inside = PatchKMeansOrthogonalizer(5, 3, padding="valid", **params)
    assert_allclose(inside.fit_transform(framed), phi.transform(X), atol=1e-9)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("pooling", ["max", "average"])
def test_crelu_codes_are_those_of_a_patch_and_of_its_negative(images, normalize, pooling):
    X, _ = images
    params = SECTION_6 | {"encoding": "crelu", "bias": -0.2, "normalize": normalize}
    phi = PatchKMeansOrthogonalizer(5, 3, **params).fit(X)
    patches = patches_of(X, (3, 3), (1, 1)).reshape(60, 4, 6, -1)
    r = patches @ phi.cluster_centers_.reshape(5, -1).T / phi.scale_
    if normalize:
        r /= np.sqrt((r**2).mean(axis=-1, keepdims=True) + 0.01)
    expected = np.maximum(np.concatenate([r, -r], axis=-1) - 0.2, 0)
    assert_allclose(phi.transform(X), expected, atol=1e-12)
    pooled = phi.set_params(pool_size=(2, 4), pooling=pooling).fit(X).transform(X)
    assert pooled.shape == (60, 2, 2, 10) == (60, *phi.output_shape_)
    reduce = {"max": np.max, "average": np.mean}[pooling]
    assert_allclose(pooled[:, 0, 0], reduce(expected[:, :2, :4], axis=(1, 2)), atol=1e-12)
    # The last window is cut by the border: columns 4 and 5.
    assert_allclose(pooled[:, 1, 1], reduce(expected[:, 2:, 4:], axis=(1, 2)), atol=1e-12)


def test_average_pooled_one_hot_codes_are_frequencies_of_clusters(images):
    X, _ = images
    params = ALGORITHM_1 | {"pool_size": (3, 4), "pooling": "average"}
    phi = PatchKMeansOrthogonalizer(4, 2, **params)
    codes, labels = phi.fit_transform(X), phi.predict(X)
    counts = [np.bincount(m.ravel(), minlength=4) for m in labels]
    assert_allclose(codes[:, 0, 0], np.array(counts) / 12)


@pytest.mark.parametrize("encoding", ["relu", "crelu"])
@pytest.mark.usefixtures("fast_bfloat16")
def test_bfloat16_codes_are_float32_codes_rounded(digits, encoding, monkeypatch):
    X = digits[0].astype(np.float32)
    monkeypatch.setattr(_device, "_MANY_PRODUCTS", 898 * 36 * 9 * 32)  # of 32 clusters
    phi = PatchKMeansOrthogonalizer(
        32,
        padding="valid",
        encoding=encoding,
        bias=-0.25,
        normalize=False,
        pool_size=1,
        random_state=0,
    ).fit(X)
    assert phi.precision_ == "bfloat16"
    auto = phi.transform(X)
    assert_array_equal(auto, phi.set_params(precision="bfloat16").fit(X).transform(X))
    exact = phi.set_params(precision="float32").fit(X).transform(X)
    assert phi.set_params(n_clusters=31, precision="auto").fit(X).precision_ == "float32"
    assert auto.dtype == exact.dtype == np.float32
    # Patches and kernels are rounded to 8 bits: responses change by about 2^-9 of the largest.
    assert 0 < np.abs(auto - exact).max() < 2**-6 * exact.max()
    assert np.sqrt(((auto - exact) ** 2).mean()) < 2**-7 * exact.std()


@pytest.mark.usefixtures("fast_bfloat16")
def test_a_patch_has_the_nearest_cluster_where_codes_are_rounded(digits, monkeypatch):
    X = digits[0].astype(np.float32)
    monkeypatch.setattr(_device, "_MANY_PRODUCTS", 0)
    rounded = PatchKMeansOrthogonalizer(32, random_state=0).fit(X)
    assert rounded.precision_ == "bfloat16"
    exact = PatchKMeansOrthogonalizer(32, precision="float32", random_state=0).fit(X)
    assert_array_equal(rounded.predict(X), exact.predict(X))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_every_negative_number_is_raised_to_zero(dtype):
    numbers = torch.arange(-(2**15), 2**15).to(torch.int16).view(torch.bfloat16)
    numbers = numbers[~numbers.isnan()].to(dtype)
    expected = torch.maximum(numbers, torch.zeros_like(numbers))
    assert_array_equal(_rectify(numbers).float(), expected.float())


@pytest.mark.usefixtures("fast_bfloat16")
@pytest.mark.parametrize(("pool_size", "weights"), [("auto", 0), ("thirds", 2**-8)])
@pytest.mark.parametrize("bias", [-0.3, -2.0])
def test_pooled_bfloat16_codes_are_small_without_rounding_errors_of_the_bias(
    digits, bias, pool_size, weights
):
    X = np.pad(digits[0][:200], ((0, 0), (0, 8), (0, 8))).astype(np.float32)
    params = {"n_clusters": 20, "bias": bias, "precision": "bfloat16", "random_state": 0}
    phi = PatchKMeansOrthogonalizer(**params, pool_size=pool_size).fit(X)
    codes = PatchKMeansOrthogonalizer(**params, pool_size=1).fit(X).transform(X)
    pool = make_pool(codes.shape[1:3], *(phi.coding_[k] for k in ("pooling", "pool_size")), F64)
    expected = pool(torch.from_numpy(codes.astype(np.float64))).numpy()
    # The sum and the weights of 'tent' are rounded to 8 bits; both relative to the code itself.
    assert (np.abs(phi.transform(X) - expected) <= (2**-8 + weights) * expected).all()
    assert (expected == 0).mean() > 0.05
    exact = phi.transform(X.astype(np.float64))
    assert np.linalg.norm(expected - exact) < 2**-6 * np.linalg.norm(exact)


@pytest.mark.usefixtures("slow_bfloat16")
def test_bfloat16_is_refused_where_it_is_slow(digits):
    X = digits[0].astype(np.float32)
    phi = PatchKMeansOrthogonalizer(4, random_state=0)
    assert_array_equal(
        phi.fit(X).transform(X), phi.set_params(precision="float32").fit(X).transform(X)
    )
    with pytest.raises(ValueError, match=r"precision='bfloat16' .* 0.5 times .* 'float32'"):
        phi.set_params(precision="bfloat16").fit(X)


def test_a_model_fitted_in_bfloat16_predicts_in_float32_where_bfloat16_is_slow(digits, monkeypatch):
    X = digits[0].astype(np.float32)
    monkeypatch.setattr(_device, "_MANY_PRODUCTS", 0)
    monkeypatch.setattr(_device, "bfloat16_speed", lambda device: 2.0)
    phi = PatchKMeansOrthogonalizer(8, random_state=0).fit(X)
    rounded = phi.transform(X)
    monkeypatch.setattr(_device, "bfloat16_speed", lambda device: 0.5)
    codes = phi.transform(X)
    assert not np.array_equal(codes, rounded)
    expected = PatchKMeansOrthogonalizer(8, precision="float32", random_state=0).fit_transform(X)
    assert_array_equal(codes, expected)


@pytest.mark.usefixtures("fast_bfloat16")
@pytest.mark.parametrize(
    ("encoding", "dtype", "is_rounded"),
    [("one_hot", np.float32, False), ("relu", np.float64, False), ("relu", np.float32, True)],
)
def test_one_hot_codes_and_float64_images_are_not_rounded(
    digits, monkeypatch, encoding, dtype, is_rounded
):
    X = digits[0].astype(dtype)
    phi = PatchKMeansOrthogonalizer(8, encoding=encoding, random_state=0)
    expected = phi.fit_transform(X)
    assert phi.precision_ == "float32"  # there are few products
    monkeypatch.setattr(_device, "_MANY_PRODUCTS", 0)
    codes = phi.fit_transform(X)
    assert phi.precision_ == "bfloat16"
    assert np.array_equal(codes, expected) != is_rounded


def test_max_pooled_one_hot_codes_are_1_for_every_cluster_in_the_window(images):
    X, _ = images
    params = ALGORITHM_1 | {"pool_size": 3, "pooling": "max"}
    phi = PatchKMeansOrthogonalizer(4, 2, **params).fit(X)
    labels = phi.predict(X)
    assert labels.shape == (60, 3, 4)
    assert_array_equal(phi.transform(X)[:, 0, 0], [np.isin(np.arange(4), m[:, :3]) for m in labels])


@pytest.mark.parametrize("whiten_eps", [None, 0.1])
def test_euclidean_codes_follow_the_nearest_centroid(images, whiten_eps):
    X, _ = images
    params = ALGORITHM_1 | {"kmeans": KMeans(), "whiten_eps": whiten_eps, "contrast": None}
    phi = PatchKMeansOrthogonalizer(8, (2, 4), **params)
    labels = phi.fit(X).predict(X).ravel()
    patches = patches_of(X, (2, 4), (2, 4)).reshape(-1, 24)
    if whiten_eps:
        values, vectors = np.linalg.eigh(np.cov(patches.T, bias=True))
        gains = 1 / np.sqrt(values + whiten_eps * values.mean())
        patches = (patches - patches.mean(axis=0)) @ (vectors * gains) @ vectors.T
    distances = ((patches[:, None] - phi.cluster_centers_.reshape(8, 24)) ** 2).sum(axis=2)
    assert_array_equal(labels, distances.argmin(axis=1))
    assert_allclose(phi.inertia_, distances.min(axis=1).sum())


def test_only_euclidean_k_means_separates_multiples_of_a_patch():
    rng = np.random.default_rng(0)
    X = np.repeat([[1.0, 2.0], [2.0, 4.0]], 20, axis=0) + 1e-3 * rng.standard_normal((40, 2))
    phi = PatchKMeansOrthogonalizer(2, kmeans=KMeans(), **ALGORITHM_1).fit(X)
    labels = phi.predict(X)
    assert len(set(labels[:20])) == len(set(labels[20:])) == 1
    assert labels[0] != labels[-1]
    cosine = PatchKMeansOrthogonalizer(2, **ALGORITHM_1).fit(X).predict(X)
    assert len(set(cosine[:20])) == 2


def test_plain_vectors_are_clustered_as_by_spherical_k_means():
    X = np.random.default_rng(0).standard_normal((200, 5))
    phi = PatchKMeansOrthogonalizer(4, **ALGORITHM_1).fit(X)
    km = SphericalKMeans(4, init=phi.cluster_centers_.reshape(4, 5)).fit(X)
    assert_array_equal(phi.predict(X), km.labels_)
    assert phi.transform(X).shape == (200, 4)


def test_distinct_patches_are_recovered_exactly():
    rng = np.random.default_rng(0)
    table = rng.standard_normal((30, 2, 2))
    choice = rng.integers(30, size=(100, 4, 4))
    X = table[choice].swapaxes(2, 3).reshape(100, 8, 8)
    phi = PatchKMeansOrthogonalizer(30, 2, **ALGORITHM_1).fit(X)
    pairs = np.unique(np.column_stack([phi.predict(X).ravel(), choice.ravel()]), axis=0)
    assert len(pairs) == 30  # a bijection of patches and clusters


@pytest.mark.parametrize("encoding", ["one_hot", "relu"])
def test_codes_do_not_depend_on_the_batch_size_or_on_the_scale_of_images(images, encoding):
    X, _ = images
    phi = PatchKMeansOrthogonalizer(6, 3, **SECTION_6 | {"padding": 1, "encoding": encoding})
    codes = phi.fit_transform(X)
    assert_allclose(phi.set_params(batch_size=7).fit_transform(X), codes, atol=1e-12)
    assert_allclose(phi.fit_transform(1000 * X), codes, atol=1e-9)


def test_n_patches_is_the_number_of_clustered_patches(images):
    X, _ = images
    phi = PatchKMeansOrthogonalizer(3, 2, n_patches=50, **ALGORITHM_1).fit(X)
    assert phi.inertia_ < 50
    with_all = PatchKMeansOrthogonalizer(3, 2, n_patches=None, **ALGORITHM_1).fit(X)
    assert 50 < with_all.inertia_ < 720


@pytest.mark.parametrize(
    ("n_distinct", "n_values", "expected"),
    [(40, 20, 10), (3, 2, 1), (900, 2, 200), (1300, 80, 240), (6500, 540, 1600)],
)
def test_auto_n_clusters_depends_on_the_values_of_a_patch_and_on_distinct_patches(
    n_distinct, n_values, expected
):
    """Compare with 3 for each value, from 200 to 1600, and a quarter of the distinct patches."""
    X = np.random.default_rng(0).standard_normal((n_distinct, n_values))
    phi = PatchKMeansOrthogonalizer(kmeans=SphericalKMeans(max_iter=1), **ALGORITHM_1)
    phi.fit(np.vstack([X, 2 * X]))
    assert phi.n_clusters_ == expected == phi.transform(X[:9]).shape[1]


@pytest.mark.parametrize(("n_channels", "expected"), [(3, 216), (4, 288), (5, 540)])
def test_auto_n_clusters_of_images_is_lower_than_that_of_codes(n_channels, expected):
    X = np.random.default_rng(0).standard_normal((20, 16, 16, n_channels))
    phi = PatchKMeansOrthogonalizer(patch_size=6, kmeans=SphericalKMeans(max_iter=1))
    assert phi.fit(X).n_clusters_ == expected


@pytest.mark.parametrize(
    ("image_shape", "patch_size", "pool_size"),
    [
        ((32, 32, 3), 6, 4),
        ((16, 20, 1), 6, 3),
        ((8, 8, 1), 3, 3),
        ((20, 20, 5), 3, 3),
        ((5, 9, 1), 3, 2),
    ],
)
def test_auto_patch_size_and_pool_size_give_the_codes_of_these_sizes(
    image_shape, patch_size, pool_size
):
    X = np.random.default_rng(0).standard_normal((5, *image_shape))
    auto = PatchKMeansOrthogonalizer(3, random_state=0).fit(X)
    given = PatchKMeansOrthogonalizer(3, patch_size, pool_size=pool_size, random_state=0).fit(X)
    assert_array_equal(auto.transform(X), given.transform(X))


@pytest.mark.parametrize(("side", "remains"), [(3, 2), (7, 3), (8, 3), (16, 3), (17, 3), (56, 3)])
def test_thirds_leave_at_most_three_by_three_windows_of_any_map(side, remains):
    X = np.random.default_rng(0).standard_normal((5, side, side + 1, 6))
    phi = PatchKMeansOrthogonalizer(3, 3, pool_size="thirds", random_state=0).fit(X)
    assert phi.output_shape_[:2] in [(remains, remains), (remains, remains - 1)]


@pytest.mark.parametrize(("side", "window"), [(5, 2), (8, 3), (16, 3), (32, 4), (33, 5), (64, 8)])
def test_eighths_leave_at_most_eight_by_eight_windows_of_any_map(side, window):
    X = np.random.default_rng(0).standard_normal((5, side, side + 1, 1))
    named, given = (
        PatchKMeansOrthogonalizer(3, 3, pool_size=size, random_state=0).fit(X)
        for size in ("eighths", (window, max(window, -(-(side + 1) // 8))))
    )
    assert max(named.output_shape_[:2]) <= 8
    assert_array_equal(named.transform(X), given.transform(X))


@pytest.mark.parametrize("shape", [(8, 8), (7, 12), (3, 1), (2, 5)])
def test_thirds_are_averages_with_weights_that_fall_from_equally_spaced_centers(shape):
    X = np.random.default_rng(0).standard_normal((5, *shape, 6))
    pooled, codes = (
        PatchKMeansOrthogonalizer(3, 1, pool_size=size, random_state=0).fit_transform(X)
        for size in ("thirds", 1)
    )
    for axis, side in enumerate(shape, 1):
        n = pooled.shape[axis]
        centers = (np.arange(n) + 0.5) * side / n - 0.5
        weights = np.maximum(0, 1 - abs(np.arange(side) - centers[:, None]) * n / side / 1.3)
        weights /= weights.sum(axis=1, keepdims=True)
        codes = np.moveaxis(np.tensordot(weights, codes, (1, axis)), 0, axis)
    assert_allclose(pooled, codes, atol=1e-12)


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_thirds_of_a_mirror_image_are_mirrored(pooling):
    X = np.random.default_rng(0).standard_normal((5, 9, 12, 6))
    phi = PatchKMeansOrthogonalizer(3, 1, pool_size="thirds", pooling=pooling, random_state=0)
    codes = phi.fit(X).transform(X)
    assert_allclose(phi.transform(X[:, ::-1, ::-1]), codes[:, ::-1, ::-1], atol=1e-12)


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "u1", "i1", "u2", ">i2", "u4", "i8", "?"])
def test_codes_and_centers_are_float32_where_it_holds_the_pixels_exactly(dtype):
    X = np.random.default_rng(0).integers(0, 255, (50, 6, 6)).astype(dtype)
    phi = PatchKMeansOrthogonalizer(4, random_state=0).fit(X)
    expected = np.float32 if np.can_cast(dtype, np.float32) else np.float64
    assert phi.transform(X).dtype == phi.cluster_centers_.dtype == expected


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"patch_size": 7}, "patch_size=7 is larger than the 6x8 image"),
        ({"patch_size": 4}, "does not tile the 6x8 image .* 2 rows or columns"),
        ({"patch_size": 3, "stride": (3, 1), "padding": (1, 0)}, "does not tile"),
        ({"patch_size": 0}, "patch_size=0 is not valid"),
        ({"patch_size": (2, 2, 2)}, r"patch_size=\(2, 2, 2\) is not valid"),
        ({"patch_size": 2, "stride": -1}, "stride=-1 is not valid"),
        ({"patch_size": 2, "padding": "reflect"}, "padding='reflect' is not valid"),
        ({"patch_size": 2, "pool_size": 0}, "pool_size=0 is not valid"),
        (
            {"patch_size": 2, "n_clusters": 721},
            "n_clusters=721 is more than .* patches, 720",
        ),
        ({"patch_size": 2, "device": "cuda:99"}, "device='cuda:99' cannot be used"),
        ({"patch_size": 2, "encoding": "sigmoid"}, "encoding"),
    ],
)
def test_bad_parameters_are_refused(images, params, message):
    with pytest.raises(ValueError, match=message):
        PatchKMeansOrthogonalizer(**ALGORITHM_1 | params).fit(images[0])


def test_the_error_about_patches_of_flat_images_asks_for_image_shape():
    X = np.random.default_rng(0).standard_normal((10, 64))
    for padding in ("valid", "same"):
        with pytest.raises(ValueError, match=r"Give image_shape=\(H, W, C\)"):
            PatchKMeansOrthogonalizer(patch_size=3, padding=padding).fit(X)


@pytest.mark.parametrize("kmeans", [None, KMeans()])
@pytest.mark.parametrize("whiten_eps", [None, 0.1])
def test_more_clusters_than_distinct_patches_raise_a_warning(kmeans, whiten_eps):
    X = np.repeat([[[1.0, 0], [0, 0]], [[0, 1], [1, 0]], [[0, 0], [0, 0]]], 9, axis=0)
    params = ALGORITHM_1 | {"whiten_eps": whiten_eps}
    phi = PatchKMeansOrthogonalizer(8, 2, kmeans=kmeans, **params)
    with pytest.warns(ConvergenceWarning):
        codes = phi.fit_transform(X)
    assert codes.shape == (27, 1, 1, 8)
    assert np.isfinite(phi.kernels_).all()
    assert_array_equal(codes.sum(axis=3), 1)
    assert len(set(phi.predict(X[:18]).ravel())) == 2
    with pytest.warns(ConvergenceWarning):  # constant images have no directions at all
        assert np.isfinite(phi.fit_transform(np.ones_like(X))).all()


def test_n_clusters_of_the_k_means_is_refused(images):
    phi = PatchKMeansOrthogonalizer(8, kmeans=SphericalKMeans(9))
    with pytest.raises(ValueError, match=r"n_clusters is given twice, .* drop the one in kmeans"):
        phi.fit(images[0])


def test_k_means_is_cloned_and_its_parameters_are_reachable(images):
    kmeans = SphericalKMeans(n_init=2)
    phi = PatchKMeansOrthogonalizer(8, 2, kmeans=kmeans, **ALGORITHM_1).fit(images[0])
    assert not hasattr(kmeans, "labels_")
    assert phi.get_params()["kmeans__n_init"] == 2
    default = PatchKMeansOrthogonalizer(8, 2, **ALGORITHM_1)
    assert default.get_params()["kmeans__max_iter"] == 25
    default.set_params(kmeans__max_iter=100, kmeans__tol=1e-4, kmeans__n_init=2)
    assert_array_equal(default.fit(images[0]).kernels_, phi.kernels_)
    seeded = PatchKMeansOrthogonalizer(8, 2, kmeans=SphericalKMeans(random_state=3), **ALGORITHM_1)
    assert seeded.fit(images[0]).inertia_ != phi.inertia_


@pytest.mark.parametrize("contrast", [None, 0.7])
def test_encoding_does_not_compute_the_kernels_from_their_factors(images, contrast, monkeypatch):
    phi = PatchKMeansOrthogonalizer(3, contrast=contrast, random_state=0).fit(images[0])
    assert phi.kernels_.shape == phi.cluster_centers_.shape
    monkeypatch.delattr(PatchKMeansOrthogonalizer, "kernels_")
    phi.transform(images[0])
    phi.predict(images[0])


def test_device_may_be_a_torch_device(images):
    phi = PatchKMeansOrthogonalizer(3, 2, device=torch.device("cpu"), **ALGORITHM_1)
    assert phi.fit_transform(images[0]).shape == (60, 3, 4, 3)


def test_padding_of_plain_vectors_is_refused():
    with pytest.raises(ValueError, match="padding=1 is for images: flat X"):
        PatchKMeansOrthogonalizer(n_clusters=2, padding=1).fit(np.eye(4))


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_a_window_larger_than_the_map_is_the_map(pooling):
    X = np.random.default_rng(0).standard_normal((10, 4, 5))
    equal, larger, huge = (
        PatchKMeansOrthogonalizer(3, 2, pool_size=size, pooling=pooling, random_state=0)
        for size in ((4, 5), 7, 10**30)
    )
    expected = equal.fit_transform(X)
    assert_array_equal(larger.fit_transform(X), expected)
    assert_array_equal(huge.fit_transform(X), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_of_equal_patches_is_not_whitened(dtype):
    rng = np.random.default_rng(0)

    def images(color):
        ulps = rng.integers(-1, 2, (40, 5, 5, 2))
        return (color * (1 + ulps * np.finfo(dtype).eps)).astype(dtype)

    phi = PatchKMeansOrthogonalizer(1, 3, padding="valid", border=0, normalize=False)
    with pytest.warns(ConvergenceWarning):
        codes = phi.fit_transform(images(0.1))
    assert_allclose(phi.transform(images(0.2)), codes, atol=1e-3)


@pytest.mark.parametrize(
    "params",
    [
        {"border": np.float32(-3)},
        {"bias": np.float16(-0.5)},
        {"bias": np.uint8(1)},
        {"whiten_eps": np.float16(0.5)},
    ],
)
def test_parameters_may_be_narrow_numbers_of_numpy(params):
    X = np.random.default_rng(0).random((5, 4, 4))
    (name, value), *_ = params.items()
    codes = PatchKMeansOrthogonalizer(2, random_state=0, **params).fit_transform(X)
    plain = PatchKMeansOrthogonalizer(2, random_state=0, **{name: float(value)}).fit_transform(X)
    assert_allclose(codes, plain)


@pytest.mark.parametrize("params", [{"border": 1e300}, {"bias": 1e300}, {"whiten_eps": 1e-300}])
def test_numbers_out_of_range_are_refused(params):
    X = np.random.default_rng(0).random((5, 4, 4), dtype=np.float32)
    with pytest.raises(ValueError, match=next(iter(params))):
        PatchKMeansOrthogonalizer(2, **params).fit(X)


def test_threads_may_share_an_operator():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 16, 16, 3)).astype(np.float32)
    phi = PatchKMeansOrthogonalizer(30, random_state=0).fit(X)
    encode = phi._operator(np.dtype(np.float32), torch.device("cpu"))
    batches = np.split(X, 40)
    expected = [encode(batch) for batch in batches]
    with ThreadPoolExecutor(4) as threads:
        for _ in range(5):
            for found, codes in zip(threads.map(encode, batches), expected):
                assert torch.equal(found, codes)
