"""Statements of the paper that fail as printed, with numbers. The exact forms hold there."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import binom
from sklearn.cluster import KMeans

from skhier import (
    HierarchicalSampler,
    LayerwiseCNNClassifier,
    PatchKMeansOrthogonalizer,
    SphericalKMeans,
)
from skhier.theory import (
    lemma5_probability,
    theorem1_failure_probability,
    theorem1_params,
    theorem2_params,
    theorem3_params,
)


def failure_rate(n, T, eta, k, F, gamma, n_runs=200):
    """Return how often two classes are less than gamma apart, with K_0 = 0, over draws of W_0."""
    rng = np.random.default_rng(0)
    failures = 0
    for _ in range(n_runs):
        W = rng.standard_normal((F.shape[1], n))
        failures += np.linalg.norm(eta * T / k * (F[1] - F[0]) @ W) < gamma
    return failures / n_runs


@pytest.mark.parametrize(
    ("theta", "probability"), [(0.1, 0.0000), (0.2, 0.0000), (0.5, 0.0032), (1.0, 0.064)]
)
def test_lemma_5_treats_dependent_events_as_independent(theta, probability):
    rng = np.random.default_rng(0)
    w = rng.standard_normal((400_000, 2))
    first, second = w[:, 0], w @ [np.cos(theta), np.sin(theta)]
    hits = (np.abs(first) > 0.5) & (np.abs(second) > 0.5) & (first * second < 0)
    exact = lemma5_probability(theta)
    assert abs(exact - probability) < 5e-4
    assert abs(hits.mean() - exact) < 5 * np.sqrt(exact / 400_000) + 1e-5
    assert exact < lemma5_probability(theta, bound="paper")


@pytest.mark.parametrize("theta", [0.05, 0.1, 0.2])
def test_the_probability_of_lemma_5_is_exact_at_small_angles(theta):
    # By polar coordinates: |w| is at least 1 / (2 sin(t)) for a projection at an angle t.
    t = np.linspace(0, theta, 200_001)[1:-1]
    farther = np.minimum(np.sin(t), np.sin(theta - t))
    density = np.exp(-1 / (8 * farther**2)) / (2 * np.pi)
    assert_allclose(lemma5_probability(theta), 2 * np.trapezoid(density, t), rtol=1e-5)


@pytest.mark.parametrize("theta", [1.0, 2.5, 3.1389, 3.1415, np.pi])
def test_the_probability_of_lemma_5_is_exact_up_to_opposite_vectors(theta):
    # By polar coordinates, as above: an interval of angles of length theta, and its opposite.
    t = np.linspace(0, theta, 200_001)[1:-1]
    farther = np.minimum(np.sin(t), np.sin(theta - t))
    density = np.exp(-1 / (8 * np.maximum(farther, 1e-9) ** 2)) / (2 * np.pi)
    assert_allclose(lemma5_probability(theta), 2 * np.trapezoid(density, t), rtol=1e-8)


def test_theorem_1_fails_at_small_angles():
    # theta = 0.005, equal norms, |C| = 4, delta = 0.05.
    theta, k, gamma, sigma, delta = 0.005, 1, 1.0, 0.01, 0.05
    F = np.array([[1.0, 0.0], [np.cos(theta), np.sin(theta)]])
    limits = {"delta": delta, "sigma": sigma, "gamma": gamma}
    n, T, eta = theorem1_params(k, 4, theta=theta, lambda_=1.0, bound="paper", **limits)
    assert 11_000 < n < 13_000  # about 40,000 are needed
    assert failure_rate(n, T, eta, k, F, gamma) > 0.99
    distance = np.linalg.norm(F[1] - F[0])
    assert theorem1_failure_probability(T, k, [distance], n_components=n, sigma=0) > 0.99
    exact = theorem1_params(k, 4, delta_min=distance, n_components=n, **limits)
    assert failure_rate(*exact, k, F, gamma) <= delta


def test_theorem_1_needs_no_angle_between_two_classes():
    # Assumption 3 never holds for two classes, but distances grow.
    F = np.array([[1.0, 0.0], [-1.0, 0.0]])
    exact = theorem1_params(3, 2, delta_min=2.0, n_components=5, delta=0.1)
    assert failure_rate(*exact, 3, F, 1.0) <= 0.15


def test_theorem_2_needs_a_cluster_for_every_patch():
    sampler = HierarchicalSampler(patches_per_class=8, random_state=0).fit()
    X, y = sampler.sample(5000)
    accuracy = {}
    for bound in ("exact", "paper"):
        params = theorem2_params(sampler, bound=bound)
        clf = LayerwiseCNNClassifier(**params, random_state=0).fit(X[:4000], y[:4000])
        accuracy[bound] = clf.score(X[4000:], y[4000:])
    assert theorem2_params(sampler)["n_clusters"] == [32, 32]
    assert theorem2_params(sampler, bound="paper")["n_clusters"] == [32, 4]
    assert accuracy["exact"] == 1
    assert accuracy["paper"] < 0.9


def head_scores(images, labels):
    """Return the training accuracy with the head of algorithm 1 and with the head of theorem 2."""
    sampler = HierarchicalSampler(1, patches_per_class=2, patch_size=2, random_state=0)
    sampler.fit(images[:, None], labels)
    assert sampler.margin_ > 0
    X, y = sampler.sample(2000)
    params = theorem2_params(sampler)
    return [
        LayerwiseCNNClassifier(**params | {"head": head}, random_state=0).fit(X, y).score(X, y)
        for head in ("svm", params["head"])
    ]


def test_a_label_against_the_rest_need_not_be_separable():
    # The label is the number of ones. Linear scores can be right for all labels together, but no
    # plane separates label 2 from the rest.
    images = np.array(list(np.ndindex(2, 2, 2, 2)))
    one_against_the_rest, all_together = head_scores(images, images.sum(axis=1))
    assert one_against_the_rest < 0.8
    assert all_together == 1


def test_a_soft_margin_errs_where_the_margin_is_small():
    # The label says whether the first of two binary numbers is larger.
    images = np.array(list(np.ndindex(*[2] * 8)))
    labels = np.sign(images @ [8, 4, 2, 1, -8, -4, -2, -1] - 0.5)
    soft, hard = head_scores(images, labels)
    assert soft < 1
    assert hard == 1


def test_lemma_7_is_not_about_the_cosine_distance():
    # F_2 = F_1 / 2: embedded patches of both classes have the same direction.
    F = np.array([[1.0, -1.0, 0.5], [0.5, -0.5, 0.25]])
    W = np.random.default_rng(0).standard_normal((3, 20))
    patches = np.repeat(100 * F @ W, 30, axis=0)
    patches += 1e-3 * np.random.default_rng(1).standard_normal(patches.shape)
    for kmeans, n_clusters_of_a_class in [(KMeans(), 1), (SphericalKMeans(), 2)]:
        phi = PatchKMeansOrthogonalizer(2, kmeans=kmeans, whiten_eps=None, random_state=0)
        phi.fit(patches)
        clusters = phi.predict(patches).reshape(2, 30)
        assert max(len(set(row)) for row in clusters) == n_clusters_of_a_class


def test_the_range_in_theorem_3_is_twice_the_printed_range():
    # One pixel always shows x, so a step is -eta or eta: m_0 = 1, T steps, eta = 1.
    T, alpha = 1000, 1.2 * np.sqrt(1000)
    probability = 2 * binom.sf((T + alpha) / 2, T, 0.5)
    assert probability > 2 * np.exp(-2 * alpha**2 / T)  # as printed: 0.11, and it is 0.22
    assert probability < 2 * np.exp(-(alpha**2) / (2 * T))  # Hoeffding's, with the range 2 m_0
    # The number of steps is quadratic in the squared range.
    params = {"sigma": 1e-2, "n_components": 100_000, "gamma": 1e-9}
    printed = theorem3_params(1, 2, theta=1.0, lambda_=1.0, bound="paper", **params)
    exact = theorem3_params(1, 2, delta_min=1.0, **params)
    assert_allclose(exact.max_iter / printed.max_iter, 16, rtol=1e-6)
