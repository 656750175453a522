"""SphericalKMeans: distances, updates, seeding and unusual samples."""

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import chisquare
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.pairwise import cosine_distances

from skhier import SphericalKMeans
from skhier.clustering._seeding import kmeans_plusplus_in_rounds


@pytest.fixture
def X():
    return np.random.default_rng(0).standard_normal((500, 6))


def test_transform_is_the_cosine_distance(X):
    km = SphericalKMeans(5, random_state=0).fit(X)
    assert_allclose(km.transform(X), cosine_distances(X, km.cluster_centers_), atol=1e-12)
    assert_array_equal(km.predict(X), km.transform(X).argmin(axis=1))
    assert_array_equal(km.predict(X), km.labels_)
    assert_allclose(km.inertia_, km.transform(X).min(axis=1).sum())
    assert_allclose(km.score(X), -km.inertia_)


def test_centers_are_the_directions_of_their_clusters(X):
    km = SphericalKMeans(5, tol=0, max_iter=1000, random_state=0).fit(X)
    units = X / np.linalg.norm(X, axis=1, keepdims=True)
    for label, center in enumerate(km.cluster_centers_):
        total = units[km.labels_ == label].sum(axis=0)
        assert_allclose(center, total / np.linalg.norm(total), atol=1e-12)


def test_centers_of_euclidean_k_means_are_improved(X):
    units = X / np.linalg.norm(X, axis=1, keepdims=True)
    euclidean = KMeans(8, n_init=10, random_state=0).fit(units).cluster_centers_
    inertia = cosine_distances(X, euclidean).min(axis=1).sum()
    km = SphericalKMeans(8, init=euclidean).fit(X)
    assert km.inertia_curve_[0] == pytest.approx(inertia)
    assert km.inertia_ < inertia


def test_well_separated_directions_are_found():
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(10), 50)
    X = (np.eye(10)[y] + 0.1 * rng.standard_normal((500, 10))) * rng.uniform(0.1, 10, (500, 1))
    km = SphericalKMeans(10, random_state=0).fit(X)
    assert adjusted_rand_score(km.labels_, y) == 1


def test_empty_clusters_get_samples():
    X = np.eye(4).repeat(5, axis=0)
    init = np.ones((4, 4)) + 1e-3 * np.eye(4)
    init[1:] = -init[1:]  # no sample is nearest to the last three centers
    km = SphericalKMeans(4, init=init).fit(X)
    assert_allclose(km.inertia_, 0, atol=1e-12)
    assert len(np.unique(km.labels_)) == 4


def test_zero_vectors_change_nothing_and_get_label_0(X):
    with_zeros = np.vstack([X, np.zeros((20, 6))])
    km = SphericalKMeans(5, random_state=0).fit(X)
    km0 = SphericalKMeans(5, random_state=0).fit(with_zeros)
    assert_allclose(km0.cluster_centers_, km.cluster_centers_)
    assert_array_equal(km0.labels_[500:], 0)
    assert_allclose(km0.inertia_, km.inertia_ + 20)


def test_n_init_keeps_the_best_run(X):
    runs = [SphericalKMeans(20, random_state=s).fit(X).inertia_ for s in range(3)]
    assert len(set(runs)) > 1
    assert SphericalKMeans(20, n_init=20, random_state=0).fit(X).inertia_ <= min(runs)


@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_order_and_scale_of_samples_do_not_matter(X, init):
    order = np.random.default_rng(1).permutation(len(X))
    km = SphericalKMeans(5, init=init, random_state=0).fit(X)
    other = SphericalKMeans(5, init=init, random_state=0).fit(3 * X[order])
    assert_allclose(other.cluster_centers_, km.cluster_centers_)
    assert_array_equal(other.labels_, km.labels_[order])


def test_global_generators_are_untouched(X):
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    SphericalKMeans(5).fit(X)
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_clusters": 6}, "n_clusters=6 is more than the number of samples, n_samples=5"),
        ({"n_clusters": 2, "init": np.ones((3, 3))}, r"init has shape \(3, 3\)"),
        ({"n_clusters": 2, "init": np.zeros((2, 3))}, "init holds a zero"),
        ({"n_clusters": 0}, "n_clusters"),
        ({"n_clusters": 2, "device": "toaster"}, "device='toaster'"),
    ],
)
def test_bad_parameters_are_refused(params, message):
    X = np.array([[1.0, 0, 0], [2, 0, 0], [0, 1, 0], [0, 0, 3], [0, 0, 0]])
    with pytest.raises(ValueError, match=message):
        SphericalKMeans(**params).fit(X)


