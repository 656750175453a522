import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal, assert_equal

from skhier import HierarchicalSampler
from skhier.generative._streams import draw_integers, draw_normals, index_keys


def chi_square_is_small(counts, probabilities):
    # The statistic has mean df and variance 2 df.
    expected = counts.sum() * probabilities
    seen = expected > 0
    df = seen.sum() - 1
    chi2 = ((counts - expected)[seen] ** 2 / expected[seen]).sum()
    return chi2 < df + 5 * np.sqrt(2 * df) and counts[~seen].sum() == 0


def test_defaults_are_appendix_D():
    sampler = HierarchicalSampler(random_state=0).fit()
    X, y, latents = sampler.sample(2000, return_latents=True)
    assert X.shape == (2000, 27, 27)
    assert X.dtype == np.float32
    assert [level.shape for level in latents] == [(2000, 3, 3), (2000, 9, 9)]
    assert [table.shape for table in sampler.patches_] == [(4, 30, 3, 3), (4, 30, 3, 3)]
    assert_array_equal(np.unique(y), [-1, 1])
    assert sampler.root_images_.shape == (8, 3, 3)
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


@pytest.mark.parametrize(
    "rule_weights",
    ["uniform", "zipf", 2.5, np.arange(7.0), np.random.default_rng(0).random((4, 7))],
    ids=["uniform", "zipf", "exponent", "weights", "weights of each class"],
)
def test_labels_roots_and_patches_have_their_probabilities(rule_weights):
    sampler = HierarchicalSampler(
        1, patches_per_class=7, rule_weights=rule_weights, random_state=0
    ).fit()
    X, y, (roots,) = sampler.sample(20_000, return_latents=True)
    which = (roots[:, None] == sampler.root_images_).all(axis=(2, 3)).argmax(axis=1)
    rules = (X[:, :3, :3].reshape(-1, 1, 9) == sampler.patches_[0].reshape(1, 28, 9)).all(axis=2)
    assert chi_square_is_small(np.bincount(y > 0), np.full(2, 1 / 2))
    assert chi_square_is_small(np.bincount(which, minlength=8), np.full(8, 1 / 8))
    for c in range(4):
        counts = rules[roots[:, 0, 0] == c].sum(axis=0)[7 * c : 7 * c + 7]
        assert chi_square_is_small(counts, sampler.rule_weights_[0][c])


def test_zipf_weights_fall_with_rank():
    sampler = HierarchicalSampler(2, patches_per_class=4, rule_weights=["zipf", 2.0]).fit()
    for weights, exponent in zip(sampler.rule_weights_, [1, 2]):
        ranks = np.arange(1, 5.0) ** -exponent
        assert_allclose(weights, np.tile(ranks / ranks.sum(), (4, 1)))


def test_a_list_of_rule_weights_has_one_value_for_each_level_and_an_array_has_weights():
    def fit(rule_weights, k=3):
        return HierarchicalSampler(
            2, patches_per_class=k, rule_weights=rule_weights, random_state=0
        ).fit()

    for weights in fit(np.array([3.0, 2, 1])).rule_weights_:
        assert_allclose(weights, np.tile([1 / 2, 1 / 3, 1 / 6], (4, 1)))
    exponents = fit([1.0, 2.0])
    for values in (["zipf", 2.0], ("zipf", 2.0), [1 / np.arange(1, 4), np.arange(1, 4.0) ** -2]):
        for weights, expected in zip(fit(values).rule_weights_, exponents.rule_weights_):
            assert_allclose(weights, expected)
    for weights in fit(np.array(["zipf", "zipf"])).rule_weights_:
        assert_allclose(weights, exponents.rule_weights_[0])
    # Equal numbers are no weights that anyone would write.
    assert_allclose(fit([2.0, 2.0], k=2).rule_weights_[0], np.tile([0.8, 0.2], (4, 1)))


@pytest.mark.parametrize(
    "params",
    [
        {"n_levels": 4, "patches_per_class": [4, 4, 4, 1], "rule_weights": [0.4, 0.3, 0.2, 0.1]},
        {"patches_per_class": 2, "rule_weights": (2, 1)},
        {"patches_per_class": 3, "rule_weights": [3, 2, 1]},
        {"n_semantic_classes": 2, "patches_per_class": 3, "rule_weights": [[3, 2, 1], [1, 2, 3]]},
        {
            "n_levels": 3,
            "patches_per_class": 9,
            "pixel_patches": np.arange(24.0).reshape(4, 3, 1, 2),
            "rule_weights": [3, 2, 1],
        },
    ],
)
def test_a_list_that_can_be_taken_for_weights_is_refused(params):
    with pytest.raises(ValueError, match=r"is ambiguous: a list gives .* a list of an array"):
        HierarchicalSampler(**params, random_state=0).fit()


