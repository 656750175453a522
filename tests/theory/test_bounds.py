"""Bounds of theorems and lemmas, certificates of layers, and the arguments that are refused."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import beta, chi2

from skhier import HierarchicalSampler, LayerwiseCNNClassifier, TwoLayerConvEmbedder
from skhier.theory import (
    certify_classifier,
    certify_clusters,
    certify_embedder,
    class_distances,
    lemma1_margin,
    lemma5_probability,
    lemma7_separation,
    lemma7_success_probability,
    perceptron_iterations,
    theorem1_failure_probability,
    theorem1_params,
    theorem2_params,
    theorem2_runtime,
    theorem3_params,
)
from skhier.theory._theorem3 import sum_of_betas_quantile


def test_theorem_1_meets_its_probability_at_the_smallest_T():
    params = {"n_components": 7, "learning_rate": 0.01, "sigma": 0.5, "gamma": 2.0}
    T = theorem1_params(5, 4, delta=0.1, delta_min=0.3, **params).max_iter
    at, before = (
        theorem1_failure_probability(t, 5, [0.3] * 6, **params) for t in (T, 99 * T // 100)
    )
    assert at <= 0.1 < before


@pytest.mark.parametrize("delta", [1e-9, 0.01, 0.5])
def test_at_the_default_width_the_quantile_is_at_least_half_of_the_width(delta):
    for n_classes in (2, 10, 100):
        n = theorem1_params(1, n_classes, delta=delta, delta_min=1.0).n_components
        M = n_classes * (n_classes - 1) / 2
        assert chi2.ppf(delta / M, n) >= n / 2


def test_theorem_1_as_printed_is_the_formula_of_the_paper():
    n, T, eta = theorem1_params(
        30, 4, delta=0.05, sigma=0.2, gamma=3.0, learning_rate=0.1, theta=1.5, lambda_=0.2,
        bound="paper",
    )  # fmt: skip
    assert n > np.pi / (0.23 * 1.5) * np.log(4 / 0.05) > n - 1
    assert_allclose(T, 30 * (3 + 0.4) / (0.1 * 0.2), atol=1)
    assert eta == 0.1


@pytest.mark.parametrize("n_positions", [2, 9, 100])
@pytest.mark.parametrize("n", [1, 5, 50])
def test_the_quantile_of_a_sum_of_betas_is_a_lower_bound(n, n_positions):
    s = sum_of_betas_quantile(0.05, n, n_positions)
    draws = beta.rvs(0.5, (n_positions - 1) / 2, size=(50_000, n), random_state=0).sum(axis=1)
    rate = (draws < s).mean()
    assert 0.005 < rate <= 0.05


@pytest.mark.parametrize("n_positions", [1, 2, 9, 10**4, 10**8])
@pytest.mark.parametrize("probability", [1e-100, 1e-9, 0.05, 0.999, 1 - 1e-16])
def test_the_quantile_of_a_beta_is_a_lower_bound_at_any_probability(probability, n_positions):
    s = sum_of_betas_quantile(probability, 1, n_positions)
    if n_positions == 1:
        assert s == 1
    else:
        truth = beta.cdf(s, 0.5, (n_positions - 1) / 2)
        assert 0.4 * probability < truth <= probability


@pytest.mark.parametrize(("n", "delta"), [(1, 1e-3), (2, 1e-9), (3, 1e-9)])
def test_at_small_probabilities_theorem_3_follows_the_tail_of_a_beta(n, delta):
    whole, half = (
        theorem3_params(3, 2, delta=delta / i, delta_min=1.0, n_components=n) for i in (1, 2)
    )
    # There, Chernoff's bound is nearly proportional to s^(n / 2), and T to s^-2.
    assert_allclose(half.max_iter / whole.max_iter, 2 ** (4 / n), rtol=1e-2)


@pytest.mark.parametrize("bound", ["exact", "paper"])
def test_theorem_1_without_K_0_needs_fewer_steps(bound):
    params = {"delta_min": 0.3, "theta": 1.0, "lambda_": 0.3, "bound": bound}
    T, T_with_K_0 = (theorem1_params(5, 4, sigma=sigma, **params).max_iter for sigma in (0, 1))
    assert 0 < T < T_with_K_0
    if bound == "exact":
        n = theorem1_params(5, 4, **params).n_components
        limits = {"n_components": n, "sigma": 0}
        at, before = (theorem1_failure_probability(t, 5, [0.3] * 6, **limits) for t in (T, T - 1))
        assert at <= 0.05 < before


def test_the_mean_squared_distance_within_a_class_is_sigma_squared_over_2K():
    sampler = HierarchicalSampler(1, patches_per_class=5, random_state=0).fit()
    K = np.array([
        TwoLayerConvEmbedder(30, max_iter=0, scale_channels=False, random_state=seed)
        .fit_population(sampler.code_moments(0), sampler.classes_)
        .kernels_
        for seed in range(300)
    ])  # fmt: skip
    squares = ((K[:, 0] - K[:, 1]) ** 2).sum(axis=1)
    error = squares.std() / np.sqrt(len(squares))
    assert error < 0.03 / 40
    assert abs(squares.mean() - 1 / (2 * 20)) < 5 * error


def test_on_appendix_D_the_exact_T_is_less_than_a_tenth_of_the_printed_T():
    model = HierarchicalSampler(random_state=0).fit().statistics()
    n, T, _ = theorem1_params(30, 4, theta=model.theta, lambda_=model.lambda_, bound="paper")
    exact = theorem1_params(30, 4, delta_min=model.delta_min, n_components=n)
    assert exact.max_iter < T / 10


def test_class_distances_are_the_largest_within_and_the_smallest_between_classes():
    points = np.array([[0, 0], [3, 4], [0, 12], [0, 13]])
    assert class_distances(points, 2) == (5, np.hypot(3, 8))
    assert class_distances(points[:2], 1) == (5, np.inf)
    within, between = class_distances(points, 2)
    for scale in (1e200, 1e-200):  # the squares are no floats
        assert_allclose(
            class_distances(np.multiply(points, scale), 2), (within * scale, between * scale)
        )
    with pytest.raises(ValueError, match="not the same number for each of n_classes=3"):
        class_distances(points, 3)


def test_patches_of_weight_0_need_no_cluster():
    sampler = HierarchicalSampler(
        1, n_semantic_classes=2, patches_per_class=3, patch_size=2, random_state=0,
        rule_weights=[np.array([[1, 1, 1], [1, 0, 1]])],
    ).fit()  # fmt: skip
    X, _ = sampler.sample(200)
    (layer,) = certify_clusters(sampler, sampler.parse_patches(X)[0], X, 0)
    assert layer.holds
    assert (layer.n_patches, layer.n_clusters) == (5, 5)
    merged = np.minimum(sampler.parse_patches(X)[0], 3)
    assert not certify_clusters(sampler, merged, X, 0).holds


def test_the_certificate_of_an_untrained_embedder_does_not_hold():
    sampler = HierarchicalSampler(patches_per_class=3, patch_size=2, random_state=0).fit()
    embedder = TwoLayerConvEmbedder(8, max_iter=0, scale_channels=False, random_state=0)
    embedder.fit_population(sampler.code_moments(1), sampler.classes_)
    certificate = certify_embedder(sampler, embedder, 1, sigma=1.0, gamma=5.0)
    assert not certificate.holds
    assert certificate[0].within <= 1
    assert "NO" in repr(certificate)
    with pytest.raises(ValueError, match=r"codes with 5 channels, but level 1 has 12 patches"):
        certify_embedder(
            sampler, TwoLayerConvEmbedder().fit(np.eye(5), [0, 1] * 2 + [1]), 1, sigma=1, gamma=1
        )


def test_patches_of_weight_0_need_no_embedding():
    weights = np.array([0.5, 0.5, 0])
    sampler = HierarchicalSampler(patches_per_class=3, rule_weights=[weights] * 2, random_state=0)
    sampler.fit()
    embedder = TwoLayerConvEmbedder(
        64, scale_channels=False, max_iter=30_000, init_scale=0.1, random_state=0
    ).fit_population(sampler.code_moments(1), sampler.classes_)
    (layer,) = certify_embedder(sampler, embedder, 1, sigma=1.0, gamma=0.2)
    assert layer.holds
    assert (layer.n_patches, layer.n_clusters) == (8, 8)
    possible = embedder.kernels_.reshape(4, 3, -1)[:, :2].reshape(8, -1)
    assert_allclose((layer.within, layer.between), class_distances(possible, 4))


def test_an_embedder_is_certified_if_labels_are_not_equally_likely():
    sampler = HierarchicalSampler(
        patches_per_class=3, label_probabilities=[0.3, 0.7], random_state=0
    ).fit()
    n, T, eta = theorem1_params(30, 4, delta_min=sampler.statistics().levels[1].delta_min)
    params = {"learning_rate": eta, "scale_channels": False, "random_state": 0}
    embedder = TwoLayerConvEmbedder(n, max_iter=T, **params)
    embedder.fit_population(sampler.code_moments(1), sampler.classes_)
    assert certify_embedder(sampler, embedder, 1, sigma=1.0, gamma=1.0).holds


def test_a_classifier_is_certified_against_its_sampler():
    sampler = HierarchicalSampler(patches_per_class=3, random_state=0).fit()
    X, y = sampler.sample(4000)
    params = theorem2_params(sampler)
    clf = LayerwiseCNNClassifier(**params, random_state=0).fit(X, y)
    certificate = certify_classifier(clf, X[:500], y[:500], sampler=sampler)
    assert certificate.holds
    assert [layer.level for layer in certificate] == [1, 0]
    assert not certify_classifier(clf, X[:500], y[:500], sampler=sampler, sigma=1e-9).holds
    few = LayerwiseCNNClassifier(**params | {"n_clusters": [11, 12]}, random_state=0).fit(X, y)
    certificate = certify_classifier(few, X[:500], y[:500], sampler=sampler)
    assert not certificate[0].is_patch_mapping
    shallow = LayerwiseCNNClassifier(n_layers=1, n_clusters=4).fit(X[:50], y[:50])
    with pytest.raises(ValueError, match="classifier has 1 layers, but the sampler has 2 levels"):
        certify_classifier(shallow, X[:50], y[:50], sampler=sampler)
    other = LayerwiseCNNClassifier.algorithm_1(4, [3, 1], random_state=0).fit(X[:500], y[:500])
    with pytest.raises(ValueError, match=r"classifier: for level 0 .* of shape \(\d+, 9, 9\)"):
        certify_classifier(other, X[:50], y[:50], sampler=sampler)


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"pixel_noise": 0.1}, "it is noisy"),
        ({"overlap": [0.5, 0.0]}, "sets of patches share patches"),
        ({"rule_weights": "zipf"}, "not equally likely"),
    ],
)
def test_theorem_2_names_the_assumption_that_fails(params, reason):
    sampler = HierarchicalSampler(random_state=0, **params).fit()
    with pytest.raises(ValueError, match=f"theorem 2 does not hold for this sampler: .*{reason}"):
        theorem2_params(sampler)


def test_a_smaller_risk_and_a_larger_depth_need_more():
    sampler = HierarchicalSampler(patches_per_class=3, random_state=0).fit()
    loose, strict = (theorem2_params(sampler, delta=delta) for delta in (0.1, 1e-6))
    assert loose["embedder"][0].max_iter < strict["embedder"][0].max_iter
    assert theorem2_runtime(3, 4, 30, 1000, 2.0) > theorem2_runtime(2, 4, 30, 1000, 2.0)
    assert theorem2_runtime(2, 4, 30, 1000, 2.0, 9, n_labels=3) - theorem2_runtime(
        2, 4, 30, 1000, 2.0, 9
    ) == perceptron_iterations(2.0, 30, 9)  # more labels: twice as many corrections
    assert lemma7_separation(10, 0.1) < lemma7_separation(10, 0.01)
    assert lemma7_separation(1, 0.1) == 0
    assert lemma7_success_probability(1, 1.0) == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: theorem1_params(0, 4, delta_min=1.0), "k=0 is not valid"),
        (lambda: theorem1_params(3, 1, delta_min=1.0), "n_classes=1 is not valid"),
        (lambda: theorem1_params(3, 4), "bound='exact' needs delta_min"),
        (lambda: theorem1_params(3, 4, bound="paper"), "needs theta and lambda_"),
        (lambda: theorem1_params(3, 4, delta_min=0.0), "delta_min=0.0 is not valid"),
        (lambda: theorem1_params(3, 4, delta_min=1.0, delta=1.0), "delta=1.0 is not valid"),
        (lambda: theorem1_params(3, 4, delta_min=1.0, bound="best"), "bound='best' is not valid"),
        (
            lambda: theorem1_params(3, 4, theta=1, lambda_=1, bound="paper", n_components=3),
            "n_components=3 is below 60",
        ),
        (lambda: theorem1_params(3, 4, theta=4, lambda_=1, bound="paper"), "theta=4 is not valid"),
        (lambda: theorem3_params(3, 4), "bound='exact' needs delta_min"),
        (lambda: theorem3_params(3, 4, theta=4, lambda_=1, bound="paper"), "theta=4 is not valid"),
        (
            lambda: theorem3_params(3, 4, theta=1, lambda_=1, bound="paper", n_components=3),
            "n_components=3 is below 115",
        ),
        (lambda: lemma1_margin(0, 3), "separator_norm=0 is not valid"),
        (lambda: perceptron_iterations(1.0, 3, 0), "n_positions=0 is not valid"),
        (lambda: perceptron_iterations(1.0, 3, 9, n_labels=1), "n_labels=1 is not valid"),
        (
            lambda: lemma7_separation(3, 0.1, size_ratio=2, bound="paper"),
            "size_ratio=2 .*not valid",
        ),
        (lambda: lemma7_separation(3, 0.1, n_trials=2, bound="paper"), "n_trials=2 .*not valid"),
        (lambda: lemma7_separation(3, 2.0), "delta=2.0 is not valid"),
        (lambda: lemma7_success_probability(3, -1.0), "separation=-1.0 is not valid"),
    ],
)
def test_arguments_out_of_range_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def small_sampler():
    return HierarchicalSampler(patches_per_class=2, random_state=0).fit()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: theorem1_params(2.5, 4, delta_min=1.0), "k=2.5 is not valid"),
        (lambda: theorem1_params(3, 4, delta_min=np.nan), "delta_min=nan is not valid"),
        (lambda: theorem1_params(3, 4, delta_min="1"), "delta_min='1' is not valid"),
        (lambda: theorem1_params(3, 4, delta_min=1.0, bound=["exact"]), r"bound=\['exact'\]"),
        (lambda: lemma5_probability(None), "theta=None is not valid"),
        (lambda: lemma7_success_probability(3, [1.0]), r"separation=\[1.0\] is not valid"),
        (lambda: lemma7_separation(3, 0.1, size_ratio=0.5), "size_ratio=0.5 is not valid"),
        (lambda: lemma1_margin(1e-310, 1), "separator_norm=1e-310.* .the result is infinite"),
        (lambda: lemma7_separation(10, 0.05, 1e308), "diameter=1e.308.* .the result is infinite"),
        (lambda: theorem1_params(3, 4, delta_min=5e-324), "delta_min=5e-324.* beyond the range"),
        (lambda: theorem3_params(3, 4, delta_min=1e-300), "delta_min=1e-300.* beyond the range"),
        (lambda: lemma7_separation(3, 0.1, size_ratio=1e308), "size_ratio=1e.308.* beyond the"),
        (
            lambda: theorem1_failure_probability([1, "x"], 3, [1.0], n_components=2),
            "max_iter is no array of numbers",
        ),
        (
            lambda: theorem1_failure_probability(9, 3, [np.nan], n_components=2),
            "distances holds NaN",
        ),
        (
            lambda: theorem1_failure_probability(9, 3, [0.3, -0.3], n_components=2),
            r"distances=\[ 0.3 -0.3\] of shape \(2,\) are not valid",
        ),
        (
            lambda: theorem1_failure_probability([9, 99], 3, [[0.3, 0.4]], n_components=2),
            r"of shape \(1, 2\) are not valid: .* of shape \(n_pairs,\)",
        ),
        (lambda: theorem1_failure_probability(9, 3, 0.3, n_components=2), "distances=0.3 of shape"),
        (lambda: theorem1_failure_probability(9, 3, [], n_components=2), "distances=.* of shape"),
        (
            lambda: theorem1_failure_probability([9, -9], 3, [0.3], n_components=2),
            r"max_iter=\[9, -9\] is not valid: it takes whole numbers >= 0",
        ),
        (
            lambda: theorem1_failure_probability(10.5, 3, [0.3], n_components=2),
            "max_iter=10.5 is not valid: it takes whole numbers >= 0",
        ),
        (
            lambda: certify_clusters(small_sampler(), 3, small_sampler().sample(2)[0], 1),
            "labels: for level 1",
        ),
        (lambda: class_distances([[0.0], [1.0]], 0), "n_classes=0 is not valid"),
        (lambda: class_distances([0.0, 1.0], 2), r"embedded of shape \(2,\) is not valid"),
    ],
)
def test_arguments_of_a_wrong_type_or_shape_or_too_large_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_ratios_beyond_floats_give_probabilities_of_0_and_1():
    p = theorem1_failure_probability([0, 1, 1e308], 3, [1e-300, 1e300], n_components=2, gamma=1e300)
    assert_allclose(p, 1)
    assert theorem1_failure_probability(1e308, 3, [1e308], n_components=2) == 0


def test_an_argument_that_is_no_sampler_is_refused():
    with pytest.raises(TypeError, match="sampler=3 is not valid: it takes a fitted Hierarchical"):
        theorem2_params(3)


def test_numpy_numbers_give_the_same_bounds_as_python_numbers():
    assert theorem2_runtime(2, 20, 30, 100, 1.0) == theorem2_runtime(
        *(np.uint8(n) for n in (2, 20, 30, 100)), np.float16(1)
    )
    assert perceptron_iterations(2.0, 40, 9) == perceptron_iterations(2.0, np.uint8(40), 9)
    expected = theorem1_params(30, 20, delta_min=0.25)
    assert theorem1_params(np.uint8(30), np.uint8(20), delta_min=np.float16(0.25)) == expected
