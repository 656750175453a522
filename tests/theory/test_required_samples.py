"""Numbers of images: exact moments and coverage, and a proved number on simulated counts.

Counts are simulated from the tables of the model, without the exact statistics of the sampler.
"""

import re
from math import log
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar
from scipy.special import comb
from scipy.stats import binom

from skhier import HierarchicalSampler
from skhier.datasets import make_random_hierarchy
from skhier.theory import (
    coverage_probability,
    embedding_moments,
    grouping_probability,
    necessary_samples,
    required_samples,
    rhm_sample_complexity,
    separate_codes,
    theorem1_params,
    theorem2_params,
)
from skhier.theory._cells import cell_probabilities
from skhier.theory._power import _log_moments, _log_moments_of_one_cell, smallest_count


def small_model(**params):
    settings = {"patches_per_class": 3, "patch_size": 2, "root_shape": (2, 2), "random_state": 0}
    return HierarchicalSampler(**settings | params).fit()


def draw_codes(sampler, level, n, seed):
    """Draw n images; return the code at each position, and the index of the label."""
    rng = np.random.default_rng(seed)
    label = rng.choice(len(sampler.classes_), size=n, p=sampler.label_probabilities_)
    roots_of_label = [np.flatnonzero(sampler.root_labels_ == name) for name in sampler.classes_]
    classes = sampler.root_images_[[rng.choice(roots_of_label[index]) for index in label]]
    for i, table in enumerate(sampler.patches_):
        k = table.shape[1]
        cumulative = np.cumsum(sampler.rule_weights_[i], axis=1)[:, :-1]
        choice = (rng.random((*classes.shape, 1)) > cumulative[classes]).sum(axis=-1)
        if i == level:
            return (classes * k + choice).reshape(n, -1), label
        below = table[classes, choice].swapaxes(2, 3)
        classes = below.reshape(n, classes.shape[1] * table.shape[2], -1)


def draw_counts(sampler, level, n, n_runs, seed):
    """Count the images of each run of n that show a code: (run, label, code, position)."""
    codes, label = draw_codes(sampler, level, n * n_runs, seed)
    n_labels, n_codes = len(sampler.classes_), sampler.rule_weights_[level].size
    run = np.arange(n * n_runs) // n
    first = ((run * n_labels + label)[:, None] * n_codes + codes) * codes.shape[1]
    shape = n_runs, n_labels, n_codes, codes.shape[1]
    cells = (first + np.arange(codes.shape[1])).ravel()
    return np.bincount(cells, minlength=np.prod(shape)).reshape(shape)


@pytest.mark.parametrize(
    ("params", "level"),
    [
        ({}, 1),
        ({"n_labels": 3}, 1),
        ({"rule_weights": "zipf"}, 0),
        ({"label_probabilities": [0.2, 0.8]}, 1),
        ({"n_labels": 3, "label_probabilities": [0.1, 0.2, 0.7]}, 0),
    ],
)
def test_second_moments_of_code_means_are_exact(params, level):
    sampler, n, n_runs = small_model(**params), 20, 8000
    counts = draw_counts(sampler, level, n, n_runs, seed=1)
    if counts.shape[1] == 2:
        means = (counts[:, 1] - counts[:, 0])[:, None] / n  # y is -1 or 1
    else:
        means = (counts - counts.mean(axis=1, keepdims=True)) / n
    distances = ((means[:, :, :1] - means) ** 2).sum(axis=(1, 3))  # to the first code
    exact = embedding_moments(sampler, level, n_samples=n)
    error = distances.std(axis=0) / np.sqrt(n_runs)
    assert (np.abs(distances.mean(axis=0) - exact[0]) <= 5 * error).all()
    # The sum over codes is so precise that an error of 5 % in the noise term is detected.
    noise = exact[0] - embedding_moments(sampler, level, n_samples=10**9)[0] * (1 - 1 / n)
    total = distances.sum(axis=1)
    assert abs(total.mean() - exact[0].sum()) < 0.05 * noise.sum()
    assert 0.05 * noise.sum() > 5 * total.std() / np.sqrt(n_runs)