def test_sets_of_patches_are_disjoint():
    # 4 * 30 of the 2^7 = 128 possible patches are drawn: more than half, so all are enumerated.
    sampler = HierarchicalSampler(
        2, n_semantic_classes=[4, 2], patch_size=[(1, 7), (1, 2)], random_state=0
    ).fit()
    rows = sampler.patches_[0].reshape(-1, 7)
    assert len(np.unique(rows, axis=0)) == 120


def test_overlap_is_the_share_of_patches_that_all_classes_have():
    sampler = HierarchicalSampler(patches_per_class=10, overlap=[0.3, 1.0], random_state=0).fit()
    for table, shared in zip(sampler.patches_, [3, 10]):
        rows = [{patch.tobytes() for patch in patches} for patches in table]
        assert all(len(patches) == 10 for patches in rows)
        assert len(set.intersection(*rows)) == shared
        assert len(set.union(*rows)) == 4 * (10 - shared) + shared


@pytest.mark.parametrize("kind", ["orthonormal", "one_hot"])
def test_orthonormal_patches_are_orthonormal_and_recognized(kind):
    sampler = HierarchicalSampler(
        1, n_semantic_classes=3, patches_per_class=6, pixel_patches=kind, n_channels=2
    ).fit()
    assert sampler.patches_[0].shape == (3, 6, 3, 3, 2)
    rows = sampler.patches_[0].reshape(18, 18)
    assert_allclose(rows @ rows.T, np.eye(18), atol=1e-6)
    X, _, (roots,) = sampler.sample(20, return_latents=True)
    assert X.shape == (20, 9, 9, 2)
    assert_array_equal(sampler.inverse_transform(X), roots)
    assert set(np.unique(X)) == {0, 1} or kind == "orthonormal"


def test_given_patches_are_used():
    symbols = np.array([[[[0, 1]], [[1, 1]]], [[[2, 2]], [[0, 2]]]])
    pixels = np.arange(6.0).reshape(3, 1, 1, 2)
    sampler = HierarchicalSampler(
        symbol_patches=[symbols], pixel_patches=pixels, root_shape=(2, 2), random_state=0
    ).fit()
    assert_array_equal(sampler.patches_[0], symbols)
    assert_array_equal(sampler.patches_[1], pixels)
    X, _, latents = sampler.sample(50, return_latents=True)
    assert X.shape == (50, 2, 8)
    assert_array_equal(X, np.stack([2 * latents[1], 2 * latents[1] + 1], axis=-1).reshape(X.shape))


def test_the_root_symbol_can_be_the_label():
    sampler = HierarchicalSampler(3, root="label", n_labels=5, random_state=0).fit()
    X, y, latents = sampler.sample(100, return_latents=True)
    assert X.shape == (100, 27, 27)
    assert_array_equal(latents[0][:, 0, 0], y)
    assert [len(table) for table in sampler.patches_] == [5, 4, 4]
    two = HierarchicalSampler(1, root="label", random_state=0).fit()
    assert_array_equal(two.classes_, two.semantic_classes_)


def test_given_root_images_keep_their_names():
    X = np.array([[["sky", "sky"], ["sea", "sand"]], [["sky", "sky"], ["sand", "sand"]]])
    y = np.array(["beach", "desert"])
    sampler = HierarchicalSampler(random_state=0).fit(X, y)
    assert_array_equal(sampler.semantic_classes_, ["sand", "sea", "sky"])
    images, labels, latents = sampler.sample(50, return_latents=True)
    assert set(labels) == {"beach", "desert"}
    assert_array_equal(sampler.inverse_transform(images), latents[0])
    assert_array_equal((latents[0][:, 1, 0] == "sea"), labels == "beach")


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


