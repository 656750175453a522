"""Distinct patches of images with their numbers, in place of all patches."""

from math import prod

import numpy as np

from .._base._device import as_tensor
from .._base._rows import Accumulator


class DistinctPatches(Accumulator):
    """Accumulator of the distinct patches of images, as long as they are few.

    Parameters
    ----------
    grid : PatchGrid
        Positions of patches.
    border : ndarray of shape (C,)
        Subtracted from pixels; the rows have its dtype.
    limit : int
        Largest number of distinct patches.

    Attributes
    ----------
    rows : ndarray of shape (n_distinct, patch height * width * channels)
        The distinct patches in the order of their bytes, so that the order of the images makes no
        difference. Empty if there are more than `limit`.
    weights : ndarray of shape (n_distinct,)
        Sum of the weights of the images of equal patches, in float64.
    has_more : bool
        Whether there are more than `limit`.
    """

    def __init__(self, grid, border, limit):
        self._grid, self._border, self._limit = grid, border, int(limit)
        self.rows = np.empty((0, prod(grid.patch_shape)), border.dtype)
        self.weights, self.has_more = np.empty(0), False

    def add(self, images, weight=None):
        """Add all patches of images (n, H, W, C) with weights (n,), all 1 for None."""
        if self.has_more:
            return
        border = as_tensor(self._border)
        windows = self._grid.windows(as_tensor(images), border)
        rows = windows.reshape(-1, self.rows.shape[1]).cpu().numpy() + 0  # -0.0 becomes 0.0
        weight = np.ones(len(images)) if weight is None else np.asarray(weight, np.float64)
        self._join(rows, np.repeat(weight, prod(self._grid.map_shape)))

    def __add__(self, other):
        both = DistinctPatches(self._grid, self._border, self._limit)
        both.has_more = self.has_more or other.has_more
        if not both.has_more:
            both.rows, both.weights = self.rows, self.weights
            both._join(other.rows, other.weights)
        return both

    def _join(self, rows, weights):
        rows, weights = np.concatenate([self.rows, rows]), np.concatenate([self.weights, weights])
        first, inverse = distinct_rows(rows)
        self.has_more = len(first) > self._limit
        if self.has_more:
            first, inverse, weights = first[:0], inverse[:0], weights[:0]
        self.rows, self.weights = rows[first], np.bincount(inverse, weights, len(first))


def distinct_rows(rows):
    """Return the first of each group of equal rows, in the order of bytes, and all groups."""
    bits = np.ascontiguousarray(rows).view(f"u{rows.itemsize}")
    factors = np.random.default_rng(0).integers(1, 2**63, rows.shape[1], np.uint64)
    # Hashes are sorted many times faster than rows. A collision of unequal rows is detected.
    _, first, inverse = np.unique(
        (bits * (2 * factors + 1)).sum(axis=1, dtype=np.uint64),
        return_index=True,
        return_inverse=True,
    )
    if not np.array_equal(bits[first][inverse], bits):
        first, inverse = np.unique(_as_bytes(bits), return_index=True, return_inverse=True)[1:]
    order = np.argsort(_as_bytes(bits[first]))
    rank = np.empty(len(order), np.intp)
    rank[order] = np.arange(len(order))
    return first[order], rank[inverse]


def _as_bytes(bits):
    return np.ascontiguousarray(bits).view(f"V{bits.itemsize * bits.shape[1]}").ravel()
