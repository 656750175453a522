"""Laws of samples without replacement."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skhier import HierarchicalSampler
from skhier.datasets import make_random_hierarchy

SMALL_MODELS = {  # parameters, and the number of derivations
    "labels": ({"n_levels": 2, "patch_size": (1, 2), "root": "label"}, 2 * 2 * 2**2),
    "one derivation of a label": ({"n_levels": 1, "patches_per_class": 1, "root": "label"}, 2),
    "images": ({"n_levels": 1, "root_shape": (2, 2), "n_root_images": 2}, 4 * 2**4),
    "strings": ({"n_levels": 2, "patch_size": [(1, 3), 1], "patches_per_class": [3, 2],
                 "n_labels": 5, "root": "label"}, 5 * 3 * 2**3),
    "one patch at some levels": ({"n_levels": 3, "patch_size": [(1, 2), (2, 1), 2],
                                  "patches_per_class": [3, 1, 2], "n_labels": 3, "root": "label"},
                                 3 * 3 * 2**4),
}  # fmt: skip
small_models = st.sampled_from(list(SMALL_MODELS))


def as_rows(X):
    return {row.tobytes() for row in X}


# Class 2 has one possible patch, so it chooses none.
SOME_CHOOSE = {
    "n_levels": 3,
    "symbol_patches": [
        [[[[0, 2, 1]], [[2, 0, 1]]], [[[0, 1, 2]], [[1, 0, 2]]]],
        [[[[0, 1]], [[1, 0]]], [[[1, 1]], [[0, 0]]], [[[0, 1]], [[2, 2]]]],
    ],
    "rule_weights": ["uniform", np.array([[1, 1], [1, 1], [0, 1]]), "uniform"],
    "pixel_patches": np.arange(3.0).reshape(3, 1, 1, 1),
    "root": "label",
}


def test_pixels_with_one_possible_patch_take_no_digit():
    sampler = HierarchicalSampler(**SOME_CHOOSE, random_state=0).fit()
    count = 2 * 2 * 2**2
    X, _ = sampler.sample(count, replace=False)
    assert len(as_rows(X)) == count == sampler.statistics().n_images[-1]
    independent, _ = sampler.sample(2000)
    assert as_rows(independent) == as_rows(X)


def test_pixels_that_choose_keep_their_patches_when_others_move():
    sampler = HierarchicalSampler(**SOME_CHOOSE, random_state=0).fit()
    *_, old = sampler.sample(200, return_latents=True)
    *_, new = sampler.resample(range(200), 0, 1, until=1, return_latents=True)
    for before, after, below_before, below_after in zip(old[1], new[1], old[2], new[2]):
        if (before[before < 2] == after[after < 2]).all():
            pairs = below_before.reshape(3, 2)[before[0] < 2]
            assert_array_equal(below_after.reshape(3, 2)[after[0] < 2], pairs)


def test_derivations_with_different_numbers_of_choices_are_refused():
    patches = [[[[0, 0, 1]], [[2, 0, 1]]], SOME_CHOOSE["symbol_patches"][0][1]]
    params = {**SOME_CHOOSE, "symbol_patches": [patches, SOME_CHOOSE["symbol_patches"][1]]}
    sampler = HierarchicalSampler(**params, random_state=0).fit()
    with pytest.raises(ValueError, match="patches of one set with different numbers of choices"):
        sampler.sample(2, replace=False)


@given(small_models, st.integers(0, 1000), st.integers(1, 500), st.sampled_from([1, 2]))
def test_all_derivations_are_drawn_once(model, seed, batch_size, n_jobs):
    params, count = SMALL_MODELS[model]
    sampler = HierarchicalSampler(**{"patches_per_class": 2, **params}, random_state=seed).fit()
    X, y = sampler.sample(count, random_state=seed, replace=False)
    assert len(as_rows(X)) == count == sampler.statistics().n_images[-1]
    _, n_of_label = np.unique(y, return_counts=True)
    assert len(set(n_of_label)) == 1
    # The parts of a sample are disjoint, and no batch size or number of threads changes them.
    n = count // 2 + 1
    sampler.set_params(n_jobs=n_jobs)
    batches = sampler.iter_batches(n, batch_size, random_state=seed, replace=False)
    assert_array_equal(np.concatenate([X for X, _ in batches]), X[:n])
    if n < count:
        rest, _ = sampler.sample(count - n, random_state=seed, replace=False, first=n)
        assert_array_equal(rest, X[n:])
    order = np.random.default_rng(seed).permutation(count)
    again, labels = sampler.sample_at(order, random_state=seed, replace=False)
    assert_array_equal(again, X[order])
    assert_array_equal(labels, y[order])
    with pytest.raises(ValueError, match=rf"n_samples={count} from first=1 .* {count} derivations"):
        sampler.sample(count, replace=False, first=1)
    with pytest.raises(ValueError, match=rf"indices up to {count} .* {count} derivations"):
        sampler.sample_at([0, count], replace=False)


def test_another_seed_is_another_order_of_the_same_derivations():
    sampler = make_random_hierarchy(1, depth=2, return_X_y=False, random_state=0).sampler
    first, second = (
        sampler.sample(512, random_state=s, output="symbols", replace=False)[0] for s in (1, 2)
    )
    assert (first == second).all(axis=1).mean() < 0.05
    assert as_rows(first) == as_rows(second)


def test_pairs_of_choices_are_equally_likely():
    sampler = make_random_hierarchy(1, depth=3, return_X_y=False, random_state=0).sampler
    n = 20_000  # of 8 * 4**7 = 131,072 derivations
    X, y = sampler.sample(n, replace=False)
    patches = sampler.parse_patches(X)[:3]
    choices = [y % 4, *np.hstack([level[:, 0] % 4 for level in patches]).T]
    for i, first in enumerate(choices):
        for second in choices[:i]:
            counts = np.bincount(4 * first + second, minlength=16)
            chi2 = ((counts - n / 16) ** 2 / (n / 16)).sum()
            assert chi2 < 15 + 5 * np.sqrt(30)


def test_models_with_more_than_2_to_the_63_derivations_repeat_none_of_the_first_choices():
    deep = HierarchicalSampler(4, n_semantic_classes=4, patch_size=2, patches_per_class=4,
                               root="label", random_state=0).fit()  # fmt: skip
    assert deep.statistics().n_images[-1] == 2 * 4**85
    # The root image and the first 31 patches are numbered: 2 * 4**31 = 2**63.
    X, _ = deep.sample(20_000, replace=False, first=2**63 - 20_000)
    patches = deep.parse_patches(X)
    numbered = np.hstack([level.reshape(len(X), -1) for level in patches])[:, :31]
    assert len(np.unique(numbered, axis=0)) == 20_000
    last = patches[-1].reshape(len(X), -1)[:, -1] % 4
    assert abs(np.bincount(last) / 20_000 - 1 / 4).max() < 5 * np.sqrt(3 / 16 / 20_000)
    with pytest.raises(ValueError, match=r"an index is at most 2\*\*63 - 1"):
        deep.sample(1, replace=False, first=2**63)


def test_patches_of_several_classes_make_different_derivations_equal_images():
    sampler = HierarchicalSampler(
        1, patch_size=(1, 2), patches_per_class=2, overlap=1.0, root="label", random_state=0
    ).fit()
    X, y = sampler.sample(4, replace=False)
    assert len(as_rows(X)) == 2
    assert sorted(y) == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"label_noise": 0.1}, "has noise"),
        ({"symbol_noise": [0.0, 0.1]}, "has noise"),
        ({"pixel_noise": 0.1}, "has noise"),
        ({"transitions": [np.full((4, 4), 1 / 4)], "patch_size": (1, 2)}, "has transitions"),
        ({"label_probabilities": [0.3, 0.7]}, "has root images that are not equally likely"),
        ({"rule_weights": "zipf"}, "has rule_weights that are not uniform"),
    ],
)
def test_models_whose_derivations_are_not_equally_likely_are_refused(params, message):
    sampler = HierarchicalSampler(random_state=0, **params).fit()
    for draw in (sampler.sample, sampler.iter_batches, sampler.to_dask, sampler.to_torch_dataset):
        with pytest.raises(ValueError, match=f"replace=False .* a model that {message}"):
            draw(5, replace=False)


def test_labels_with_different_numbers_of_root_images_are_refused():
    sampler = HierarchicalSampler(1, random_state=0).fit([[0, 1], [1, 0], [1, 1]], [0, 1, 1])
    with pytest.raises(ValueError, match="has root images that are not equally likely"):
        sampler.sample(1, replace=False)


def test_labels_are_equally_likely_up_to_rounding():
    p = np.array([1 / 3, 1 / 3, 1 - 2 / 3])
    assert np.ptp(p) > 0
    sampler = HierarchicalSampler(
        1, patches_per_class=2, root="label", n_labels=3, label_probabilities=p, random_state=0
    ).fit()
    X, _ = sampler.sample(6, replace=False)
    assert len(as_rows(X)) == 6