def test_noise_has_its_probability_and_changes_nothing_else():
    clean = HierarchicalSampler(random_state=0).fit()
    noisy = HierarchicalSampler(
        label_noise=0.2, symbol_noise=[0.0, 0.4], pixel_noise=0.5, random_state=0
    ).fit()
    n = 4000
    X, y, latents = clean.sample(n, return_latents=True)
    noisy_X, noisy_y, noisy_latents = noisy.sample(n, return_latents=True)
    assert abs((y != noisy_y).mean() - 0.2) < 5 * np.sqrt(0.2 * 0.8 / n)
    assert_array_equal(noisy_latents[0], latents[0])
    changed = noisy_latents[1] != latents[1]
    # A class is replaced with probability 0.4, in a quarter of the cases by itself.
    assert abs(changed.mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / changed.size)
    kept = ~changed.repeat(3, axis=1).repeat(3, axis=2)
    noise = (noisy_X - X)[kept]
    assert abs(noise.mean()) < 5 * 0.5 / np.sqrt(len(noise))
    assert abs(noise.std() - 0.5) < 5 * 0.5 / np.sqrt(2 * len(noise))


def test_labels_are_flipped_to_any_other():
    clean, noisy = (
        HierarchicalSampler(1, n_labels=4, label_noise=p, random_state=0).fit() for p in (0, 1)
    )
    shift = (noisy.sample(9000)[1] - clean.sample(9000)[1]) % 4
    assert chi_square_is_small(np.bincount(shift, minlength=4), np.array([0, 1, 1, 1]) / 3)


def test_normal_draws_are_normal():
    draws = draw_normals(index_keys(0, np.arange(1000)), 101).ravel().astype(float)
    n = len(draws)
    for power, moment, variance in [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)]:
        assert abs((draws**power).mean() - moment) < 5 * np.sqrt(variance / n)
    pairs = draws.reshape(1000, 101)
    lag = (pairs[:, :50] * pairs[:, 51:]).mean()  # a pair has one radius and one angle
    assert abs(lag) < 5 / np.sqrt(50_000)


def test_samples_depend_on_seed_and_index_only():
    sampler = HierarchicalSampler(symbol_noise=0.1, pixel_noise=0.1, random_state=0).fit()
    X, y, latents = sampler.sample(1000, random_state=5, return_latents=True)
    fewer, labels = sampler.sample(100, random_state=5)
    assert_array_equal(fewer, X[:100])
    assert_array_equal(labels, y[:100])
    indices = [999, 3, 3, 500]
    drawn, labels, drawn_latents = sampler.sample_at(indices, random_state=5, return_latents=True)
    assert_array_equal(drawn, X[indices])
    assert_array_equal(labels, y[indices])
    assert_array_equal(drawn_latents[1], latents[1][indices])
    batches = list(sampler.iter_batches(1000, 300, random_state=5))
    assert [len(batch) for batch, _ in batches] == [300, 300, 300, 100]
    assert_array_equal(np.concatenate([batch for batch, _ in batches]), X)
    assert_array_equal(np.concatenate([labels for _, labels in batches]), y)
    threads = pickle.loads(pickle.dumps(sampler)).set_params(n_jobs=2)
    assert_array_equal(threads.sample(1000, random_state=5)[0], X)
    assert_array_equal(threads.score_samples(X), sampler.score_samples(X))
    assert not np.array_equal(sampler.sample(100, random_state=6)[0], fewer)
    assert_array_equal(sampler.sample(100)[0], sampler.sample(100)[0])


def test_far_indices_cost_no_more():
    sampler = HierarchicalSampler(random_state=0).fit()
    far, _ = sampler.sample_at([10**18])
    assert not np.array_equal(far, sampler.sample_at([10**18 + 1])[0])


def test_streams_are_the_same_in_any_order_and_any_parts():
    keys = index_keys(3, np.arange(10))
    whole = draw_integers(keys, 0, 9, 100)
    parts = [draw_integers(keys, first, n, 100) for first, n in [(0, 2), (2, 3), (5, 4)]]
    assert_array_equal(np.hstack(parts), whole)
    assert_array_equal(draw_integers(keys[[7, 2]], 0, 9, 100), whole[[7, 2]])


def test_more_than_two_labels_are_numbered_from_0():
    sampler = HierarchicalSampler(n_labels=5, random_state=0).fit()
    assert_array_equal(np.unique(sampler.sample(200)[1]), np.arange(5))


