"""The guarantees of section 4 and 5: laws that hold for every model, and measured probabilities.

Statistical tests reject at level 1e-6: a true bound fails one of them once in a million runs.
"""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import binom
from sklearn.cluster import KMeans, kmeans_plusplus
from strategies import samplers, seeds, theorem_1_settings, well_separated_points

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


def most_failures(n_runs, probability):
    """The number of failures that a true bound exceeds with probability LEVEL at most."""
    return binom.ppf(1 - LEVEL, n_runs, probability)


def trained(sampler, level, n, sigma, eta, T, seed):
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
    K_0, K_T = (trained(*setting, t, seed) for t in (0, T))
    F = sampler.statistics().levels[level].labeled_frequencies
    F = F.reshape(len(F), -1, *F.shape[-2:])  # class, output, row, column
    k = sampler.patches_[level].shape[1]
    direction = np.einsum("cohw,hwno->cn", F, K_0.readout_)
    expected = K_0.kernels_ + eta * T / k * direction.repeat(k, axis=0)
    assert_allclose(K_T.kernels_, expected, atol=1e-12 * (1 + np.abs(expected).max()))


@given(theorem_1_settings(), seeds, st.integers(0, 10**6))
def test_corollary_1_distances_within_a_class_never_change(setting, seed, T):
    sampler, level, *_ = setting
    K_0, K_T = (trained(*setting, t, seed).kernels_ for t in (0, T))
    n_classes, k = sampler.patches_[level].shape[:2]
    before, after = (K.reshape(n_classes, k, -1) for K in (K_0, K_T))
    scale = 1 + np.abs(K_T).max()
    assert_allclose(after - after[:, :1], before - before[:, :1], atol=1e-12 * scale)


@given(theorem_1_settings(), seeds, st.integers(0, 10**9))
def test_theorem_1_part_1_classes_stay_within_sigma_over_sqrt_2(setting, seed, T):
    sampler, level, _, sigma, _ = setting
    K_T = trained(*setting, T, seed).kernels_
    within, _ = class_distances(K_T, len(sampler.patches_[level]))
    assert within <= sigma / np.sqrt(2) + 1e-12 * (1 + np.abs(K_T).max())