def test_on_few_images_the_signal_is_less_by_one_over_N():
    # Without the term |d|^2 / N, the expected total would be off by 10 errors and more.
    sampler, n, n_runs = small_model(patches_per_class=1, n_root_images=1), 2, 8000
    counts = draw_counts(sampler, 0, n, n_runs, seed=5)
    means = (counts[:, 1] - counts[:, 0]) / n
    total = ((means[:, :1] - means) ** 2).sum(axis=(1, 2))
    exact, signal = (embedding_moments(sampler, 0, n_samples=m)[0].sum() for m in (n, 10**9))
    error = total.std() / np.sqrt(n_runs)
    assert abs(total.mean() - exact) <= 5 * error + 1e-12
    assert signal / n > 10 * error


@pytest.mark.parametrize("p", [None, [0.1, 0.9]])
def test_coverage_is_exact(p):
    sampler = small_model(patches_per_class=8, label_probabilities=p)
    n, n_runs = 4, 8000
    for level in (0, 1):
        counts = draw_counts(sampler, level, n, n_runs, seed=2)
        seen = counts.any(axis=(1, 3)).sum(axis=0)
        p = coverage_probability(sampler, level, n_samples=n).ravel()
        tails = binom.cdf(seen, n_runs, p), binom.sf(seen - 1, n_runs, p)
        assert np.minimum(*tails).min() > 1e-6
        # The total number of missing patches is so precise that 5 % more or less of 1 / k is seen.
        missing = (~counts.any(axis=(1, 3))).sum(axis=1)
        error = missing.std() / np.sqrt(n_runs)
        assert abs(missing.mean() - (1 - p).sum()) < 4 * error


@pytest.mark.parametrize("noise", [[0.0, 0.4], [0.3, 0.0], [0.2, 0.3]])
def test_moments_and_coverage_are_of_the_patches_that_noisy_images_show(noise):
    sampler = HierarchicalSampler(
        2, n_semantic_classes=[2, 3], patches_per_class=2, patch_size=[(1, 2), 1],
        root_shape=(1, 2), n_root_images=1, symbol_noise=noise, pixel_patches="one_hot",
        n_channels=8, random_state=1,
    ).fit()  # fmt: skip
    n, n_runs = 2, 8000
    _, y, latents = sampler.sample(n * n_runs, return_latents=True, random_state=2)
    seen = latents[1].reshape(-1, 2, 2)  # two patches of two symbols
    shows = (seen[:, None] == sampler.patches_[0].reshape(1, 4, 1, 2)).all(axis=3)
    shown = shows.reshape(n_runs, n, 4, 2).any(axis=(1, 3))
    p = coverage_probability(sampler, 0, n_samples=n).ravel()
    assert (np.abs(shown.mean(axis=0) - p) < 5 * np.sqrt(p * (1 - p) / n_runs)).all()
    means = (y[:, None, None] * shows).reshape(n_runs, n, 4, 2).mean(axis=1)
    distances = ((means[:, :, None] - means[:, None]) ** 2).sum(axis=3)
    error = distances.std(axis=0) / np.sqrt(n_runs)
    exact = embedding_moments(sampler, 0, n_samples=n)
    assert (np.abs(distances.mean(axis=0) - exact) <= 5 * error).all()


def test_moments_of_shown_patches_need_a_known_confusion():
    noise = {"symbol_noise": [0, 0.2], "pixel_noise": 0.1}
    for function in (embedding_moments, coverage_probability):
        with pytest.raises(ValueError, match="the confusion of its codes depends on"):
            function(small_model(**noise), 0, n_samples=10)
        assert function(small_model(**noise), 1, n_samples=10).size


