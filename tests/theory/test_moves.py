"""Moves of single codes: cumulants, moments of square roots, and the rate in simulations."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import norm, poisson

from skhier.theory._moves import FEW, Points, _cumulants, move_score


def sparse_means(mean=2.0, n_own=4, n_both=2):
    """Return means of counts of two classes that share a few of their cells, and multiplicities."""
    return np.array([[mean, mean, 0], [0, mean, mean]]), np.array([n_own, n_both, n_own])


def simulated(m, multiplicity, k, n_runs, seed):
    """Return costs of moves of a code of class 0 to class 1: (n_runs,)."""
    rng = np.random.default_rng(seed)
    m = np.repeat(m, multiplicity, axis=1)
    x, *others = np.sqrt(rng.poisson(m[0], size=(k, n_runs, m.shape[1])))
    of_e = np.sqrt(rng.poisson(m[1], size=(k, n_runs, m.shape[1])))
    to_e = ((x - of_e.mean(axis=0)) ** 2).sum(axis=1)
    to_c = ((x - np.mean(others, axis=0)) ** 2).sum(axis=1)
    return k / (k + 1) * to_e - (k - 1) / k * to_c


@pytest.mark.parametrize("mean", [0, 0.01, 1, FEW - 0.01, FEW + 0.01, 40, 300])
def test_square_roots_have_the_mean_and_variance_of_poisson_counts(mean):
    points = Points.square_roots(np.ones(1), np.full((1, 1), float(mean)))
    n = np.arange(1000)
    p = poisson.pmf(n, mean)
    expected = p @ np.sqrt(n)
    assert_allclose(points.means[0, 0], expected, atol=1e-4)
    assert_allclose(points.variances[0, 0], mean - expected**2, atol=2e-4)
    p, x = np.exp(points.log_probabilities[0, 0]), points.values[0, 0]
    assert_allclose(p.sum(), 1)
    assert_allclose(p @ x, points.means[0, 0], atol=1e-12)
    assert_allclose(p @ x**2 - (p @ x) ** 2, points.variances[0, 0], atol=1e-9)


@pytest.mark.parametrize("k", [2, 3, 8])
@pytest.mark.parametrize("is_normal", [False, True])
def test_derivatives_of_the_cumulant_function_are_those_of_differences(k, is_normal):
    m, multiplicity = sparse_means()
    points = Points.square_roots(multiplicity, m)
    if is_normal:
        points = Points.normal(multiplicity, points.means, points.variances)
    cumulants, h = _cumulants(points, 0, 1, k), 1e-5
    assert_allclose(cumulants(0.0)[0], 0, atol=1e-12)
    for t in (0.0, 0.2, 0.5):
        (above, slope_above, _), (below, slope_below, _) = cumulants(t + h), cumulants(t - h)
        _, slope, curvature = cumulants(t)
        assert_allclose((above - below) / (2 * h), slope, rtol=1e-6, atol=1e-7)
        assert_allclose((slope_above - slope_below) / (2 * h), curvature, rtol=1e-6)


@pytest.mark.parametrize("k", [3, 8])
def test_moments_of_the_cost_are_those_of_simulations(k):
    m, multiplicity = sparse_means()
    points = Points.square_roots(multiplicity, m)
    _, slope, variance = _cumulants(points, 0, 1, k)(0.0)
    costs = simulated(m, multiplicity, k, 20_000, seed=1)
    assert abs(costs.mean() + slope) < 5 * costs.std() / np.sqrt(len(costs))
    assert_allclose(variance, costs.var(), rtol=0.06)


@pytest.mark.parametrize(("mean", "n_own", "n_both"), [(3.0, 3, 3), (2.0, 4, 2)])
def test_codes_of_few_cells_are_moved_as_often_as_in_simulations(mean, n_own, n_both):
    m, multiplicity = sparse_means(mean, n_own, n_both)
    points = Points.square_roots(multiplicity, m)
    score, variance = move_score(points, 0, 1, 3)
    rates = [(simulated(m, multiplicity, 3, 20_000, seed) < 0).mean() for seed in range(10)]
    rate = np.mean(rates)  # of 200,000: 60 and 290 moves
    assert_allclose(norm.sf(score), rate, rtol=0.4)
    # A normal cost is moved too seldom: codes that happen to be seen a few times decide.
    _, slope, _ = _cumulants(points, 0, 1, 3)(0.0)
    assert norm.sf(-slope / np.sqrt(variance)) < rate / 2


def test_the_score_grows_smoothly_with_counts():
    # Newton's steps from the normal solution would not converge in some of these.
    multiplicity = np.array([1, 2, 2, 1, 1, 1])
    shares = np.array([[0, 1, 1, 0, 1, 1], [0, 0, 1, 1, 1, 2]])
    scores = [
        move_score(Points.square_roots(multiplicity, scale * shares), 0, 1, 4)[0]
        for scale in np.linspace(3, 7.8, 49)  # counts of normal square roots are not reached
    ]
    changes = np.diff(scores)
    assert (changes > 0).all()
    assert (changes[1:] < 1.3 * changes[:-1]).all()


def test_a_move_is_as_improbable_as_its_normal_score_where_counts_are_large():
    m = np.array([[900.0, 1000.0, 1100.0], [1000.0, 1000.0, 1000.0]])
    points = Points.square_roots(np.full(3, 4), m)
    _, slope, variance = _cumulants(points, 0, 1, 5)(0.0)
    assert_allclose(move_score(points, 0, 1, 5)[0], -slope / np.sqrt(variance), rtol=0.1)