def test_levels_are_drawn_until_theta_and_lambda_are_reached():
    limits = {"min_theta": 1.4, "min_lambda": 0.2}
    for seed in range(5):
        exact = HierarchicalSampler(**limits, random_state=seed).fit().statistics()
        assert exact.theta >= 1.4
        assert exact.lambda_ >= 0.2
    with pytest.raises(ValueError, match=r"not reached in max_draws=20 draws: the best at level 1"):
        HierarchicalSampler(min_lambda=0.4, max_draws=20, random_state=0).fit()
    X = np.array([[[0, 0]], [[1, 1]]])
    with pytest.raises(ValueError, match="not reached in the given levels: the best at level 0"):
        HierarchicalSampler(min_lambda=2, random_state=0).fit(X, [0, 1])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_semantic_classes": 2, "patch_size": 2}, "needs 60 different patches, but only 16"),
        ({"pixel_patches": "orthonormal"}, "needs 120 orthonormal patches, but .* has 9 values"),
        ({"patches_per_class": [3, 3, 3]}, "has 3 entries, but n_levels=2"),
        ({"patches_per_class": 0}, "patches_per_class=0 is not valid"),
        ({"patches_per_class": [3, 0]}, "patches_per_class=0 is not valid: it takes an int >= 1"),
        ({"n_semantic_classes": 1.5}, "n_semantic_classes=1.5 is not valid"),
        ({"patch_size": [3, "x"]}, "patch_size='x' is not valid"),
        ({"root_shape": (0, 3)}, r"root_shape=\(0, 3\) is not valid"),
        (
            {"root_shape": (1, 1), "n_root_images": 9},
            "not different and linearly separable in any of max_draws=1000 draws",
        ),
        ({"n_levels": 0}, "n_levels"),
        ({"rule_weights": "pareto"}, "rule_weights='pareto' is not valid at level 0"),
        ({"rule_weights": -1.0}, "rule_weights=-1.0 is not valid"),
        ({"rule_weights": np.ones(29)}, r"of shape \(30,\) or \(4, 30\)"),
        ({"rule_weights": ["zipf"]}, "has 1 entries, but n_levels=2"),
        ({"rule_weights": np.zeros(30)}, "is not valid at level 0"),
        ({"overlap": 1.2}, "overlap=1.2 is not valid"),
        ({"overlap": [0.5, np.nan]}, "overlap=nan is not valid: it takes a finite number >= 0"),
        ({"symbol_noise": [0.1, 2]}, r"symbol_noise=\[0.1, 2\] is not valid"),
        ({"symbol_noise": np.eye(4).tolist()}, r"a matrix \(an array of two dimensions\)"),
        ({"symbol_noise": [0.1] * 3}, r"symbol_noise=.* has 3 entries, but n_levels=2"),
        ({"label_noise": -0.1}, "label_noise"),
        ({"pixel_noise": -1}, "pixel_noise=-1 is not valid: it takes 0, or a number from 1e-30"),
        (
            {"pixel_patches": "wavelets"},
            "pixel_patches='wavelets' .* 'gaussian', 'orthonormal' or 'one_hot', or an array",
        ),
        ({"pixel_patches": np.zeros((2, 3))}, r"pixel_patches .* of shape \(2, 3\)"),
        ({"pixel_patches": np.zeros((1, 2, 3, 3), complex)}, "pixel_patches is not valid"),
        ({"rule_weights": 1j}, "rule_weights=1j is not valid"),
        ({"pixel_patches": np.zeros((1, 2, 3, 3))}, "gives class 0 a patch twice"),
        ({"symbol_patches": [None, None]}, "each of the n_levels - 1 = 1 upper levels"),
        ({"symbol_patches": [np.ones((2, 2, 2))]}, r"symbol_patches\[0\] of shape \(2, 2, 2\)"),
        (
            {"symbol_patches": [np.arange(8).reshape(2, 2, 1, 2)]},
            r"holds the class 7, but level 1 has 4 classes, 0 to 3",
        ),
        (
            {"symbol_patches": [np.arange(4).reshape(2, 2, 1, 1)], "root": "label", "n_labels": 3},
            r"symbol_patches\[0\] has sets of patches for 2 semantic classes, but n_labels has 3",
        ),
    ],
)
def test_impossible_models_are_refused(params, message):
    sampler = HierarchicalSampler(**params)
    with pytest.raises(ValueError, match=message):
        sampler.fit()
    assert not hasattr(sampler, "patches_")