def test_expected_products_are_the_means_of_samples_with_noise_and_weights():
    sampler = small_model(symbol_noise=[0.1, 0.3], rule_weights="zipf")
    factors = np.random.default_rng(0).uniform(0.6, 1.4, size=(2, 4, 4, 4))
    _, y, latents = sampler.sample(20_000, return_latents=True, random_state=1)
    rows, columns = np.indices((4, 4))
    products = factors[:, latents[1], rows, columns].prod(axis=(2, 3))
    for label, expected in zip(sampler.classes_, sampler.expected_product(1, factors)):
        drawn = products[:, y == label]
        error = drawn.std(axis=1) / np.sqrt(drawn.shape[1])
        assert (np.abs(drawn.mean(axis=1) - expected) < 5 * error).all()
        assert (error < 0.02 * expected).all()


@pytest.mark.parametrize("bad", [np.ones((3, 4, 4)), np.ones((4, 4)), np.full((4, 1, 1), np.nan)])
def test_factors_of_a_wrong_shape_or_nan_are_refused(bad):
    with pytest.raises(ValueError, match="factors"):
        small_model().expected_product(1, bad)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 1000, 2**60])
def test_the_smallest_count_is_the_first_that_holds(n):
    assert smallest_count(lambda m: m >= n) == n
    with pytest.raises(OverflowError, match="the number of images is too large"):
        smallest_count(lambda m: m > 2**60)


@pytest.mark.parametrize(("n_classes", "n_draws"), [(2, 500), (4, 200)])
def test_the_closed_form_for_random_hierarchies_is_within_three_percent(n_classes, n_draws):
    v, m, s, depth = 4, 2, 2, 3
    between = within = 0.0
    for seed in range(n_draws):
        sampler = make_random_hierarchy(
            1, n_classes=n_classes, vocabulary_size=v, n_synonyms=m, tuple_size=s, depth=depth,
            return_X_y=False, random_state=seed,
        ).sampler  # fmt: skip
        moments = embedding_moments(sampler, depth - 1, n_samples=10**9)
        noise = embedding_moments(sampler, depth - 1, n_samples=1)
        a, b = np.triu_indices(v, k=1)
        between += moments.reshape(v, m, v, m)[a, 0, b, 0].mean()
        within += noise.reshape(v, m, v, m)[a, 0, b, 0].mean()
    predicted = rhm_sample_complexity(n_classes, v, m, s, depth)
    assert_allclose(within / between, predicted, rtol=0.03)


def is_complete(sampler, counts, delta):
    """Whether the certificate separates all codes of different classes and no others."""
    separation = separate_codes(counts.swapaxes(0, 1), delta=delta / 2, equally_likely=True)
    classes = np.arange(counts.shape[1]) // sampler.rule_weights_[0].shape[1]
    return np.array_equal(separation.different, classes[:, None] != classes)


