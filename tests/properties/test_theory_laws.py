"""The guarantees of sections 4 and 5: laws of every model, and measured probabilities.

Statistical tests reject at level 1e-6: for a true bound, a test fails once in a million runs.
"""

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import binom, chi2
from sklearn.cluster import KMeans, kmeans_plusplus
from strategies import keep, samplers, seeds, theorem_1_settings, well_separated_points

from skhier import HierarchicalSampler, LayerwiseCNNClassifier, TwoLayerConvEmbedder
from skhier.generative._root import linear_separator
from skhier.theory import (
    certify_classifier,
    class_distances,
    lemma1_margin,
    lemma7_separation,
    lemma7_success_probability,
    perceptron_iterations,
    theorem1_failure_probability,
    theorem1_params,
    theorem2_params,
    theorem3_params,
)

LEVEL = 1e-6
CASES = settings().max_examples  # of the profile


def max_failures(n_runs, probability):
    """Return the number of failures exceeded with probability at most LEVEL if a bound is true."""
    return binom.ppf(1 - LEVEL, n_runs, probability)


def fit_embedder(sampler, level, n, sigma, eta, T, seed):
    embedder = TwoLayerConvEmbedder(
        n,
        init_scale=sigma,
        learning_rate=eta,
        max_iter=T,
        scale_channels=False,
        random_state=seed,
    )
    return embedder.fit_population(sampler.code_moments(level), sampler.classes_)


def pair_distances(sampler, level):
    F = sampler.statistics().levels[level].labeled_frequencies
    F = F.reshape(len(F), -1)
    return np.array([np.linalg.norm(F[a] - F[b]) for a in range(len(F)) for b in range(a)])


@given(theorem_1_settings(), seeds, st.integers(0, 10**6))
def test_lemmas_2_and_3_K_T_moves_along_the_frequencies_of_the_class(setting, seed, T):
    sampler, level, _, _, eta = setting
    K_0, K_T = (fit_embedder(*setting, t, seed) for t in (0, T))
    F = sampler.statistics().levels[level].labeled_frequencies
    F = F.reshape(len(F), -1, *F.shape[-2:])  # class, output, row, column
    k = sampler.patches_[level].shape[1]
    direction = np.einsum("cohw,hwno->cn", F, K_0.readout_)
    expected = K_0.kernels_ + eta * T / k * direction.repeat(k, axis=0)
    assert_allclose(K_T.kernels_, expected, atol=1e-12 * (1 + np.abs(expected).max()))


@given(theorem_1_settings(), seeds, st.integers(0, 10**6))
def test_corollary_1_distances_within_a_class_never_change(setting, seed, T):
    sampler, level, *_ = setting
    K_0, K_T = (fit_embedder(*setting, t, seed).kernels_ for t in (0, T))
    n_classes, k = sampler.patches_[level].shape[:2]
    before, after = (K.reshape(n_classes, k, -1) for K in (K_0, K_T))
    scale = 1 + np.abs(K_T).max()
    assert_allclose(after - after[:, :1], before - before[:, :1], atol=1e-12 * scale)


@given(theorem_1_settings(), seeds, st.integers(0, 10**9))
def test_theorem_1_part_1_classes_stay_within_sigma_over_sqrt_2(setting, seed, T):
    sampler, level, _, sigma, _ = setting
    K_T = fit_embedder(*setting, T, seed).kernels_
    within, _ = class_distances(K_T, len(sampler.patches_[level]))
    assert within <= sigma / np.sqrt(2) + 1e-12 * (1 + np.abs(K_T).max())


