import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skhier import HierarchicalSampler
from skhier.generative._root import is_linearly_separable
from skhier.generative._streams import draw_integers, index_keys


def test_defaults_are_appendix_D():
    sampler = HierarchicalSampler(random_state=0).fit()
    X, y, latents = sampler.sample(2000, return_latents=True)
    assert X.shape == (2000, 27, 27)
    assert X.dtype == np.float32
    assert [level.shape for level in latents] == [(2000, 3, 3), (2000, 9, 9)]
    assert [table.shape for table in sampler.patches_] == [(4, 30, 3, 3), (4, 30, 3, 3)]
    assert_array_equal(np.unique(y), [-1, 1])
    assert sampler.root_images_.shape == (8, 3, 3)
    assert sampler.linearly_separable_
    one_hot = np.eye(4)[sampler.root_images_].reshape(8, -1)
    assert np.linalg.matrix_rank(one_hot) == 8  # as validated in appendix D


def test_each_level_comes_from_the_one_above():
    sampler = HierarchicalSampler(3, patches_per_class=[2, 5, 3], random_state=0).fit()
    X, y, latents = sampler.sample(50, return_latents=True)
    levels = [*latents, X]
    for upper, lower, table in zip(levels, levels[1:], sampler.patches_):
        for row, column in np.ndindex(upper.shape[1:]):
            patch = lower[:, 3 * row : 3 * row + 3, 3 * column : 3 * column + 3]
            allowed = table[upper[:, row, column]]
            assert (patch[:, None] == allowed).all(axis=(2, 3)).any(axis=1).all()
    pairs = zip(sampler.root_labels_, sampler.root_images_)
    roots = {(label, root.tobytes()) for label, root in pairs}
    assert {(label, root.tobytes()) for label, root in zip(y, latents[0])} <= roots


def test_labels_roots_and_patches_are_uniform():
    # A chi-square statistic of df degrees has mean df and variance 2 df.
    sampler = HierarchicalSampler(1, patches_per_class=7, random_state=0).fit()
    X, y, (roots,) = sampler.sample(20_000, return_latents=True)
    which = (roots[:, None] == sampler.root_images_).all(axis=(2, 3)).argmax(axis=1)
    patch = X[:, :3, :3].reshape(-1, 1, 9)
    at_corner = (patch == sampler.patches_[0].reshape(1, 28, 9)).all(axis=2).argmax(axis=1) % 7
    for draws, n in [((y > 0).astype(int), 2), (which, 8), (at_corner, 7)]:
        expected = len(draws) / n
        chi2 = ((np.bincount(draws, minlength=n) - expected) ** 2 / expected).sum()
        assert chi2 < (n - 1) + 5 * np.sqrt(2 * (n - 1))


def test_sets_of_patches_are_disjoint():
    # 4 * 30 of the 2^7 = 128 possible patches: most are needed, so they are enumerated.
    sampler = HierarchicalSampler(
        2, n_semantic_classes=[4, 2], patch_size=[(1, 7), (1, 2)], random_state=0
    ).fit()
    rows = sampler.patches_[0].reshape(-1, 7)
    assert len(np.unique(rows, axis=0)) == 120


def test_orthonormal_patches():
    sampler = HierarchicalSampler(
        1, n_semantic_classes=3, patches_per_class=3, pixel_patches="orthonormal", random_state=0
    ).fit()
    rows = sampler.patches_[0].reshape(9, 9)
    assert_allclose(rows @ rows.T, np.eye(9), atol=1e-6)


def test_given_root_images_keep_their_names():
    X = np.array([[["sky", "sky"], ["sea", "sand"]], [["sky", "sky"], ["sand", "sand"]]])
    y = np.array(["beach", "desert"])
    sampler = HierarchicalSampler(random_state=0).fit(X, y)
    assert_array_equal(sampler.semantic_classes_, ["sand", "sea", "sky"])
    images, labels, latents = sampler.sample(50, return_latents=True)
    assert set(labels) == {"beach", "desert"}
    assert_array_equal(sampler.inverse_transform(images), latents[0])
    assert_array_equal((latents[0][:, 1, 0] == "sea"), labels == "beach")
    assert sampler.linearly_separable_


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inverse_transform_undoes_transform(dtype):
    sampler = HierarchicalSampler(3, n_semantic_classes=[4, 6, 5], random_state=0).fit()
    X = np.random.default_rng(0).integers(4, size=(40, 3, 3))
    images = sampler.transform(X).astype(dtype)
    assert images.shape == (40, 81, 81)
    assert_array_equal(sampler.inverse_transform(images), X)
    assert_array_equal(sampler.inverse_transform(images[..., None]), X)
    assert_array_equal(sampler.inverse_transform(images.reshape(40, -1)), X)