@pytest.mark.parametrize("params", [{}, {"n_labels": 3}, {"patches_per_class": 2}])
def test_the_certificate_is_complete_at_the_proved_number_and_twice_the_prediction(params):
    sampler, delta, n_runs = small_model(**params), 0.1, 30
    proved = required_samples(sampler, delta, "rigorous", level=1)
    predicted = required_samples(sampler, delta, "certificate", level=1)
    assert predicted <= proved <= 12 * predicted
    for n, complete in [(proved, True), (2 * predicted, True), (predicted // 4, False)]:
        runs = draw_counts(sampler, 1, n, n_runs, seed=n)
        failures = sum(not is_complete(sampler, counts, delta) for counts in runs)
        if complete:  # at a rate of delta, exceeded with probability 1e-4
            assert failures <= binom.isf(1e-4, n_runs, delta)
        else:  # at a rate of delta, exceeded with probability 1e-6
            assert failures > binom.isf(1e-6, n_runs, delta)


@pytest.mark.parametrize("params", [{}, {"n_labels": 3}, {"patches_per_class": 2}])
def test_at_the_predicted_number_the_certificate_misses_no_pair_more_often_than_predicted(params):
    # If the mean of the evidence only just sufficed, every other pair would be missed.
    sampler, delta, n_runs = small_model(**params), 0.3, 100
    n = required_samples(sampler, delta, "certificate", level=1)
    k, n_codes = sampler.patches_[1].shape[1], sampler.rule_weights_[1].size
    x = log(n_codes * (n_codes - 1) / (2 * delta))
    for images, is_enough in [(n, True), (n // 2, False)]:
        missed = np.zeros((n_codes, n_codes))
        for counts in draw_counts(sampler, 1, images, n_runs, seed=6):
            table = counts.swapaxes(0, 1)
            missed += separate_codes(table, delta=delta, equally_likely=True).log_p > -x
        rate = missed.reshape(n_codes // k, k, -1, k).mean(axis=(1, 3)) / n_runs
        np.fill_diagonal(rate, 0)
        assert (rate.max() < 2 * delta / k**2) == is_enough


def test_the_proved_number_is_the_least_that_meets_the_theorem():
    # The condition of the theorem, pair by pair, with the best rate in place of a grid of rates.
    sampler, delta = small_model(n_semantic_classes=3), 0.1
    k, C, L, G = 3, 3, 2, 32
    cells = sampler.statistics().levels[1].class_frequencies / L  # label, class, row, column
    H = 3 * (k**2 * (G + 3) + G + 1)
    t, x = log(2 * H / delta), log(2 * C * k * (C * k - 1) / delta)

    def holds(N, c, e):
        r, Delta = cells[:, c] + cells[:, e], cells[:, c] - cells[:, e]
        u = Delta / np.linalg.norm(Delta)

        def minus_B(log_rate):
            rate, moment = np.exp(log_rate), 0.0
            for label in range(L):
                factors = np.ones((C, 4, 4))
                factors[c], factors[e] = np.exp(-rate * u[label]), np.exp(rate * u[label])
                moment += sampler.expected_product(1, factors)[label] / L
            return (N * np.log(moment) + t) / (rate * k)

        B = -minimize_scalar(minus_B, bounds=(-8, 2), method="bounded").fun
        n, w = (mean + np.sqrt(2 * t * mean) + t / 3 for mean in (N * r, N * r / k))
        V, mu = n / k * (1 - 1 / k), n.sum() / k
        h = np.sqrt(2 * t * V.max()) + t / 3
        right = mu / k + np.sqrt(2 * t * mu) + t / 3 + np.sqrt(2 * t * (3 * V**2 + V).sum())
        right += 2 * np.sqrt(x * (w**2).sum()) + 2 * x * w.max()
        return h <= B and B * (B - 2 * h) >= right

    N = required_samples(sampler, delta, "rigorous", level=1)
    pairs = [(0, 1), (0, 2), (1, 2)]
    assert all(holds(N, *pair) for pair in pairs)
    assert not all(holds(int(0.995 * N), *pair) for pair in pairs)


def test_the_bound_on_the_mean_of_counts_holds_and_is_nearly_reached():
    # Step c of the proof, at a small t, where the bound must be nearly reached.
    sampler, n, n_runs, t = small_model(), 60, 2000, log(20)
    cells = cell_probabilities(sampler, 1)
    log_moments, rates = _log_moments(sampler, 1, cells)
    codes, label = draw_codes(sampler, 1, n * n_runs, seed=3)
    for (c, e), psi, rate in zip(np.transpose(cells.pairs), log_moments, rates):
        mean = cells.probabilities[c] - cells.probabilities[e]
        u = mean / np.linalg.norm(mean)
        classes = codes // cells.k
        Y = ((classes == c).astype(int) - (classes == e)) * u[label]
        total = Y.sum(axis=1).reshape(n_runs, n).sum(axis=1)
        assert_allclose(total.mean(), n * np.linalg.norm(mean), atol=5 * total.std() / n_runs**0.5)
        lowest = ((-n * psi - t) / rate).max()
        n_below = (total < lowest).sum()
        assert n_below <= binom.isf(1e-6, n_runs, 1 / 20)
        assert (total < total.mean() - 0.5 * (total.mean() - lowest)).sum() > n_runs / 20


@pytest.mark.parametrize("method", ["rigorous", "certificate", "cluster", "snr"])
def test_the_whole_algorithm_needs_at_least_the_images_of_each_level_and_coverage(method):
    sampler, delta = small_model(patches_per_class=[8, 2]), 0.05
    n = required_samples(sampler, delta, method)
    assert n >= required_samples(sampler, delta, method, level=1)
    assert n >= required_samples(sampler, 0.2, method)
    unseen = sum((1 - coverage_probability(sampler, i, n_samples=n)).sum() for i in (0, 1))
    assert unseen <= delta
    # With a single level, 'snr' groups no patches: the number is for coverage and the head.
    assert required_samples(small_model(n_levels=1), delta, "snr") > 1


def test_lower_bounds_are_at_most_the_numbers_that_suffice():
    sampler, delta = small_model(patches_per_class=6), 0.1
    covered = necessary_samples(sampler, delta)
    # With one image fewer, a patch of the level is missing more often than delta.
    level = max((0, 1), key=lambda i: necessary_samples(sampler, delta, level=i))
    n, n_runs = covered - 1, 2000
    counts = draw_counts(sampler, level, n, n_runs, seed=4)
    missing = (~counts.any(axis=(1, 3))).any(axis=1).sum()
    assert missing > binom.ppf(1e-6, n_runs, delta)
    for method in ("pixels", "gaussian"):
        assert necessary_samples(sampler, delta, method) <= required_samples(sampler, delta)


@pytest.mark.parametrize("delta", [0.05, 0.5, 0.9])
def test_the_coverage_bound_is_below_the_exact_number_of_coupons(delta):
    # One pixel: each image shows one of K patches, all equally likely.
    K = 16
    sampler = small_model(n_levels=1, n_semantic_classes=2, patches_per_class=K // 2,
                          root_shape=(1, 1), n_root_images=1)  # fmt: skip
    j = np.arange(1, K + 1)
    signs = -((-1.0) ** j) * comb(K, j)
    exact = next(n for n in range(1, 1000) if signs @ (1 - j / K) ** n <= delta)
    assert 0.6 * exact <= necessary_samples(sampler, delta) <= exact


@pytest.mark.parametrize("method", ["rigorous", "certificate", "cluster", "snr"])
def test_no_method_needs_fewer_images_of_a_level_than_every_algorithm(method):
    # Six symbols, and two pairs of them for each: at level 0, means tell classes apart before all
    # patches are seen.
    sampler = make_random_hierarchy(
        1, n_classes=6, vocabulary_size=6, n_synonyms=2, tuple_size=2, depth=2, return_X_y=False,
        random_state=0,
    ).sampler  # fmt: skip
    for level in (0, 1):
        covered = necessary_samples(sampler, 0.05, level=level)
        assert required_samples(sampler, 0.05, method, level=level) >= covered
    assert required_samples(sampler, 0.05, "snr", level=0) == necessary_samples(sampler, level=0)


@pytest.mark.parametrize("method", ["cluster", "snr"])
def test_one_patch_a_class_has_only_to_be_seen(method):
    sampler, delta, n_runs = small_model(patches_per_class=1), 0.1, 2000
    n = required_samples(sampler, delta, method, level=0)
    assert n >= necessary_samples(sampler, delta, level=0)
    counts = draw_counts(sampler, 0, n, n_runs, seed=7)
    n_missing = (~counts.any(axis=(1, 3))).any(axis=1).sum()
    assert n_missing <= binom.isf(1e-6, n_runs, delta)
    assert (1 - coverage_probability(sampler, 0, n_samples=n - 1)).sum() > delta


def two_shown_codes():
    """Return a model of two patches: every image shows both, in an order that is the label."""
    return HierarchicalSampler(1, n_semantic_classes=2, patches_per_class=1).fit(
        [[0, 1], [1, 0]], [-1, 1]
    )


def test_one_patch_a_class_needs_no_grouping_and_one_image_covers_what_is_always_shown():
    sampler = two_shown_codes()  # the classes have no pixel in common
    for method in ("coverage", "pixels"):
        assert necessary_samples(sampler, 0.05, method) == 1
    one_pixel = small_model(n_levels=1, n_semantic_classes=2, patches_per_class=1,
                            root_shape=(1, 1), n_root_images=1)  # fmt: skip
    assert necessary_samples(one_pixel, 0.05, "pixels") == 1
    n = necessary_samples(one_pixel, 0.05)  # 2 of 2^n equally likely samples miss a patch
    assert 2 / 2**n <= 0.05 < 2 / 2 ** (n - 1)


def test_coverage_needs_more_images_at_smaller_risks_down_to_the_least_float():
    sampler = small_model(n_levels=1)
    certain = necessary_samples(sampler, 1e-300)
    assert necessary_samples(sampler, 1e-9) < certain <= necessary_samples(sampler, 5e-324)


def test_at_a_large_risk_the_certificate_can_be_complete_at_the_predicted_number():
    # Two codes. One image shows one coin in each cell, which is no evidence.
    sampler, delta, n_runs = two_shown_codes(), 0.999, 200
    n = required_samples(sampler, delta, "certificate", level=0)
    n_complete = [
        sum(is_complete(sampler, counts, delta) for counts in draw_counts(sampler, 0, m, n_runs, 1))
        for m in (1, n)
    ]
    assert n_complete[0] == 0 < n_complete[1]
    risks = [0.001, 0.05, 0.4, 0.6, 0.9, 0.999]
    numbers = [required_samples(sampler, risk, "certificate", level=0) for risk in risks]
    assert numbers == sorted(numbers, reverse=True)


def test_a_level_with_a_single_class_is_refused():
    one = HierarchicalSampler(1, n_semantic_classes=1, patches_per_class=3)
    one.fit([[0, 0], [0, 0]], [-1, 1])
    for method in ("rigorous", "certificate", "cluster", "snr"):
        with pytest.raises(ValueError, match="the level of this sampler has a single class"):
            required_samples(one, method=method, level=0)
    for method in ("pixels", "gaussian"):
        with pytest.raises(ValueError, match="the level of this sampler has a single class"):
            necessary_samples(one, method=method)
    assert necessary_samples(one) > 1


def test_the_gaussian_oracle_beats_k_means_and_the_certificate():
    sampler = HierarchicalSampler(patches_per_class=30, random_state=0).fit()
    numbers = [necessary_samples(sampler, 0.01, "gaussian", level=1)]
    numbers += [
        required_samples(sampler, 0.01, name, level=1)
        for name in ("cluster", "certificate", "rigorous")
    ]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"pixel_noise": 0.1}, "it is noisy"),
        ({"label_noise": 0.1}, "it is noisy"),
        ({"overlap": [0.5, 0.0]}, "sets of patches share patches"),
        ({"rule_weights": "zipf"}, "not equally likely"),
        ({"n_semantic_classes": [4, 2], "symbol_patches": [[[[[0, 1]]], [[[1, 0]]]] * 2]}, "share"),
    ],
)
def test_the_assumption_that_fails_is_named(params, reason):
    if "symbol_patches" in params:
        params = params | {"patch_size": [(1, 2), 2], "patches_per_class": [1, 3]}
    sampler = small_model(**params)
    for function in (required_samples, necessary_samples):
        message = f"{function.__name__} does not hold for this sampler: .*{reason}"
        with pytest.raises(ValueError, match=message):
            function(sampler)


def test_classes_of_equal_frequencies_are_refused():
    # Both classes of level 1 are as likely at every position.
    sampler = HierarchicalSampler(
        2, patch_size=[(1, 2), 1], patches_per_class=[2, 1], n_channels=2, root_shape=(1, 1),
        pixel_patches="one_hot", n_semantic_classes=2,
        symbol_patches=[[[[[0, 0]], [[1, 1]]], [[[0, 1]], [[1, 0]]]]], n_root_images=1,
    ).fit()  # fmt: skip
    for method in ("snr", "rigorous"):
        with pytest.raises(ValueError, match="classes of level 1 have the same labeled freq"):
            required_samples(sampler, method=method)
    assert required_samples(sampler, method="snr", level=0) >= 1
    xor = HierarchicalSampler(1).fit([[0, 0], [1, 1], [0, 1], [1, 0]], [0, 0, 1, 1])
    with pytest.raises(ValueError, match="its root is not linearly separable"):
        required_samples(xor, method="snr")


def test_lower_bounds_hold_for_classes_that_differ_in_what_the_algorithms_see():
    # Classes 0 and 3 have the same labeled frequencies, but not the same probabilities.
    roots = np.array([[0, 1], [0, 2], [0, 1], [0, 2], [1, 3], [2, 3]])[:, None]
    sampler = HierarchicalSampler(1, root_shape=(1, 2), patches_per_class=3, random_state=0)
    sampler.fit(roots, [0, 0, 1, 1, 0, 1])
    n = required_samples(sampler, 0.05, "counts", level=0)
    for method in ("coverage", "pixels"):
        assert 1 < necessary_samples(sampler, 0.05, method, level=0) <= n
    with pytest.raises(ValueError, match="classes of level 0 have the same labeled frequencies"):
        necessary_samples(sampler, 0.05, "gaussian", level=0)
    # The label is of no use, but all patches have to be known.
    same = HierarchicalSampler(1, n_semantic_classes=2, patches_per_class=3, patch_size=1)
    same.fit([[0, 1], [1, 0], [0, 1], [1, 0]], [0, 0, 1, 1])
    assert necessary_samples(same, 0.05, level=0) > 1
    with pytest.raises(ValueError, match="classes of level 0 have the same cell probabilities"):
        necessary_samples(same, 0.05, "pixels", level=0)


def test_a_class_that_never_occurs_is_refused():
    # Two root images of one pixel: no image shows a patch of the third class.
    sampler = small_model(n_semantic_classes=3, n_root_images=1, root_shape=(1, 1))
    with pytest.raises(ValueError, match="a class of level 0 never occurs"):
        theorem2_params(sampler)
    for method in ("cluster", "snr"):  # these methods do not group patches of level 0
        with pytest.raises(ValueError, match="a class of level 0 never occurs"):
            required_samples(sampler, method=method)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: required_samples(s, 1.0), "delta=1.0 is not valid"),
        (lambda s: required_samples(s, method="best"), "method='best' is not valid"),
        (lambda s: required_samples(s, level=2), "level=2 is not valid: .* from 0 to 1"),
        (lambda s: necessary_samples(s, method="snr"), "method='snr' is not valid"),
        (lambda s: embedding_moments(s, 1, n_samples=0), "n_samples=0 is not valid"),
        (lambda s: coverage_probability(s, -1, n_samples=1), "level=-1 is not valid"),
    ],
)
def test_arguments_out_of_range_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(small_model())


