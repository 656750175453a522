from math import pi

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skhier import HierarchicalSampler
from skhier.datasets import make_digits_hierarchy


@pytest.mark.parametrize("n_labels", [2, 3])
def test_frequencies_agree_with_monte_carlo(n_labels):
    sampler = HierarchicalSampler(
        3,
        n_semantic_classes=[4, 3, 5],
        patches_per_class=[3, 4, 2],
        patch_size=[2, (1, 3), 1],
        rule_weights=["zipf", "uniform", 2.0],
        overlap=[0.0, 0.5, 0.0],
        n_labels=n_labels,
        label_noise=0.1,
        symbol_noise=[0.0, 0.2, 0.1],
        random_state=0,
    ).fit()
    exact = sampler.statistics()
    n = 40_000
    _, y, latents = sampler.sample(n, return_latents=True)
    indicators = y[:, None] == sampler.classes_
    centred = indicators - 1 / n_labels
    for level, image in zip(exact.levels, latents):
        for c in range(len(level.labeled_frequencies)):
            is_c = image == c
            if n_labels == 2:
                values = y[:, None, None] * is_c
            else:
                values = centred[:, :, None, None] * is_c[:, None]
            error = values.mean(axis=0) - level.labeled_frequencies[c]
            standard_error = values.std(axis=0) / np.sqrt(n)
            # Of the many pixels and classes, 1 % may differ by more than 4 standard errors.
            beyond = np.abs(error) > 4 * standard_error + 1e-12
            assert beyond.mean() < 0.01
            assert (np.abs(error) < 6 * standard_error + 1e-12).all()
            for label in range(n_labels):
                p = level.class_frequencies[label, c]
                seen = is_c[indicators[:, label]].mean(axis=0)
                spread = np.sqrt(p * (1 - p) / indicators[:, label].sum())
                assert (np.abs(seen - p) < 6 * spread + 1e-12).all()


def test_angles_norms_and_distances_are_computed_from_the_labeled_frequencies():
    exact = HierarchicalSampler(random_state=0).fit().statistics()
    for level in exact.levels:
        F = level.labeled_frequencies.reshape(4, -1)
        pairs = [(a, b) for a in range(4) for b in range(a)]
        cosines = [F[a] @ F[b] / np.linalg.norm(F[a]) / np.linalg.norm(F[b]) for a, b in pairs]
        assert_allclose(level.theta, np.arccos(max(cosines)))
        assert_allclose(level.min_abs_sin, np.sqrt(1 - np.max(np.square(cosines))))
        assert_allclose(level.lambda_, np.linalg.norm(F, axis=1).min())
        assert_allclose(level.delta_min, min(np.linalg.norm(F[a] - F[b]) for a, b in pairs))
        assert_allclose(F.sum(axis=0), 0, atol=1e-15)  # labels are balanced
    assert exact.theta == min(level.theta for level in exact.levels)


@pytest.mark.parametrize("label_probabilities", [None, [0.3, 0.7], [0.2, 0.3, 0.5]])
def test_label_noise_is_an_exact_factor_of_the_labeled_frequencies(label_probabilities):
    n_labels = 2 if label_probabilities is None else len(label_probabilities)
    params = {"n_labels": n_labels, "label_probabilities": label_probabilities, "random_state": 0}
    clean = HierarchicalSampler(**params).fit()
    half = (n_labels - 1) / n_labels  # a label of this noise says nothing
    for noise in (0.1, half - 1e-6, half - 2.0**-44, half + 2.0**-44, 1.0):
        noisy = HierarchicalSampler(label_noise=noise, **params).fit()
        factor = 1 - n_labels / (n_labels - 1) * noise
        for i, (level, without) in enumerate(
            zip(noisy.statistics().levels, clean.statistics().levels)
        ):
            F = factor * without.labeled_frequencies
            assert_allclose(level.labeled_frequencies, F, rtol=1e-12, atol=1e-16 * abs(factor))
            assert_allclose(noisy.code_moments(i), factor * clean.code_moments(i), rtol=1e-12)
            for name in ("lambda_", "delta_min"):
                assert_allclose(getattr(level, name), abs(factor) * getattr(without, name))
            assert_allclose((level.theta, level.min_abs_sin), (without.theta, without.min_abs_sin))
    useless = HierarchicalSampler(label_noise=0.5, random_state=0).fit().statistics()
    assert (useless.lambda_, useless.theta, useless.min_abs_sin, useless.delta_min) == (0, 0, 0, 0)


def test_two_classes_are_antiparallel():
    exact = HierarchicalSampler(n_semantic_classes=2, random_state=1).fit().statistics()
    for level in exact.levels:
        assert_allclose(level.theta, pi)
        assert level.min_abs_sin < 1e-12
        assert_allclose(level.delta_min, 2 * level.lambda_)


