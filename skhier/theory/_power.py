"""Number of images at which the certificate of a level is complete: proved and predicted."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from math import log, sqrt
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm

from ._cells import CellProbabilities, log_expected_products

if TYPE_CHECKING:
    from ..generative import HierarchicalSampler


def smallest_count(holds: Callable[[int], bool]) -> int:
    """Return the smallest n >= 1 for which holds(n), which has to be true for all larger n too."""
    high = 1
    while not holds(high):
        high *= 2
        if high > 2**60:
            raise OverflowError("the number of images is too large")
    return bisect_left(range(high), True, lo=high // 2 + 1, key=holds)


def proved_samples(
    sampler: HierarchicalSampler,
    level: int,
    cells: CellProbabilities,
    delta: float,
    *,
    one_cell: bool = False,
) -> int:
    """Compute N of the theorem on the page 'How many images', in the notation of its proof.

    `one_cell`: an image is in one cell at most, as with one neighbour of one pixel.
    """
    k, (c, e) = cells.k, cells.pairs
    r = (cells.probabilities[c] + cells.probabilities[e]).reshape(len(c), -1)
    n_pairs, n_cells = r.shape
    n_events = n_pairs * (k**2 * (n_cells + 3) + n_cells + 1)
    x = log(2 * cells.n_codes * (cells.n_codes - 1) / delta)
    t = log(2 * n_events / delta)
    moments = _log_moments_of_one_cell(cells) if one_cell else _log_moments(sampler, level, cells)
    log_moments, rates = moments

    def is_complete(N):
        B = ((-N * log_moments - t) / rates).max(axis=1) / k
        n, w = _upper_bound(N * r, t), _upper_bound(N * r / k, t)
        V = n / k * (1 - 1 / k)
        mu = n.sum(axis=1) / k
        h = np.sqrt(2 * t * V.max(axis=1)) + t / 3
        threshold = 2 * np.sqrt(x * (w**2).sum(axis=1)) + 2 * x * w.max(axis=1)
        loss = mu / k + np.sqrt(2 * t * mu) + t / 3
        loss += np.sqrt(2 * t * (3 * V**2 + V).sum(axis=1))
        return bool(np.all((h <= B) & (B * (B - 2 * h) >= loss + threshold)))

    return smallest_count(is_complete)


def predicted_samples(cells: CellProbabilities, delta: float) -> int:
    """Predict N as if the S of a pair of codes were normal, by the evidence of one concentration.

    The evidence is that of a normal drift, of variance rho, which is close to it and at most as
    large. One half of it is the share of this concentration, so x has a summand log 2.
    """
    k, (c, e) = cells.k, cells.pairs
    d = (cells.probabilities[c] - cells.probabilities[e]).reshape(len(c), -1) / k
    v = (cells.probabilities[c] + cells.probabilities[e]).reshape(len(c), -1) / k
    # A negative quantile, at delta / k^2 > 1/2, would let N be so small that only a normal S could
    # reach the threshold.
    x, z = log(cells.n_codes**2 / delta), max(norm.isf(delta / k**2), 0.0)
    norm_v = np.linalg.norm(v, axis=1, keepdims=True)

    def is_complete(N):
        m, rho = N * v, 2 * sqrt(x) / (N * norm_v)
        w = rho / (1 + rho * m) / 2
        mean = (w * (m + (N * d) ** 2) - np.log1p(rho * m) / 2).sum(axis=1)
        variance = (w**2 * (2 * m**2 + 4 * (N * d) ** 2 * m)).sum(axis=1)
        return bool(np.all(mean - z * np.sqrt(variance) >= x))

    return smallest_count(is_complete)


def _upper_bound(mean, t):
    """Bound a sum of independent indicators of this mean, except with probability exp(-t)."""
    return mean + np.sqrt(2 * t * mean) + t / 3


def _log_moments(sampler, level, cells):
    """Compute log E exp(-rate <Y, u>) for each pair of classes and several rates, and the rates.

    Y is 1 in cells that show the first class, -1 in cells that show the second. The vector u is the
    direction of its mean.
    """
    first, second = cells.pairs
    mean = cells.probabilities[first] - cells.probabilities[second]
    length = np.sqrt((mean**2).sum(axis=(1, 2)))[:, None]
    # Every rate gives a valid bound; the best rates are below the length of the mean.
    rates = np.minimum(length * np.geomspace(1e-3, 10, 30), 300 / sqrt(mean.shape[2]))
    x = rates[:, :, None, None] * (mean / length[:, :, None])[:, None]
    return log_expected_products(sampler, level, cells, np.exp(-x), np.exp(x)), rates


def _log_moments_of_one_cell(cells):
    """Compute the same if no image is in two cells."""
    r_c, r_e = (cells.probabilities[i].reshape(len(i), 1, -1) for i in cells.pairs)
    length = np.linalg.norm(r_c - r_e, axis=2, keepdims=True)
    rates = np.minimum(length[:, 0] * np.geomspace(1e-3, 1e3, 40) / (r_c + r_e).max(axis=2), 300)
    x = rates[:, :, None] * (r_c - r_e) / length
    moments = (r_c * np.exp(-x) + r_e * np.exp(x)).sum(axis=2)
    in_no_cell = np.maximum(1 - (r_c + r_e).sum(axis=2), 0)
    return np.log(moments + in_no_cell + 1e-14), rates  # rounding errors stay on the safe side
