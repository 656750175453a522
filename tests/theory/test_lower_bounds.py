"""The lower bound 'pixels': the lemma and the theorem by enumeration, and groups by counts."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import binom, multinomial
from test_required_samples import draw_counts

from skhier import HierarchicalSampler
from skhier.embedding._factors import find_groups
from skhier.theory import necessary_samples
from skhier.theory._cells import CellProbabilities, cell_probabilities
from skhier.theory._lower_bounds import least_failure


def random_frequencies(n_classes, n_labels, n_positions, spread, seed=0):
    """Return probabilities of classes given the label: (n_classes, n_labels, n_positions)."""
    rng = np.random.default_rng(seed)
    rows = rng.dirichlet(np.full(n_classes, spread), size=(n_labels, n_positions))
    return rows.transpose(2, 0, 1)


def best_failure(p, k, N):
    """Return the probability of failure of the best algorithm, by enumeration of all data.

    Given the label, pixels are independent with probabilities p of classes. All assignments of
    codes to classes are equally likely. The algorithm knows p, and has to find the groups.
    """
    n_classes, n_labels, n_positions = p.shape
    assignments = [
        a
        for a in product(range(n_classes), repeat=n_classes * k)
        if all(a.count(c) == k for c in range(n_classes))
    ]
    pixels = p[np.array(assignments)] / k  # assignment, code, label, position
    images = np.ones((len(assignments), 1, n_labels)) / n_labels
    for j in range(n_positions):
        images = images[:, :, None] * pixels[:, None, :, :, j]
        images = images.reshape(len(assignments), -1, n_labels)
    images = data = images.reshape(len(assignments), -1)
    for _ in range(N - 1):
        data = (data[:, :, None] * images[:, None]).reshape(len(assignments), -1)
    groups = [tuple(list(dict.fromkeys(a)).index(c) for c in a) for a in assignments]
    names = sorted(set(groups))
    posterior = np.zeros((len(names), data.shape[1]))
    np.add.at(posterior, [names.index(g) for g in groups], data / len(assignments))
    return 1 - posterior.max(axis=0).sum()


@pytest.mark.parametrize(
    ("shape", "k", "numbers"),
    [
        ((2, 2, 2), 2, (1, 2, 3)),
        ((2, 2, 1), 3, (1, 3)),
        ((4, 1, 1), 2, (1, 2)),
        ((3, 2, 1), 2, (2,)),
    ],
)
@pytest.mark.parametrize("spread", [0.3, 5])
def test_no_algorithm_fails_less_often_than_the_bound(shape, k, numbers, spread):
    p = random_frequencies(*shape, spread)
    bound = least_failure(CellProbabilities(k, p / shape[1]))
    for N in numbers:
        assert 0 < bound(N) <= best_failure(p, k, N)


@pytest.mark.parametrize("seed", range(3))
def test_the_error_of_one_exchange_is_nearly_that_of_the_lemma(seed):
    # Classes of two codes, one pair of which is known: the bound is e / (1 + e), e the lemma's
    # bound on the error of the other one. An image shows one of five outcomes.
    p, k, N = random_frequencies(2, 2, 1, 3.0, seed)[:, :, 0], 2, 14
    e = np.array([[p[0, 0], p[1, 0], p[0, 1], p[1, 1]], [p[1, 0], p[0, 0], p[1, 1], p[0, 1]]]) / 4
    outcomes = np.column_stack([e, 1 - e.sum(axis=1)])
    counts = [n for n in product(range(N + 1), repeat=4) if sum(n) <= N]
    counts = np.column_stack([counts, N - np.sum(counts, axis=1)])
    error = np.minimum(*(multinomial.pmf(counts, N, q) for q in outcomes)).sum() / 2
    bound = least_failure(CellProbabilities(k, p[:, :, None] / 2))(N)
    assert 0.3 * error < bound / (1 - bound) <= error


def test_the_bound_falls_with_images_without_a_jump():
    p = random_frequencies(4, 2, 3, 2.0)
    bound = least_failure(CellProbabilities(30, p / 2))
    risks = np.array([bound(N) for N in range(1500)])
    assert risks[0] == pytest.approx(29 / 30)  # A = (k - 1) / 2 for each of two pairs of classes
    assert (np.diff(risks) < 0).all()
    assert (np.diff(risks) > -0.05).all()
    assert bound(10_000) < 0.01
    assert least_failure(CellProbabilities(1, p / 2))(1) == 0


def test_groups_by_counts_fail_more_often_than_delta_below_the_bound():
    # Two independent pixels: the root has all pairs of a multiset of classes for each pixel.
    pixels = {0: [(0, 0, 0, 1), (0, 1, 1, 1)], 1: [(0, 1, 1, 1), (0, 0, 1, 1)]}
    roots = [(label, pair) for label, sets in pixels.items() for pair in product(*sets)]
    k, delta, n_runs = 6, 0.1, 25
    sampler = HierarchicalSampler(
        1, n_semantic_classes=2, patches_per_class=k, patch_size=2, random_state=0
    ).fit([pair for _, pair in roots], [label for label, _ in roots])
    frequency = cell_probabilities(sampler, 0).probabilities[0] * 2
    np.testing.assert_allclose(frequency, [[0.75, 0.25], [0.25, 0.5]])
    N = necessary_samples(sampler, delta, "pixels") - 1
    assert necessary_samples(sampler, delta) < N
    failures = 0
    for counts in draw_counts(sampler, 0, N, n_runs, seed=0):
        roots_of_counts = np.sqrt(np.concatenate(counts, axis=1))
        groups = find_groups(roots_of_counts, None, 2, np.random.RandomState(0)).reshape(2, k)
        failures += not ((groups == groups[:, :1]).all() and groups[0, 0] != groups[1, 0])
    assert failures > binom.isf(1e-6, n_runs, delta)