def test_a_class_without_a_label_has_no_angle():
    # Both labels have class 1 at the second pixel.
    X = np.array([[[0, 1]], [[2, 1]]])
    level = HierarchicalSampler(1, random_state=0).fit(X, [0, 1]).statistics().levels[0]
    assert level.lambda_ == 0
    assert level.theta == 0
    assert level.min_abs_sin == 0


def test_numbers_of_images_and_entropies_of_digits_are_the_numbers_of_section_3_2():
    exact = make_digits_hierarchy(1, target="digit", return_X_y=False).sampler.statistics()
    # Section 3.2: 4^9 images of a digit at the first level, 4^90 at the last.
    assert exact.n_images == [9, 9 * 4**9, 9 * 4**90]
    assert_allclose(exact.entropy, [np.log(9) + k * np.log(4) for k in (0, 9, 90)])


def test_numbers_of_images_and_entropies_agree_with_samples():
    sampler = HierarchicalSampler(
        2,
        n_semantic_classes=[3, 2],
        patches_per_class=[2, 3],
        patch_size=[(1, 3), 1],
        rule_weights=[np.array([[1, 0], [1, 2], [2, 3]]), np.array([2, 0, 3])],
        root_shape=(1, 2),
        n_root_images=2,
        random_state=0,
    ).fit()
    X, _ = sampler.sample(300_000)
    images, counts = np.unique(X.reshape(len(X), -1), axis=0, return_counts=True)
    exact = sampler.statistics()
    assert exact.n_images[-1] == len(images)
    p = counts / counts.sum()
    bias = len(images) / 2 / len(X)  # bias of the empirical entropy (Miller and Madow, 1955)
    spread = np.sqrt((p * np.log(p) ** 2).sum() / len(X))
    assert abs(-(p * np.log(p)).sum() + bias - exact.entropy[-1]) < 5 * spread


def test_numbers_of_images_of_unequal_classes_are_sums_of_products():
    # At level 1, classes 0, 1 and 2 have 1, 2 and 3 images. Class 0 of level 0 becomes (0, 1) or
    # (2, 1), class 1 becomes (2, 2), (1, 0) or, with weight 0, (0, 0).
    symbols = np.array([[[[0, 1]], [[2, 1]], [[1, 1]]], [[[2, 2]], [[1, 0]], [[0, 0]]]])
    weights = [
        np.array([[1, 1, 0], [1, 1, 0]]),
        np.array([[1, 0, 0], [1, 1, 0], [1, 1, 1]]),
    ]
    sampler = HierarchicalSampler(
        symbol_patches=[symbols], n_semantic_classes=3, patches_per_class=3, rule_weights=weights
    ).fit([[[0, 1]], [[1, 1]]], [0, 1])
    of_0, of_1 = 1 * 2 + 3 * 2, 3 * 3 + 2 * 1
    assert sampler.statistics().n_images == [2, 2 * 2 + 2 * 2, of_0 * of_1 + of_1 * of_1]


def test_the_number_of_images_of_ten_levels_is_exact():
    sampler = HierarchicalSampler(
        10, patch_size=2, patches_per_class=3, root_shape=(1, 2), n_root_images=1, random_state=0
    ).fit()
    n_pixels = 2 * sum(4**level for level in range(10))
    assert sampler.statistics().n_images[-1] == 2 * 3**n_pixels


def test_logarithms_of_expected_products_do_not_underflow():
    # Half of the classes have the factor 1, so the expectation is positive; it is the mean of
    # 1 / 2 to the power of the number of pixels of the other classes.
    sampler = HierarchicalSampler(
        3, patches_per_class=5, rule_weights="zipf", symbol_noise=[0.1, 0.0, 1.0], random_state=0
    ).fit()
    factors = np.random.default_rng(0).uniform(0.5, 1.5, size=(2, 4, 27, 27))
    for level, size in enumerate([3, 9, 27]):
        few = factors[..., :size, :size]
        expected = sampler.expected_product(level, few)
        assert_allclose(sampler.expected_product(level, few, log=True), np.log(expected))
        # A factor of all pixels is a factor of the product: 1e-9 ** 81 underflows.
        tiny = sampler.expected_product(level, few * 1e-9, log=True)
        assert_allclose(tiny, np.log(expected) + size**2 * np.log(1e-9))
    zero = np.zeros((4, 1, 1))
    assert (sampler.expected_product(1, zero, log=True) == -np.inf).all()
    with pytest.raises(ValueError, match="factors holds the negative number -1; with log=True"):
        sampler.expected_product(1, zero - 1, log=True)
    with pytest.raises(ValueError, match="log='e' is not valid"):
        sampler.expected_product(1, zero, log="e")


def test_the_factors_of_all_pixels_can_be_given_once():
    sampler = HierarchicalSampler(
        3,
        patch_size=[2, (1, 2), (2, 1)],
        patches_per_class=2,
        root_shape=(1, 2),
        symbol_noise=0.1,
        random_state=0,
    ).fit()
    once = np.array([0.9, 1.1, 0.8, 1.0]).reshape(4, 1, 1)
    for level, shape in enumerate(sampler.level_shapes_[:-1]):
        at_each = np.broadcast_to(once, (4, *shape))
        for log in (False, True):
            expected = sampler.expected_product(level, at_each, log=log)
            assert_allclose(sampler.expected_product(level, once, log=log), expected)