@pytest.mark.parametrize("function", [embedding_moments, coverage_probability])
def test_patches_of_two_sets_and_counts_beyond_floats_are_refused(function):
    sampler = small_model(patches_per_class=2, overlap=[0.5, 0.0])
    with pytest.raises(ValueError, match="sets of level 0 that share patches"):
        function(sampler, 0, n_samples=10)
    assert function(sampler, 1, n_samples=10).size  # the other level has disjoint sets
    with pytest.raises(ValueError, match="beyond the range of floats"):
        function(sampler, 1, n_samples=10**400)


def test_theorem_1_takes_widths_of_more_than_64_bits():
    assert theorem1_params(3, 4, delta_min=0.3, n_components=10**30).max_iter == 1


def test_levels_with_transitions_have_no_codes():
    sampler = HierarchicalSampler(
        3, transitions=[None, np.full((4, 4), 0.25)], patches_per_class=2, random_state=0
    ).fit()
    assert embedding_moments(sampler, 0, n_samples=10).shape == (8, 8)
    for function in (embedding_moments, coverage_probability):
        with pytest.raises(ValueError, match="level=1 is not valid: this level of the sampler has"):
            function(sampler, 1, n_samples=10)
    for function in (required_samples, necessary_samples):
        with pytest.raises(ValueError, match=f"{function.__name__} does not hold .* transitions"):
            function(sampler)
    with pytest.raises(ValueError, match=r"theorem 2 does not hold .* transitions"):
        theorem2_params(sampler)