@pytest.mark.parametrize("init", ["k-means++", "random"])
@pytest.mark.parametrize("n_clusters", [4, 300])
def test_more_clusters_than_directions_raise_the_warning_of_scikit_learn(init, n_clusters):
    X = np.repeat([[1.0, 0, 0], [2, 0, 0], [0, 1, 0], [0, 0, 3], [0, 0, 0]], 60, axis=0)
    with pytest.warns(ConvergenceWarning, match=f"{n_clusters} is more than the 3 distinct"):
        km = SphericalKMeans(n_clusters, init=init, random_state=0).fit(X)
    assert km.cluster_centers_.shape == (n_clusters, 3)
    assert_allclose(np.linalg.norm(km.cluster_centers_, axis=1), 1)
    assert_allclose(km.inertia_, 60)  # the zero vectors; all others lie on a center
    assert len(set(km.labels_[:240])) == 3


def test_vectors_without_direction_raise_a_warning():
    with pytest.warns(ConvergenceWarning, match="have no direction, all are 0"):
        km = SphericalKMeans(2, random_state=0).fit(np.zeros((5, 3)))
    assert_allclose(np.linalg.norm(km.cluster_centers_, axis=1), 1)
    assert_array_equal(km.predict(np.zeros((5, 3))), 0)


def test_negative_weights_are_refused(X):
    with pytest.raises(ValueError, match="Negative values"):
        SphericalKMeans().fit(X, sample_weight=-np.ones(len(X)))


def test_many_distinct_directions_are_all_found():
    X = np.random.default_rng(0).standard_normal((300, 5))
    km = SphericalKMeans(300, random_state=0).fit(np.repeat(X, range(1, 301), axis=0))
    assert_allclose(km.inertia_, 0, atol=1e-10)


def test_seeding_in_rounds_has_the_distribution_of_k_means_plus_plus():
    """Compare frequencies of seeds with their probabilities, which are computed exactly."""
    angles = np.array([0.0, 0.2, 1.0, 1.3, 2.5])
    units = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    weight = np.array([1.0, 2.0, 1.0, 0.5, 1.0])
    distance = 1 - units @ units.T
    expected = dict.fromkeys(permutations(range(5), 3), 0.0)
    for first, second, third in expected:
        near_one = weight * distance[first]
        near_two = weight * np.minimum(distance[first], distance[second])
        expected[first, second, third] = (
            weight[first]
            / weight.sum()
            * (near_one[second] / near_one.sum())
            * (near_two[third] / near_two.sum())
        )
    assert sum(expected.values()) == pytest.approx(1)
    rng = np.random.RandomState(0)
    n = 2500
    counts = Counter(tuple(kmeans_plusplus_in_rounds(units, weight, 3, rng)) for _ in range(n))
    observed = np.array([counts[seeds] for seeds in expected])
    assert observed.sum() == n
    p = np.array(list(expected.values()))
    often = n * p > 5
    f_exp = p[often] / p[often].sum() * observed[often].sum()
    assert chisquare(observed[often], f_exp).pvalue > 1e-3


def test_n_clusters_may_be_a_small_int_of_numpy():
    X = np.tile(np.eye(2), (500, 1))
    with pytest.warns(ConvergenceWarning, match="more than the 2 distinct directions"):
        labels = SphericalKMeans(np.uint8(3), random_state=0).fit(X).labels_
    assert len(set(labels)) == 2


def test_first_centers_beyond_the_range_of_float32_are_refused():
    X = np.eye(2, dtype=np.float32)
    with pytest.raises(ValueError, match="init holds a zero or not finite row"):
        SphericalKMeans(2, init=[[1e300, 1.0], [1.0, 0.0]]).fit(X)


@pytest.mark.parametrize(
    "init", [{}, [[np.nan, 1.0]], [[1j, 0]], torch.ones(1, 2).requires_grad_()]
)
def test_first_centers_that_are_not_finite_real_numbers_are_refused(init):
    with pytest.raises(ValueError, match="init"):
        SphericalKMeans(1, init=init).fit(np.eye(2))


def test_n_clusters_true_is_one_cluster():
    with pytest.warns(ConvergenceWarning):
        kmeans = SphericalKMeans(True).fit(np.zeros((3, 2)))
    assert kmeans.cluster_centers_.shape == (1, 2)