@settings(max_examples=CASES // 2)
@given(theorem_1_settings(), st.floats(0.1, 10), st.sampled_from([0.05, 0.3]))
def test_theorem_1_part_2_classes_are_gamma_apart_but_for_delta(setting, gamma, delta):
    sampler, level, n, sigma, eta = setting
    distances = pair_distances(sampler, level)
    n_classes, k = sampler.patches_[level].shape[:2]
    assume(n_classes > 1)
    assume(distances.min() > 1e-9)
    limits = {"sigma": sigma, "gamma": gamma, "learning_rate": eta, "n_components": n}
    T = theorem1_params(k, n_classes, delta=delta, delta_min=distances.min(), **limits).max_iter
    bound = theorem1_failure_probability(T, k, distances, **limits)
    assert bound <= delta * (1 + 1e-9)
    n_runs = 60
    failures = sum(
        class_distances(trained(*setting, T, seed).kernels_, n_classes)[1] < gamma
        for seed in range(n_runs)
    )
    assert failures <= most_failures(n_runs, delta)


def test_theorem_1_part_2_a_bound_20_percent_too_optimistic_is_caught():
    # Two classes and next to no K_0: the bound is the probability itself.
    sampler = HierarchicalSampler(n_semantic_classes=2, patches_per_class=2, random_state=1).fit()
    (distance,) = pair_distances(sampler, 1)
    n, delta, n_runs, sigma = 4, 0.2, 2000, 1e-6
    T = theorem1_params(2, 2, delta=delta, sigma=sigma, delta_min=distance, n_components=n).max_iter
    limit = most_failures(n_runs, delta)

    def failures(T):
        return sum(
            class_distances(trained(sampler, 1, n, sigma, 1e-3, T, seed).kernels_, 2)[1] < 1
            for seed in range(n_runs)
        )

    assert failures(T) <= limit
    truth = theorem1_failure_probability(T / 1.2, 2, [distance], n_components=n, sigma=0)
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
    # Of all images of orthonormal patches, as one-hot codes of the patches of level 0.
    roots = sampler._model.root
    n_classes, k = sampler.patches_[0].shape[:2]
    assume(k ** roots.images[0].size * len(roots.images) <= 500)
    choices = np.array(list(np.ndindex(*[k] * roots.images[0].size)))
    codes = roots.images[:, None] * k + choices.reshape(1, -1, *roots.images.shape[1:])
    labels = roots.labels.repeat(len(choices))
    separator = linear_separator(codes.reshape(-1, *codes.shape[2:]), labels, n_classes * k)
    margin = lemma1_margin(1 / sampler.margin_, k)
    assert_allclose(1 / np.linalg.norm(separator), margin, rtol=1e-6)


@given(samplers(weights=("uniform",)), seeds)
def test_a_perceptron_makes_no_more_mistakes_than_the_margin_allows(sampler, seed):
    assume(len(sampler.classes_) == 2)
    X, y = sampler.sample(200, random_state=seed)
    patches = sampler.parse_patches(X)[0]
    n_classes, k = sampler.patches_[0].shape[:2]
    codes = np.eye(n_classes * k)[patches].reshape(len(X), -1)
    w, n_mistakes = np.zeros(codes.shape[1]), 0
    limit = perceptron_iterations(1 / sampler.margin_, k, patches[0].size)
    while True:
        wrong = np.flatnonzero(y * (codes @ w) <= 0)
        if not len(wrong):
            break
        w += y[wrong[0]] * codes[wrong[0]]
        n_mistakes += 1
        assert n_mistakes <= limit


@settings(max_examples=CASES // 4)
@given(well_separated_points())
def test_lemma_7_k_means_plus_plus_seeds_every_cluster(points):
    X, n_clusters, separation, diameter = points
    n_runs = 200
    missed = 0
    for seed in range(n_runs):
        _, chosen = kmeans_plusplus(X, n_clusters, n_local_trials=1, random_state=seed)
        missed += len(set(chosen // (len(X) // n_clusters))) < n_clusters
    success = lemma7_success_probability(n_clusters, separation, diameter)
    assert missed <= most_failures(n_runs, 1 - success)


@given(st.integers(2, 500), st.floats(1e-4, 0.5), st.floats(1e-3, 1e3), st.floats(1, 10))
def test_lemma_7_separation_and_probability_agree(n_clusters, delta, diameter, ratio):
    separation = lemma7_separation(n_clusters, delta, diameter, size_ratio=ratio)
    success = lemma7_success_probability(n_clusters, separation, diameter, size_ratio=ratio)
    assert_allclose(success, 1 - delta, atol=1e-6)
    if ratio == 1:
        assert separation <= lemma7_separation(n_clusters, delta, diameter, bound="paper")


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


def sgd(sampler, params, sigma, seed):
    """SGD with batches of one on new samples: the embedder, and that of the population."""
    n, T, eta = params
    X, y = sampler.sample(T, random_state=seed)
    codes = np.eye(sampler.patches_[-1].shape[0] * sampler.patches_[-1].shape[1])
    codes = codes[sampler.parse_patches(X)[-1]]
    embedder = TwoLayerConvEmbedder(
        n,
        solver="sgd",
        batch_size=1,
        readout_init="sphere",
        init_scale=sigma,
        learning_rate=eta,
        max_iter=T,
        scale_channels=False,
        random_state=seed,
    )
    on_samples = embedder.fit(codes, y).kernels_
    embedder.set_params(solver="exact")
    level = sampler.n_levels - 1
    return on_samples, embedder.fit_population(sampler.code_moments(level), [-1, 1]).kernels_


def test_theorem_3_sgd_stays_near_the_population():
    sampler = HierarchicalSampler(
        1, n_semantic_classes=2, patches_per_class=1, root_shape=(1, 2), n_root_images=1,
        random_state=0,
    ).fit()  # fmt: skip
    delta, sigma, n_runs, failures = 0.1, 3.0, 8, 0
    # So wide a gamma = 0 that concentration, not separation, decides.
    params = theorem3_params(
        1, 2, n_positions=2, delta=delta, sigma=sigma, gamma=1e-9, n_components=2, delta_min=9.0
    )
    alpha = sigma / (2 * np.sqrt(2))
    for seed in range(n_runs):
        on_samples, on_population = sgd(sampler, params, sigma, seed)
        failures += np.abs(on_samples - on_population).max() > alpha
    assert failures <= most_failures(n_runs, delta)


def test_theorem_3_classes_are_pulled_apart():
    sampler = HierarchicalSampler(
        1, n_semantic_classes=2, patches_per_class=2, root_shape=(1, 2), n_root_images=1,
        random_state=0,
    ).fit()  # fmt: skip
    sigma, gamma, delta = 1.5, 0.5, 0.25
    distance = sampler.statistics().levels[0].delta_min
    params = theorem3_params(
        2, 2, n_positions=2, delta=delta, sigma=sigma, gamma=gamma, n_components=4,
        delta_min=distance,
    )  # fmt: skip
    assert params.max_iter < 50_000
    n_runs, failures = 3, 0
    for seed in range(n_runs):
        K_T, _ = sgd(sampler, params, sigma, seed)
        within, between = class_distances(K_T, 2)
        failures += within > 2 * sigma or between < gamma
    assert failures <= most_failures(n_runs, 2 * delta)


@settings(max_examples=CASES // 2)
@given(st.integers(2, 3), st.integers(2, 3), seeds)
def test_lemmas_8_and_9_clusters_of_embedded_patches_are_the_patches_above(depth, n, seed):
    # On the population: every patch of the level above, in several manifestations.
    sampler = small_model(depth, n, seed)
    exact = sampler.statistics().levels[depth - 1]
    assume(exact.delta_min > 1e-9)
    params = theorem2_params(sampler, delta=1e-3)
    first = params["embedder"][0]
    sigma, T = first.init_scale, first.max_iter
    K = trained(sampler, depth - 1, params["n_components"], sigma, 1e-3, T, seed)
    K = K.kernels_.reshape(n, 2, -1)  # class, patch, component
    above = sampler.patches_[depth - 2].reshape(2 * n, 4)
    choices = np.random.default_rng(seed).integers(2, size=(5, 2 * n, 4))
    manifestations = K[above, choices].reshape(5 * 2 * n, -1)
    labels = KMeans(2 * n, n_init=1, random_state=seed % 2**31).fit_predict(manifestations)
    labels = labels.reshape(5, 2 * n)
    assert (labels == labels[0]).all()
    assert len(set(labels[0])) == 2 * n


@pytest.mark.parametrize("depth", [2, 3])
def test_theorem_2_algorithm_1_makes_no_error(depth):
    n_runs, delta, failures = 12, 0.05, 0
    for seed in range(n_runs):
        sampler = small_model(depth, 2 + seed % 2, seed)
        if min(level.delta_min for level in sampler.statistics().levels[1:]) < 0.1:
            continue  # asks for more images than a test can draw
        X, y = sampler.sample(9000, random_state=seed)
        clf = LayerwiseCNNClassifier(**theorem2_params(sampler, delta=delta), random_state=seed)
        clf.fit(X[:8000], y[:8000])
        is_right = clf.score(X[8000:], y[8000:]) == 1
        failures += not (
            is_right and certify_classifier(clf, X[8000:], y[8000:], sampler=sampler).holds
        )
    assert failures <= 1  # of 12, at 0.05