def test_invalid_images_and_arguments_are_refused():
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
    with pytest.raises(ValueError, match="batch_size=0"):
        sampler.iter_batches(10, 0)
    with pytest.raises(ValueError, match="indices of shape"):
        sampler.sample_at([-1])
    with pytest.raises(ValueError, match="X has 4 dimensions"):
        HierarchicalSampler().fit(np.zeros((2, 3, 3, 1), int), [0, 1])
    with pytest.raises(ValueError, match="indices is not an array"):
        sampler.sample_at([[1], [2, 3]])
    with pytest.raises(ValueError, match="return_latents='no' is not valid"):
        sampler.sample(1, return_latents="no")
    for not_valid in (-1, 0.5, "0", np.random):
        with pytest.raises(ValueError, match=r"random_state=.* is not valid"):
            sampler.sample(1, random_state=not_valid)

    with pytest.raises(ValueError, match="no patch of the level"):
        sampler.parse(np.full_like(X, 1e30))

    with pytest.raises(ValueError, match="pixel_patches is not valid"):
        HierarchicalSampler(1, pixel_patches=np.full((2, 2, 1, 1), 1e300)).fit()


def test_ints_of_numpy_are_accepted():
    params = {"n_levels": 1, "n_labels": 3, "n_root_images": 90, "root_shape": 16}
    as_numpy = {name: np.uint8(value) for name, value in params.items()}
    samples, same = (
        HierarchicalSampler(**p, random_state=0).fit().sample(300) for p in (params, as_numpy)
    )
    assert_array_equal(samples[0], same[0])
    params = {"patch_size": 3, "patches_per_class": 5, "n_channels": 200}
    as_numpy = {name: np.uint8(value) for name, value in params.items()}
    sampler, same = (
        HierarchicalSampler(1, pixel_patches="orthonormal", **p, random_state=0).fit()
        for p in (params, as_numpy)
    )
    assert_array_equal(sampler.patches_[0], same.patches_[0])
    sampler = HierarchicalSampler(1, patch_size=2, random_state=0).fit()
    batches = sampler.iter_batches(np.int16(300), np.uint8(100))
    assert [len(X) for X, _ in batches] == [100, 100, 100]


def test_noise_that_pixels_cannot_hold_is_refused():
    too_large = (1e300, 10**400, np.inf, np.float16(np.inf))
    no_number = (np.nan, "0.1", None, 1j, [0.1], np.array(0.1), np.array([0.1, 0.2]))
    for pixel_noise in (*too_large, 1e-31, 1e-170, -0.1, -np.inf, *no_number):
        with pytest.raises(ValueError, match=r"pixel_noise=.* is not valid: it takes 0, or a num"):
            HierarchicalSampler(pixel_noise=pixel_noise).fit()
    for pixel_noise in (0, 0.0, 1e-30, np.float32(0.5), np.float16(0.5), 1, np.int8(2)):
        sampler = HierarchicalSampler(1, pixel_noise=pixel_noise, random_state=0).fit()
        assert sampler.pixel_noise_ == float(pixel_noise)


# Valid values of every parameter that differ from the values of the fitted samplers below.
OTHER_VALUES = {
    "n_levels": [1, 5],
    "n_semantic_classes": [7],
    "patch_size": [(1, 2)],
    "patches_per_class": [2],
    "rule_weights": ["zipf"],
    "overlap": [1.0],
    "symbol_patches": [[None] * 4],
    "transitions": [[np.eye(4)]],
    "pixel_patches": ["one_hot"],
    "n_channels": [3],
    "root": ["label"],
    "n_labels": [6],
    "label_probabilities": [[0.9, 0.1]],
    "n_root_images": [1],
    "root_shape": [(5, 4)],
    "label_noise": [0.5],
    "symbol_noise": [0.7],
    "pixel_noise": [2.0],
    "min_theta": [3.0],
    "min_lambda": [9.0],
    "max_draws": [1],
    "n_jobs": [2],
    "random_state": [1],
}
FITTED_SAMPLERS = {
    "clean": lambda: HierarchicalSampler(patch_size=2, patches_per_class=3, random_state=0).fit(),
    "noisy": lambda: HierarchicalSampler(
        3,
        patch_size=2,
        patches_per_class=3,
        overlap=0.5,
        label_noise=0.2,
        symbol_noise=0.1,
        pixel_noise=0.5,
        random_state=0,
    ).fit(),
    "strings": lambda: HierarchicalSampler(1, patch_size=(1, 4), random_state=0).fit(
        [["a", "b"], ["b", "c"]], ["x", "y"]
    ),
}