def test_strings_are_images_of_height_1():
    X = np.random.default_rng(0).integers(5, size=(30, 4))
    sampler = HierarchicalSampler(patch_size=(1, 4), random_state=0).fit(X, X[:, 0])
    images = sampler.transform(X)
    assert images.shape == (30, 1, 64)
    assert_array_equal(sampler.inverse_transform(images), X)


def test_samples_depend_on_seed_and_index_only():
    sampler = HierarchicalSampler(random_state=0).fit()
    X, y = sampler.sample(600, random_state=5)
    fewer, labels = sampler.sample(100, random_state=5)
    assert_array_equal(fewer, X[:100])
    assert_array_equal(labels, y[:100])
    assert not np.array_equal(sampler.sample(100, random_state=6)[0], fewer)
    assert_array_equal(sampler.sample(100)[0], sampler.sample(100)[0])


def test_streams_are_the_same_however_they_are_read():
    keys = index_keys(3, np.arange(10))
    whole = draw_integers(keys, 0, 9, 100)
    parts = [draw_integers(keys, first, n, 100) for first, n in [(0, 2), (2, 3), (5, 4)]]
    assert_array_equal(np.hstack(parts), whole)
    assert_array_equal(draw_integers(keys[[7, 2]], 0, 9, 100), whole[[7, 2]])


@pytest.mark.parametrize(
    ("images", "labels", "separable"),
    [
        ([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 0, 0, 1], True),
        ([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0], False),  # exclusive or
        ([[0, 0], [0, 0]], [0, 1], False),
        ([[0, 0], [1, 1], [2, 2]], [0, 1, 2], True),
    ],
)
def test_linear_separability(images, labels, separable):
    images = np.array(images)[:, None]
    assert is_linearly_separable(images, np.array(labels), 3) == separable


def test_many_labels():
    sampler = HierarchicalSampler(n_labels=5, random_state=0).fit()
    assert_array_equal(np.unique(sampler.sample(200)[1]), np.arange(5))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_semantic_classes": 2, "patch_size": 2}, "needs 60 disjoint patches, but only 16"),
        ({"pixel_patches": "orthonormal"}, "needs 120 orthonormal patches, but .* has 9 pixels"),
        ({"patches_per_class": [3, 3, 3]}, "has 3 entries, but n_levels=2"),
        ({"patches_per_class": 0}, "patches_per_class=0 is not valid"),
        ({"n_semantic_classes": 1.5}, "n_semantic_classes=1.5 is not valid"),
        ({"patch_size": [3, "x"]}, "patch_size='x' is not valid"),
        ({"root_shape": (0, 3)}, r"root_shape=\(0, 3\) is not valid"),
        ({"root_shape": (1, 1), "n_root_images": 9}, "not linearly separable in"),
        ({"n_levels": 0}, "n_levels"),
    ],
)
def test_impossible_models_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        HierarchicalSampler(**params).fit()


def test_bad_images():
    sampler = HierarchicalSampler(random_state=0).fit()
    X, _ = sampler.sample(3)
    with pytest.raises(ValueError, match=r"images of shape \(26, 27\), but .* \(27, 27\)"):
        sampler.inverse_transform(X[:, 1:])
    X[1, 4, 4] += 1
    with pytest.raises(ValueError, match=r"X\[1\] is not a clean .* row 1, column 1"):
        sampler.inverse_transform(X)
    with pytest.raises(ValueError, match="semantic class 9, not among"):
        sampler.transform(np.full((1, 3, 3), 9))
    with pytest.raises(ValueError, match=r"images of shape \(2, 2\), where the shape \(3, 3\)"):
        sampler.transform(np.zeros((1, 2, 2), int))
    with pytest.raises(ValueError, match=r"root_shape=\(2, 2\) does not match"):
        HierarchicalSampler(root_shape=(2, 2)).fit(np.zeros((2, 5), int), [0, 1])
    with pytest.raises(ValueError, match="semantic images need labels"):
        HierarchicalSampler().fit(np.zeros((2, 3, 3), int))
    with pytest.raises(ValueError, match="n_samples=0"):
        sampler.sample(0)