@settings(max_examples=CASES // 2)
@given(theorem_1_settings(), st.floats(0.1, 10), st.sampled_from([0.05, 0.3]))
def test_theorem_1_part_2_classes_are_gamma_apart_except_with_delta(setting, gamma, delta):
    sampler, level, n, sigma, eta = setting
    distances = pair_distances(sampler, level)
    n_classes, k = sampler.patches_[level].shape[:2]
    keep(n_classes > 1, "one class")
    keep(distances.min() > 1e-9, "equal classes")
    limits = {"sigma": sigma, "gamma": gamma, "learning_rate": eta, "n_components": n}
    T = theorem1_params(k, n_classes, delta=delta, delta_min=distances.min(), **limits).max_iter
    bound = theorem1_failure_probability(T, k, distances, **limits)
    assert bound <= delta * (1 + 1e-9)
    n_runs = 60
    failures = sum(
        class_distances(fit_embedder(*setting, T, seed).kernels_, n_classes)[1] < gamma
        for seed in range(n_runs)
    )
    assert failures <= max_failures(n_runs, delta)


def test_theorem_1_part_2_a_bound_20_percent_too_optimistic_is_detected():
    # With two classes and a negligible K_0, the bound is the probability itself.
    sampler = HierarchicalSampler(n_semantic_classes=2, patches_per_class=2, random_state=1).fit()
    (distance,) = pair_distances(sampler, 1)
    n, delta, n_runs, sigma = 4, 0.2, 1000, 1e-6
    T = theorem1_params(2, 2, delta=delta, sigma=sigma, delta_min=distance, n_components=n).max_iter
    limit = max_failures(n_runs, delta)

    def failures(T):
        return sum(
            class_distances(fit_embedder(sampler, 1, n, sigma, 1e-3, T, seed).kernels_, 2)[1] < 1
            for seed in range(n_runs)
        )

    assert failures(T) <= limit
    truth = theorem1_failure_probability(round(T / 1.2), 2, [distance], n_components=n, sigma=0)
    assert binom.sf(limit, n_runs, truth) > 0.999  # the power of the test
    assert failures(round(T / 1.2)) > limit


@settings(max_examples=CASES // 4)
@given(st.floats(0.01, np.pi), seeds)
def test_lemma_4_projections_have_opposite_signs_with_probability_angle_over_pi(angle, seed):
    W = np.random.default_rng(seed).standard_normal((2, 20_000))
    u, v = np.array([1.0, 0.0]), np.array([np.cos(angle), np.sin(angle)])
    n_opposite = ((u @ W) * (v @ W) < 0).sum()
    low, high = binom.ppf([LEVEL / 2, 1 - LEVEL / 2], 20_000, min(angle / np.pi, 1))
    assert low <= n_opposite <= high


@given(samplers(weights=("uniform",)), seeds)
def test_lemma_1_the_margin_of_images_is_exact(sampler, seed):
    # The margin of all images of orthonormal patches: one-hot codes of the patches of level 0.
    roots = sampler._model.root
    n_classes, k = sampler.patches_[0].shape[:2]
    n_images = k ** roots.images[0].size * len(roots.images)
    keep(n_images * roots.n_labels <= 800, "too many images")
    keep(sampler.margin_ > 0, "not separable")
    choices = np.array(list(np.ndindex(*[k] * roots.images[0].size)))
    codes = roots.images[:, None] * k + choices.reshape(1, -1, *roots.images.shape[1:])
    labels = roots.labels.repeat(len(choices))
    separator = linear_separator(codes.reshape(-1, *codes.shape[2:]), labels, n_classes * k)
    margin = lemma1_margin(1 / sampler.margin_, k)
    assert_allclose(1 / np.linalg.norm(separator), margin, rtol=1e-6)


def perceptron_mistakes(codes, y, n_labels, limit):
    """Count corrections by Kesler's construction until all are right; stop above `limit`."""
    W, n_mistakes = np.zeros((n_labels, codes.shape[1])), 0
    own = np.arange(n_labels) == y[:, None]
    while n_mistakes <= limit:
        scores = codes @ W.T
        rival = np.where(own, -np.inf, scores).argmax(axis=1)
        rows = np.arange(len(y))
        wrong = np.flatnonzero(scores[rows, rival] >= scores[rows, y])
        if not len(wrong):
            break
        first = wrong[0]
        W[y[first]] += codes[first]
        W[rival[first]] -= codes[first]
        n_mistakes += 1
    return n_mistakes


@given(samplers(weights=("uniform",)), seeds)
def test_a_perceptron_makes_no_more_mistakes_than_the_margin_allows(sampler, seed):
    keep(sampler.margin_ > 0, "not separable")
    X, y = sampler.sample(200, random_state=seed)
    patches = sampler.parse_patches(X)[0]
    n_classes, k = sampler.patches_[0].shape[:2]
    codes = np.eye(n_classes * k)[patches].reshape(len(X), -1)
    n_labels, n_positions = len(sampler.classes_), patches[0].size
    limit = perceptron_iterations(1 / sampler.margin_, k, n_positions, n_labels=n_labels)
    keep(limit < 4000, "tiny margin")
    y = np.searchsorted(sampler.classes_, y)
    assert perceptron_mistakes(codes, y, n_labels, limit) <= limit


def test_a_perceptron_of_seven_labels_makes_more_mistakes_than_the_bound_for_two_labels():
    sampler = HierarchicalSampler(
        1, n_semantic_classes=4, patches_per_class=1, patch_size=2, root_shape=(1, 2), n_labels=7,
        n_root_images=1, random_state=0,
    ).fit()  # fmt: skip
    codes = np.eye(4)[sampler._model.root.images].reshape(7, -1)
    bound_for_two, bound = (
        perceptron_iterations(1 / sampler.margin_, 1, 2, n_labels=n_labels) for n_labels in (2, 7)
    )
    orders = [np.random.default_rng(seed).permutation(7) for seed in range(50)]
    y = sampler._model.root.labels
    most = max(perceptron_mistakes(codes[order], y[order], 7, 1000) for order in orders)
    assert bound_for_two < most <= bound


def count_missed(X, cluster, n_runs, n_trials):
    """Count the runs in which k-means++ leaves a cluster without a seed."""
    n_clusters = cluster.max() + 1
    n_missed = 0
    for seed in range(n_runs):
        _, chosen = kmeans_plusplus(X, n_clusters, n_local_trials=n_trials, random_state=seed)
        n_missed += len(set(cluster[chosen])) < n_clusters
    return n_missed


@settings(max_examples=CASES // 4)
@given(well_separated_points(), st.integers(1, 4))
def test_lemma_7_k_means_plus_plus_seeds_every_cluster(points, n_trials):
    X, cluster, separation, diameter = points
    sizes = np.bincount(cluster)
    success = lemma7_success_probability(
        len(sizes), separation, diameter, size_ratio=sizes.max() / sizes.min(), n_trials=n_trials
    )
    assert count_missed(X, cluster, 100, n_trials) <= max_failures(100, 1 - success)


def test_lemma_7_fails_without_the_ratio_of_sizes_and_the_number_of_candidates():
    # 50 points at 0, 50 at 1 and one far away. A candidate at 0 or 1 lowers inertia more than the
    # far point.
    X = np.r_[np.zeros(50), np.ones(50), 5.9][:, None]
    cluster, n_runs = np.repeat([0, 1], [100, 1]), 1500

    def limit(**params):
        return max_failures(n_runs, 1 - lemma7_success_probability(2, 4.9, **params))

    one, greedy = (count_missed(X, cluster, n_runs, n_trials) for n_trials in (1, 2))
    assert limit() < one <= limit(size_ratio=100)
    assert limit(size_ratio=100) < greedy <= limit(size_ratio=100, n_trials=2)


@given(
    st.integers(2, 500),
    st.floats(0.3, 300).map(lambda x: 10**-x),
    st.floats(1e-3, 1e3),
    st.floats(1, 10),
    st.integers(1, 9),
)
def test_lemma_7_separation_and_probability_agree(n_clusters, delta, diameter, ratio, n_trials):
    params = {"size_ratio": ratio, "n_trials": n_trials}
    separation = lemma7_separation(n_clusters, delta, diameter, **params)
    success = lemma7_success_probability(n_clusters, separation, diameter, **params)
    assert_allclose(success, 1 - delta, rtol=1e-9)
    i = np.arange(1, n_clusters)
    odds = i * ratio / (n_clusters - i) * (diameter / separation) ** 2
    assert_allclose(-np.expm1(-n_trials * np.log1p(odds).sum()), delta, rtol=1e-9)
    if n_trials * ratio == 1:
        assert separation <= lemma7_separation(n_clusters, delta, diameter, bound="paper")


@settings(max_examples=CASES // 4)
@given(well_separated_points(least=2.01), seeds)
def test_lloyd_keeps_clusters_that_are_more_than_two_diameters_apart(points, seed):
    X, cluster, *_ = points
    rng = np.random.default_rng(seed)
    first_centers = [rng.choice(np.flatnonzero(cluster == c)) for c in range(cluster.max() + 1)]
    labels = KMeans(len(first_centers), init=X[first_centers], n_init=1).fit(X).labels_
    assert (labels == cluster).all()


@pytest.mark.parametrize("n_clusters", [2, 10, 1000])
def test_theorem_2_separates_clusters_by_more_than_four_diameters(n_clusters):
    assert lemma7_separation(n_clusters, 1 / 6, size_ratio=4) > 4.4


def small_model(depth, n_classes, seed):
    return HierarchicalSampler(
        depth,
        n_semantic_classes=n_classes,
        patches_per_class=2,
        patch_size=2,
        root_shape=(2, 2),
        n_root_images=2,
        random_state=seed,
    ).fit()


def two_pixels():
    """Return a model of one level with two classes of two patches, and y f of its 8 images.

    The array of y f has shape (8, 4, 2): images, patches, pixels.
    """
    sampler = HierarchicalSampler(
        1, n_semantic_classes=2, patches_per_class=2, root_shape=(1, 2), n_root_images=1,
        random_state=0,
    ).fit()  # fmt: skip
    root = sampler._model.root
    choices = np.array(list(np.ndindex(2, 2)))
    codes = (2 * root.images.reshape(-1, 1, 2) + choices).reshape(-1, 2)
    y = sampler.classes_[root.labels.repeat(len(choices))]
    return sampler, y[:, None, None] * (codes[:, None] == np.arange(4)[:, None])


def test_theorem_3_sgd_adds_one_step_for_each_image():
    sampler, _ = two_pixels()
    X, y = sampler.sample(300, random_state=0)
    codes = np.eye(4)[sampler.parse_patches(X)[0]]
    params = {"batch_size": 1, "readout_init": "sphere", "solver": "sgd", "learning_rate": 0.1}
    K_0, K_T = (
        TwoLayerConvEmbedder(5, max_iter=T, scale_channels=False, random_state=0, **params)
        .fit(codes, y)
        for T in (0, 300)
    )  # fmt: skip
    W = K_0.readout_[0, :, :, 0]
    assert_allclose(np.linalg.norm(W, axis=0), 1)
    total = np.einsum("i,ipx->xp", y, codes[:, 0])
    assert_allclose(K_T.kernels_, K_0.kernels_ + 0.1 * total @ W)


def test_theorem_3_half_the_range_of_a_step_is_detected():
    # One pixel always shows x: the sum of T steps is binomial, and its tails are known.
    delta, sigma = 0.01, 0.3
    T = theorem3_params(
        1, 2, n_positions=1, delta=delta, sigma=sigma, gamma=1e-9, n_components=1, delta_min=9.0
    ).max_iter

    def probability(T):
        far = sigma / 2 * T**0.75  # alpha / eta
        return 2 * binom.sf(np.ceil((T + far) / 2) - 1, T, 0.5)

    assert probability(T) <= delta
    assert probability(T // 16) > 8 * delta  # as printed
    assert probability(T // 4) > delta


@pytest.mark.parametrize("n", [1, 4])
def test_theorem_3_classes_are_separated_except_with_two_delta(n):
    sampler, images = two_pixels()
    sigma, gamma, delta, n_runs = 1.0, 40.0, 0.05, 20_000
    distance = sampler.statistics().levels[0].delta_min
    params = theorem3_params(
        2, 2, n_positions=2, delta=delta, sigma=sigma, gamma=gamma, n_components=n,
        delta_min=distance,
    )  # fmt: skip

    def failures(T):
        rng = np.random.default_rng(0)
        n_drawn = rng.multinomial(T, [1 / len(images)] * len(images), size=n_runs)
        W = rng.standard_normal((n_runs, 2, n))
        W /= np.linalg.norm(W, axis=1, keepdims=True)
        K = rng.standard_normal((n_runs, 4, n))
        K *= sigma / (2 * np.sqrt(n)) / np.linalg.norm(K, axis=1, keepdims=True)
        K += T**-0.75 * np.einsum("ri,ixp,rpn->rxn", n_drawn, images, W)
        d = np.linalg.norm(K[:, :, None] - K[:, None], axis=-1)
        within, between = np.maximum(d[:, 0, 1], d[:, 2, 3]), d[:, :2, 2:].min(axis=(1, 2))
        return int((within > 2 * sigma).sum()), int((between < gamma).sum())

    too_wide, too_near = failures(params.max_iter)
    assert too_wide <= max_failures(n_runs, delta)
    assert too_near <= max_failures(n_runs, delta)
    # The power: a T that is 64 times too small, with 2.8 times less separation, is detected.
    assert failures(params.max_iter // 64)[1] > max_failures(n_runs, delta)


@settings(max_examples=CASES // 2)
@given(st.integers(2, 3), st.integers(2, 3), seeds)
def test_lemmas_8_and_9_clusters_of_embedded_patches_are_the_patches_above(depth, n, seed):
    # On the population, with several manifestations of every patch of the level above.
    sampler = small_model(depth, n, seed)
    exact = sampler.statistics().levels[depth - 1]
    keep(exact.delta_min > 1e-9, "equal classes")
    params = theorem2_params(sampler, delta=1e-3)
    first = params["embedder"][0]
    sigma, T = first.init_scale, first.max_iter
    K = fit_embedder(sampler, depth - 1, params["n_components"], sigma, 1e-3, T, seed)
    K = K.kernels_.reshape(n, 2, -1)  # class, patch, component
    above = sampler.patches_[depth - 2].reshape(2 * n, 4)
    choices = np.random.default_rng(seed).integers(2, size=(5, 2 * n, 4))
    manifestations = K[above, choices].reshape(5 * 2 * n, -1)
    labels = KMeans(2 * n, n_init=1, random_state=seed % 2**31).fit_predict(manifestations)
    labels = labels.reshape(5, 2 * n)
    assert (labels == labels[0]).all()
    assert len(set(labels[0])) == 2 * n


def test_theorem_2_holds_on_the_number_of_images_that_its_proof_needs():
    # All images of a small model are enumerated, so that a sample of any size is a multinomial.
    sampler = HierarchicalSampler(
        2, n_semantic_classes=2, patches_per_class=2, patch_size=(1, 2), root_shape=(1, 2),
        n_root_images=1, random_state=1,
    ).fit()  # fmt: skip
    root, delta, n_runs, n = sampler._model.root, 0.05, 100, 16

    def with_choices(X, y):
        choices = np.array(list(np.ndindex(*[2] * X.shape[1])))
        return (2 * X[:, None] + choices).reshape(-1, X.shape[1]), y.repeat(len(choices))

    above = sampler.patches_[0].reshape(4, 2)
    codes, y = with_choices(root.images.reshape(2, 2), root.labels)
    codes, y = with_choices(above[codes].reshape(len(codes), 4), y)
    assert codes.shape == (128, 4)
    signed = sampler.classes_[y, None, None] * (codes[:, :, None] == np.arange(4))
    params = theorem2_params(sampler, delta=delta, n_components=n)
    # Theorem 2 leaves half of the distance within a class to sampling. By Pinelis' inequality the
    # error of the mean of y X is less than t.
    share, (embedder, _) = delta / 6, params["embedder"]
    T, sigma = embedder.max_iter * embedder.learning_rate, embedder.init_scale
    t = sigma / np.sqrt(2) / (2 * T * np.sqrt(chi2.isf(share / 12, n)))
    mu = sampler.statistics().levels[1].class_frequencies.mean(axis=0).sum(axis=(1, 2)).max() / 2
    n_samples = int((2 * mu + 4 * np.sqrt(2) * t) / t**2 * np.log(8 / share))
    choices = np.array(list(np.ndindex(2, 2)))

    def failures(n_samples):
        failed = 0
        for seed in range(n_runs):
            p = np.random.default_rng(seed).multinomial(n_samples, [1 / 128] * 128) / n_samples
            moments = np.tensordot(p, signed, axes=1)[None]
            embedder = params["embedder"][0].set_params(n_components=n, random_state=seed)
            K = embedder.fit_population(moments, sampler.classes_).kernels_.reshape(2, 2, n)
            embedded = K[above[:, None], choices].reshape(16, -1)
            labels = KMeans(4, n_init=1, random_state=seed).fit_predict(embedded).reshape(4, 4)
            within, between = class_distances(embedded, 4)
            is_clustered = (labels == labels[:, :1]).all() and len(set(labels[:, 0])) == 4
            failed += not is_clustered or within > 1 or between < 2
        return failed

    assert failures(n_samples) <= max_failures(n_runs, delta)
    # The power: with a thousandth of the images, diameters are larger than 1.
    assert failures(n_samples // 1000) > max_failures(n_runs, delta)


@pytest.mark.parametrize("depth", [2, 3])
def test_algorithm_1_learns_from_thousands_of_images_without_an_error(depth):
    # All of 3 models with classes that differ enough. The proof of theorem 2 needs 10^10 images and
    # more.
    models = (small_model(depth, 2 + seed % 2, seed) for seed in range(100))
    easy = (
        sampler
        for sampler in models
        if min(level.delta_min for level in sampler.statistics().levels[1:]) > 0.1
    )
    for sampler in islice(easy, 3):
        X, y = sampler.sample(6000, random_state=0)
        clf = LayerwiseCNNClassifier(**theorem2_params(sampler), random_state=0)
        clf.fit(X[:5000], y[:5000])
        assert clf.score(X[5000:], y[5000:]) == 1
        assert certify_classifier(clf, X[5000:], y[5000:], sampler=sampler).holds
