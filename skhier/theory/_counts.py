"""Number of images at which groups of counts are the classes: the theorem with its constants.

A code is the vector of square roots of its counts in all cells. Groups are those of k-means.
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, log, pi, sqrt
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln, logsumexp
from scipy.stats import binom

from ._cells import log_expected_products
from ._power import smallest_count

if TYPE_CHECKING:
    from ..generative import HierarchicalSampler
    from ._cells import CellProbabilities

# The exponential moments of a pair of counts are summed exactly up to this total, and bounded
# above it.
_MAX_TOTAL = 1000
_UPPER_RATES = np.array([0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5])
_LOWER_RATES = -np.array([0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.0, 3.0])


def proved_counts(
    sampler: HierarchicalSampler, level: int, cells: CellProbabilities, delta: float
) -> int:
    """Compute N of the theorem on the page 'Groups by counts', in the notation of its proof."""
    k, C = cells.k, cells.n_classes
    r = cells.probabilities.reshape(C, -1)
    n_within, n_between = C * k * (k - 1) // 2, C * (C - 1) // 2 * k**2
    x = log(2 * (2 * n_within + n_between) / delta)
    risk = delta / (2 * max(n_within, 1) * r.shape[1])
    log_moments, rates = _signal_moments(sampler, level, cells)

    def is_grouped(N):
        B = ((-N * log_moments - x) / rates).max(axis=1)
        if k == 1:  # any two codes differ
            return bool((B > 0).all())
        least = binom.ppf(risk, N, np.minimum(2 * r / k, 1)).clip(min=0)
        w2 = ((_noise(least, _UPPER_RATES) + x) / _UPPER_RATES).min(axis=1)
        v2 = ((_noise(least, _LOWER_RATES) + x) / _LOWER_RATES).max(axis=1).clip(min=0)
        return bool((2 * w2.max() - v2.min() < B).all())

    return smallest_count(is_grouped)


def _noise(least, rates):
    """Sum bounds of log E exp(rate T_m), m >= `least`, over cells: (n_classes, n_rates)."""
    bound = noise_moments(tuple(rates))
    return bound[:, least.clip(max=_MAX_TOTAL + 1).astype(int)].sum(axis=2).T


@lru_cache
def noise_moments(rates: tuple[float, ...]) -> np.ndarray:
    r"""Bound the exponential moments of the noise of two codes of a class in a cell.

    Parameters
    ----------
    rates : tuple of float
        Rates u <= 1 / 2; negative ones are for the lower tail.

    Returns
    -------
    bounds : ndarray of shape (n_rates, _MAX_TOTAL + 2)
        Column n is a bound for all m >= n on :math:`\log E \exp(u T_m)`, :math:`T_m = (\sqrt A -
        \sqrt{m - A})^2`, A binomial with m fair coins.
    """
    u = np.array(rates)[:, None]
    bounds = np.empty((len(u), _MAX_TOTAL + 2))
    for m in range(_MAX_TOTAL + 1):
        a = np.arange(m + 1)
        log_probability = gammaln(m + 1) - gammaln(a + 1) - gammaln(m - a + 1) - m * log(2)
        T = (np.sqrt(a) - np.sqrt(m - a)) ** 2
        bounds[:, m] = logsumexp(log_probability + u * T, axis=1)
    bounds[:, -1] = [_moment_of_large_totals(rate) for rate in rates]
    return np.maximum.accumulate(bounds[:, ::-1], axis=1)[:, ::-1] + 1e-12  # rounding is safe


def _moment_of_large_totals(u, share=0.3):
    """Bound log E exp(u T_m) for all m > _MAX_TOTAL; `share` is any s in (0, 1) of the proof."""
    M = _MAX_TOTAL
    if u < 0:
        return log(1 / sqrt(1 - u) + 2 * exp(pi**2 * M / (8 * u)))
    p = (1 + share) / 2
    divergence = p * log(2 * p) + (1 - p) * log(2 * (1 - p))
    left = 1 - u / log(2)
    theta = u / (1 + sqrt(1 - share**2))
    return log(1 / sqrt(1 - 2 * theta) + 2 * exp(-left * M * divergence) / left)


def class_weights(cells: CellProbabilities) -> tuple[np.ndarray, np.ndarray]:
    r"""Compute weights of two counts whose sum is at most :math:`(\sqrt A - \sqrt B)^2`.

    Returns
    -------
    first, second : ndarray of shape (n_pairs, n_labels, n_positions)
        :math:`1 - s` and :math:`1 - 1 / s` for each pair of classes and cell, with :math:`s =
        \sqrt{r_e / r_c}`, for which the sum is equal where counts are in proportion to r. 1 for the
        class that occurs if the other one does not.
    """
    r_c, r_e = (cells.probabilities[index] for index in cells.pairs)
    both = (r_c > 0) & (r_e > 0)
    s = np.sqrt(np.where(both, r_e, 1) / np.where(both, r_c, 1))
    return np.where(both, 1 - s, r_c > 0), np.where(both, 1 - 1 / s, r_e > 0)


def _signal_moments(sampler, level, cells):
    """Compute log E exp(-rate Y) for each pair of classes and several rates, and the rates."""
    first, second = class_weights(cells)
    steepest = np.maximum(np.abs(first), np.abs(second)).max(axis=(1, 2), keepdims=True)
    # Every rate gives a valid bound. Exponents of a whole image stay in the range of floats.
    rates = np.geomspace(1e-4, 4, 30) * np.ones((len(first), 1))
    rates = np.minimum(rates, 300 / (steepest[:, 0] * cells.probabilities.shape[2]))
    rates = rates[:, :, None, None]
    mixtures = [1 + np.expm1(-rates * weight[:, None]) / cells.k for weight in (first, second)]
    return log_expected_products(sampler, level, cells, *mixtures), rates[:, :, 0, 0]