@pytest.mark.parametrize("p", [None, [0.3, 0.7]])
def test_label_noise_is_part_of_the_cells(p):
    sampler = small_model(label_probabilities=p, label_noise=0.2)
    cells = cell_probabilities(sampler, 1)
    _, y, latents = sampler.sample(40_000, return_latents=True, random_state=1)
    classes = latents[1].reshape(len(y), -1)
    for c, label in np.ndindex(cells.n_classes, 2):
        expected = cells.probabilities[c, label]
        frequency = ((classes == c) & (y == sampler.classes_[label])[:, None]).mean(axis=0)
        assert (np.abs(frequency - expected) <= 5 * np.sqrt(expected / len(y))).all()


@pytest.mark.parametrize(
    "call",
    [
        required_samples,
        necessary_samples,
        lambda s: required_samples(s, level=1),
        lambda s: necessary_samples(s, level=1),
        lambda s: required_samples(s, level=1, context=(0, 1)),
        lambda s: necessary_samples(s, method="pairs", level=1, context=(0, 1)),
        lambda s: grouping_probability(s, 1, n_samples=10),
    ],
)
def test_unequal_labels_are_refused_where_numbers_are_for_equal_ones(call):
    with pytest.raises(ValueError, match=r"does not hold .* labels are not equally likely"):
        call(small_model(label_probabilities=[0.3, 0.7]))


