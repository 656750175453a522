"""Pseudorandom permutation of range(n), computed entry by entry: no table is stored."""

from math import isqrt

import numpy as np

from ._streams import random_words

# Pairs of half rounds. With 4, three entries of small n are visibly dependent; with 8, none are.
_N_ROUNDS = 8


class Permutation:
    r"""Pseudorandom permutation of range(n): a Feistel network with cycle walking.

    The generalized Feistel network of Black and Rogaway (2002, "Ciphers with arbitrary finite
    domains") maps pairs (l, r) in :math:`Z_a \times Z_b`, with :math:`n \le a b < n + a` and
    :math:`a = \lceil \sqrt n \rceil`. A half round adds a random function of one part to the
    other part, so it is a bijection:

    .. math:: l \leftarrow l + F(r) \mod a, \qquad r \leftarrow r + F'(l) \mod b.

    A number that leaves range(n) is mapped again, until it is back.

    Parameters
    ----------
    n : int
        Number of entries, from 1 to 2**63.
    seed : int
        Seed, from 0 to 2**63 - 1.
    """

    def __init__(self, n, seed):
        self._n = np.uint64(n)
        a = isqrt(n - 1) + 1
        self._a, self._b = np.uint64(a), np.uint64(-(-n // a))
        self._keys = random_words(np.array([seed], np.uint64), np.arange(2 * _N_ROUNDS))

    def __call__(self, indices):
        """Return the entries at the given indices, uint64 in range(n)."""
        entries = self._rounds(np.asarray(indices).astype(np.uint64))
        while (outside := np.flatnonzero(entries >= self._n)).size:
            entries[outside] = self._rounds(entries[outside])
        return entries

    def _rounds(self, x):
        left, right = x % self._a, x // self._a
        for key, other_key in self._keys.reshape(_N_ROUNDS, 2, 1):
            left += random_words(key, right) >> np.uint64(1)  # the sum is less than 2**64
            left %= self._a
            right += random_words(other_key, left) >> np.uint64(1)
            right %= self._b
        return left + self._a * right
