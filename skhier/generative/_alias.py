"""Draws from many discrete distributions, by Walker's alias method."""

import numpy as np

from ._streams import multiply_bits


class AliasTable:
    """Lookup table of n distributions over k values each.

    A value is drawn uniformly. If 32 more random bits are not below its threshold, it is replaced
    by its alias.

    Parameters
    ----------
    weights : ndarray of shape (n, k)
        Probability of each value; rows sum to 1.
    """

    def __init__(self, weights):
        self._k = weights.shape[1]
        self.is_uniform = np.ptp(weights) == 0
        if not self.is_uniform:
            self._threshold, self._alias = _tables(weights)

    def draw(self, rows, bits):
        """Draw from distributions, given by their rows, with 32 random bits for each.

        Returns
        -------
        drawn : ndarray of the shape of `rows`
            Numbers row * k + value.
        """
        product = multiply_bits(bits, self._k).reshape(rows.shape)
        drawn = (product >> np.uint64(32)).view(np.int64)
        drawn += rows * self._k
        if not self.is_uniform:
            product &= np.uint64(0xFFFFFFFF)
            drawn = np.where(product < self._threshold.take(drawn), drawn, self._alias.take(drawn))
        return drawn


def _tables(weights):
    """Compute the threshold and the alias of each value of each row."""
    n, k = weights.shape
    threshold = np.full(n * k, 2**32, np.uint64)
    alias = np.arange(n * k)
    for row, scaled in enumerate(weights * k):
        small = [j for j in range(k) if scaled[j] < 1]
        large = [j for j in range(k) if scaled[j] >= 1]
        while small and large:
            j, donor = small.pop(), large[-1]
            threshold[row * k + j] = round(scaled[j] * 2**32)
            alias[row * k + j] = row * k + donor
            scaled[donor] -= 1 - scaled[j]
            if scaled[donor] < 1:
                small.append(large.pop())
    return threshold, alias