def test_an_argument_that_is_no_sampler_is_refused():
    for function in (required_samples, necessary_samples):
        message = re.escape("sampler=3 is not valid: it takes a fitted HierarchicalSampler")
        with pytest.raises(TypeError, match=message):
            function(3)


@pytest.mark.parametrize("weight", [1e-9, 1e-15, 1e-18])
def test_the_coverage_of_patches_that_are_seldom_drawn_is_exact(weight):
    sampler = HierarchicalSampler(
        2, patch_size=1, patches_per_class=[1, 2], pixel_patches="one_hot", n_channels=4,
        n_semantic_classes=2, symbol_patches=[np.array([[[[0]]], [[[1]]]])],
        rule_weights=["uniform", np.array([1, weight])],
    ).fit([[[0]], [[1]]], [0, 1])  # fmt: skip
    shown = coverage_probability(sampler, 1, n_samples=round(1 / weight))
    # An image is of the class with probability 1/2.
    assert_allclose(shown[:, 1], -np.expm1(-0.5), rtol=1e-8)


def test_coverage_is_one_less_an_expected_product():
    for params in (
        {"rule_weights": "zipf"},
        {"n_labels": 3, "label_probabilities": [0.1, 0.2, 0.7]},
    ):
        for level in range(3):
            noise = np.where(np.arange(3) <= level, 0.1, 0.0)
            sampler = HierarchicalSampler(
                3, patches_per_class=3, symbol_noise=noise, random_state=0, **params
            ).fit()
            weights = sampler.rule_weights_[level]
            p = coverage_probability(sampler, level, n_samples=1)
            for c, of_class in enumerate(weights):
                factors = np.ones((3, len(weights), 1, 1))
                factors[:, c, 0, 0] = 1 - of_class
                unseen = sampler.label_probabilities_ @ sampler.expected_product(level, factors)
                assert_allclose(p[c], 1 - unseen, atol=1e-13)


def test_moments_of_one_cell_are_right_if_every_image_is_in_a_cell():
    probabilities = np.zeros((2, 1, 2, 1))
    probabilities[0, 0, 0] = probabilities[1, 0, 1] = 0.5
    cells = SimpleNamespace(probabilities=probabilities, pairs=(np.array([0]), np.array([1])))
    log_moments, rates = _log_moments_of_one_cell(cells)
    # Both cells have the same exponent, so the moment is exp(-x).
    assert_allclose(log_moments, np.log(np.exp(-rates / np.sqrt(2)) + 1e-14), rtol=1e-9)
    assert (log_moments >= -rates / np.sqrt(2)).all()