def test_unknown_numbers_of_images_and_entropies_are_none():
    ambiguous = HierarchicalSampler(overlap=[0.0, 0.5], random_state=0).fit().statistics()
    assert [n is None for n in ambiguous.n_images] == [False, False, True]
    noisy = HierarchicalSampler(symbol_noise=[0.0, 0.1], random_state=0).fit().statistics()
    assert [h is None for h in noisy.entropy] == [False, True, True]
    assert "?" in repr(noisy)


def test_a_deep_model_has_a_readable_table():
    sampler = HierarchicalSampler(
        6, n_semantic_classes=16, patches_per_class=8, patch_size=2, root_shape=(2, 2)
    ).fit()
    exact = sampler.statistics()
    assert exact.n_images[-1] == 8 * 8 ** (4 * sum(4**i for i in range(6)))
    assert len(repr(exact).splitlines()) == 8


def test_appendix_D_meets_all_assumptions_but_the_last():
    report = HierarchicalSampler(random_state=0).fit().check_assumptions()
    assert [check.holds for check in report] == [True, True, True, False]
    assert not report.all_hold
    assert repr(report).count("holds") == 3


def test_all_assumptions_can_hold():
    sampler = HierarchicalSampler(
        1, n_semantic_classes=3, patches_per_class=3, pixel_patches="orthonormal", random_state=0
    )
    assert sampler.fit().check_assumptions().all_hold


def test_failed_assumptions_are_reported_with_evidence():
    two = HierarchicalSampler(n_semantic_classes=2, random_state=1).fit().check_assumptions()
    assert not two[2].holds
    assert "differ all the same" in two[2].evidence
    shared = HierarchicalSampler(overlap=[0.5, 0.0], random_state=0).fit().check_assumptions()
    assert not shared[1].holds
    # 15 patches of all four classes, and 15 of each class.
    assert shared[1].evidence.endswith("in more than one set: 15 of 75 at level 0")
    flipped = HierarchicalSampler(label_noise=0.1, random_state=0).fit().check_assumptions()
    assert not flipped[0].holds


def test_sets_that_share_only_patches_of_probability_0_are_disjoint():
    patches = np.array([[[[0, 1]], [[1, 0]]], [[[1, 1]], [[0, 1]]]])
    options = {"patch_size": [(1, 2), 3], "patches_per_class": [2, 30], "random_state": 0}
    sampler = HierarchicalSampler(symbol_patches=[patches], **options)
    for unlikely, holds in ((0.1, False), (0.0, True)):
        sampler.set_params(rule_weights=[np.array([1 - unlikely, unlikely]), "uniform"])
        assert sampler.fit().check_assumptions()[1].holds == holds


def test_noise_of_pixels_leaves_no_number_of_images_and_noise_of_the_root_no_separation():
    exact = HierarchicalSampler(pixel_noise=0.5, random_state=0).fit().statistics()
    assert (exact.n_images[-1], exact.entropy[-1]) == (None, None)
    assert None not in exact.n_images[:-1]
    noisy = HierarchicalSampler(
        symbol_noise=[0.5, 0.0], patch_size=2, root_shape=(2, 2), random_state=0
    ).fit()
    assert noisy.bayes_risk(2000, random_state=0).risk > 0.05
    assert not noisy.check_assumptions()[0].holds
    assert "symbols of X^(0) have noise" in noisy.check_assumptions()[0].evidence
    below = HierarchicalSampler(symbol_noise=[0.0, 0.5], random_state=0).fit()
    assert below.check_assumptions()[0].holds


def test_a_product_that_overflows_for_one_label_is_exact_for_the_other():
    sampler = HierarchicalSampler(
        1, n_semantic_classes=2, root_shape=(1, 3), patches_per_class=1, random_state=0
    ).fit([[[0, 0, 0]], [[1, 1, 1]]], [0, 1])
    with np.errstate(over="ignore"):
        expected = sampler.expected_product(0, [[[1e200]], [[0.5]]])
    assert expected.tolist() == [np.inf, 0.125]


def test_patches_that_are_never_drawn_break_no_assumption():
    pixels = (np.eye(4)[[0, 1, 2, 2]] * [[1], [1], [1], [9]]).reshape(2, 2, 2, 2)
    sampler = HierarchicalSampler(
        1, n_semantic_classes=2, pixel_patches=pixels, random_state=0,
        rule_weights=[np.array([[0.5, 0.5], [1, 0]])],
    ).fit()  # fmt: skip
    assert sampler.check_assumptions()[3].holds
    sampler.set_params(rule_weights="uniform")
    assert not sampler.fit().check_assumptions()[3].holds
