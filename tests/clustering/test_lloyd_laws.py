"""The end of Lloyd's iterations, and the samples that first centers are chosen from."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skhier import SphericalKMeans
from skhier.clustering._lloyd import Directions, count_distinct_directions, unit_rows


@pytest.mark.parametrize("n_clusters", [3, 4, 8])
def test_a_run_does_not_end_while_clusters_are_empty(n_clusters):
    # No sample is nearest to any center but the first. The samples farthest from it are copies
    # of each other, so an iteration fills one cluster only. Every iteration satisfies tol=1.
    X = np.eye(n_clusters).repeat(10, axis=0)
    init = np.ones((n_clusters, n_clusters)) + 1e-3 * np.eye(n_clusters)
    init[1:] *= -1
    km = SphericalKMeans(n_clusters, init=init, tol=1.0).fit(X)
    assert len(np.unique(km.labels_)) == n_clusters


def test_rare_directions_fill_empty_clusters_by_iterations_that_gain_little():
    # There are two rare directions, 5 copies each, and two empty clusters. The first iteration
    # moves both unused centers to the same rare direction, and lowers the inertia by 2e-7 of it.
    common = np.array([[1.0, 1.0, 0, 0], [1.0, -1.0, 0, 0]]).repeat(50, axis=0)
    rare = np.array([[0, 0, 1.0, 0], [0, 0, 0, 1.0]]).repeat(5, axis=0)
    weight = np.r_[np.ones(100), np.full(10, 1e-6)]
    init = [[1.0, 0, 0, 0], [-1.0, -1e-3, -1, -1], [-1.0, 1e-3, -1, -1]]
    km = SphericalKMeans(3, init=init).fit(np.r_[common, rare], sample_weight=weight)
    assert (-np.diff(km.inertia_curve_) < km.tol * km.inertia_).all()
    assert_array_equal(np.unique(km.labels_[-10:]), [1, 2])
    assert_array_equal(km.labels_[:-10], 0)


def test_an_iteration_that_empties_a_cluster_is_not_the_last_by_tolerance():
    # The middle cluster has two samples near its borders. The first update moves both outer
    # centers a little nearer, so the middle cluster loses them, and the inertia hardly falls.
    step, spread = 4e-4, np.linspace(-0.4, 0.4, 100)
    first = np.array([-step, 1.0, 2 + step])
    angles = np.r_[step + spread, 0.5001, 1.4999, 2 - step - spread]
    X, init = (np.c_[np.cos(a), np.sin(a)] for a in (angles, first))
    assert len(np.unique(SphericalKMeans(3, init=init).fit(X).labels_)) == 3


def samples_with_one_far(n_samples):
    """Return samples of nearly the same direction. Only the last one is orthogonal to them."""
    X = np.zeros((n_samples, 3))
    X[:, 0] = 1
    X[:, 1] = np.linspace(0, 1e-3, n_samples)
    X[-1] = [0, 0, 1]
    return X


def far_sample_is_a_first_center(X, init_size, seed):
    """Fit two clusters, and return whether the far sample is one of the first centers.

    K-means++ chooses the far sample if it is a candidate, since all other distances are below
    1e-6. If it is no first center, it adds its distance, 1, to the inertia at the first centers.
    """
    km = SphericalKMeans(2, init_size=init_size, random_state=seed).fit(X)
    return km.inertia_curve_[0] < 0.5


@pytest.mark.parametrize(("init_size", "fraction"), [(20, 0.5), (30, 0.75), (40, 1), (None, 1)])
def test_first_centers_are_chosen_among_init_size_random_samples(init_size, fraction):
    X, n_runs = samples_with_one_far(40), 150
    n_chosen = sum(far_sample_is_a_first_center(X, init_size, seed) for seed in range(n_runs))
    deviation = np.sqrt(n_runs * fraction * (1 - fraction))
    assert abs(n_chosen - n_runs * fraction) <= 3 * deviation


def test_init_size_is_at_least_ten_samples_for_each_cluster():
    X, n_runs = samples_with_one_far(40), 20
    for seed in range(n_runs):
        assert far_sample_is_a_first_center(X, 1, seed) == far_sample_is_a_first_center(X, 20, seed)
        assert far_sample_is_a_first_center(X[-20:], 1, seed)


@pytest.mark.parametrize("params", [{"init": "random"}, {"n_clusters": 257}], ids=str)
def test_init_size_changes_greedy_kmeans_plusplus_only(params):
    params = {"n_clusters": 3, "max_iter": 1, "random_state": 0} | params
    X = np.random.default_rng(0).standard_normal((3000, 3))
    few = SphericalKMeans(init_size=1, **params).fit(X)
    assert_array_equal(few.cluster_centers_, SphericalKMeans(**params).fit(X).cluster_centers_)


def test_an_iteration_that_moves_a_center_to_a_sample_is_not_the_last_by_tolerance():
    # The third center is opposite to all samples. It moves to the farthest sample, and its cluster
    # settles in the iteration after that.
    angles = np.r_[np.linspace(0, 0.1, 20), np.linspace(1, 1.4, 20)]
    X = np.c_[np.cos(angles), np.sin(angles)]
    init = np.array([[1.0, 0.05], [0.4, 1.0], [-1.0, -1.0]])
    km = SphericalKMeans(3, init=init, tol=1.0).fit(X)
    assert km.n_iter_ == 2
    assert len(np.unique(km.labels_)) == 3
    assert km.inertia_ < km.inertia_curve_[1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n_features", "n_directions"), [(2, 9), (54, 5), (200, 60)])
def test_directions_of_scaled_vectors_are_counted_without_rounding(n_features, n_directions, dtype):
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((n_directions, n_features))
    X = np.tile(directions, (200, 1)) * rng.uniform(0.01, 100, (200 * n_directions, 1))
    X = np.r_[X, np.zeros((3, n_features))].astype(dtype)
    parts = [Directions(1000), Directions(1000)]
    for part, half in zip(parts, unit_rows(X).chunk(2)):
        part.add(half)
    assert count_distinct_directions(X, 1000) == n_directions
    assert (parts[0] + parts[1]).count == n_directions
    assert count_distinct_directions(X, 3) == 3


def test_many_directions_that_are_near_to_each_other_are_counted_up_to_the_limit():
    angles = np.linspace(0, np.pi, 300_000)
    circle = np.c_[np.cos(angles), np.sin(angles)].astype(np.float32)
    shuffled = np.random.default_rng(0).permutation(circle)
    assert count_distinct_directions(shuffled, 2000) == 2000