def result_or_error(function, *args):
    try:
        return function(*args)
    except ValueError as error:
        return str(error)


def at_every_level(sampler, function):
    """Return the results at all levels, and the error at the level of pixels."""
    return [result_or_error(function, level) for level in range(len(sampler.level_shapes_))]


# Every public method and property, as a function of (sampler, images, semantic images).
CALLS = {
    "sample": lambda s, X, Z: s.sample(9, random_state=4, return_latents=True),
    "sample_at": lambda s, X, Z: s.sample_at([3, 10**9], random_state=4),
    "iter_batches": lambda s, X, Z: list(s.iter_batches(9, 4, random_state=4)),
    "to_dask": lambda s, X, Z: [a.compute() for a in s.to_dask(9, 4, random_state=4)],
    "to_torch_dataset": lambda s, X, Z: [
        part.numpy() for part in s.to_torch_dataset(9, random_state=4)[range(9)]
    ],
    "resample": lambda s, X, Z: s.resample([3, 10**9], 0, 5, random_state=4),
    "validity": lambda s, X, Z: s.validity(X),
    "transform": lambda s, X, Z: s.transform(Z),
    "inverse_transform": lambda s, X, Z: s.inverse_transform(X),
    "parse": lambda s, X, Z: s.parse(X),
    "parse_patches": lambda s, X, Z: s.parse_patches(X),
    "posterior": lambda s, X, Z: at_every_level(s, lambda level: s.posterior(X, level)),
    "score_samples": lambda s, X, Z: [s.score_samples(X), s.score_samples(Z)],
    "bayes_predict_proba": lambda s, X, Z: s.bayes_predict_proba(X),
    "bayes_predict": lambda s, X, Z: s.bayes_predict(X),
    "bayes_risk": lambda s, X, Z: s.bayes_risk(50, random_state=4),
    "sample_posterior": lambda s, X, Z: s.sample_posterior(X, n_draws=2, random_state=4),
    "next_symbol_proba": lambda s, X, Z: s.next_symbol_proba(
        s.sample(9, random_state=4, return_latents=True)[2][-1]
    ),
    "conditional_entropy": lambda s, X, Z: s.conditional_entropy(None, 50, random_state=4),
    "statistics": lambda s, X, Z: repr(s.statistics()),
    "check_assumptions": lambda s, X, Z: repr(s.check_assumptions()),
    "code_moments": lambda s, X, Z: at_every_level(s, s.code_moments),
    "pair_frequencies": lambda s, X, Z: at_every_level(
        s, lambda level: s.pair_frequencies(level, (0, 0))
    ),
    "expected_product": lambda s, X, Z: at_every_level(
        s,
        lambda level: (
            s.expected_product(level, np.full((len(s.patches_[level]), 1, 1), 0.5))
            if level < len(s.patches_)
            else s.expected_product(level, 0.5)
        ),
    ),
    "separator_": lambda s, X, Z: s.separator_,
    "margin_": lambda s, X, Z: s.margin_,
}


def test_the_next_law_covers_all_parameters_and_all_methods():
    sampler = HierarchicalSampler()
    assert set(OTHER_VALUES) == set(sampler.get_params())
    public = {name for name in dir(sampler.__class__) if not name.startswith("_")}
    fitting = {"fit", "fit_transform"}
    of_scikit_learn = {"get_params", "set_params", "set_output", "get_metadata_routing"}
    assert set(CALLS) == public - fitting - of_scikit_learn


@pytest.mark.parametrize("kind", FITTED_SAMPLERS)
@pytest.mark.parametrize(
    ("param", "value"), [(name, value) for name, values in OTHER_VALUES.items() for value in values]
)
def test_parameters_set_after_fit_change_no_result_until_the_next_fit(kind, param, value):
    sampler = FITTED_SAMPLERS[kind]()
    X, _, latents = sampler.sample(6, return_latents=True)
    Z = latents[0].reshape(len(X), -1) if kind == "strings" else latents[0]
    before = {name: result_or_error(call, sampler, X, Z) for name, call in CALLS.items()}
    sampler.set_params(**{param: value})
    after = {name: result_or_error(call, sampler, X, Z) for name, call in CALLS.items()}
    if param == "random_state":  # documented: `transform` uses it
        assert not np.array_equal(before.pop("transform"), after.pop("transform"))
    assert_equal(after, before)
