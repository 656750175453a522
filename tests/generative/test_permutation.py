import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skhier.generative._permutation import Permutation


@pytest.mark.parametrize("n", [*range(1, 40), 100, 1023, 1024, 1025, 4097])
def test_every_entry_occurs_once(n):
    for seed in (0, 1, 2**63 - 1):
        assert_array_equal(np.sort(Permutation(n, seed)(np.arange(n))), np.arange(n))


def test_pairs_of_entries_are_uniform_over_seeds():
    # Few entries are the hardest case of a Feistel network: 4 pairs of half rounds fail here.
    n, n_seeds = 6, 4000
    entries = np.array([Permutation(n, seed)([0, 1]) for seed in range(n_seeds)], np.int64)
    counts = np.bincount(entries[:, 0] * n + entries[:, 1], minlength=n * n).reshape(n, n)
    assert not counts.diagonal().any()
    expected, df = n_seeds / (n * (n - 1)), n * (n - 1) - 1
    chi2 = ((counts - expected) ** 2 / expected).sum() - n * expected
    assert chi2 < df + 5 * np.sqrt(2 * df)


@pytest.mark.parametrize("n", [2**32 + 1, 10**18, 2**63])
def test_far_entries_of_long_permutations_differ_and_are_uniform(n):
    n_entries = 10_000
    permutation = Permutation(n, 3)
    near = np.arange(n_entries)
    entries = [permutation(near), permutation(near + (n - n_entries))]
    assert len(np.unique(entries)) == 2 * n_entries
    for part in entries:
        assert part.max() < n
        counts = np.histogram(part / n, bins=20, range=(0, 1))[0]
        expected = n_entries / 20
        assert ((counts - expected) ** 2 / expected).sum() < 19 + 5 * np.sqrt(38)


def test_entries_do_not_depend_on_other_entries():
    permutation = Permutation(10**9, 7)
    whole = permutation(np.arange(1000))
    assert_array_equal(permutation(range(500, 600)), whole[500:600])
    assert_array_equal(permutation([999, 3]), whole[[999, 3]])
