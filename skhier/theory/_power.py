"""The proved number of images: when the certificate of a level is complete."""

from __future__ import annotations

from math import log, prod, sqrt
from typing import TYPE_CHECKING

import numpy as np

from ._search import smallest_count

if TYPE_CHECKING:
    from ..generative import HierarchicalSampler
    from ._cells import Cells


def certified_samples(sampler: HierarchicalSampler, level: int, cells: Cells, delta: float) -> int:
    """N of the theorem of the page 'How many images': names are those of its proof."""
    k, (c, e) = cells.k, cells.pairs
    shown = (cells.shown[c] + cells.shown[e]).reshape(len(c), -1)
    n_pairs, n_cells = shown.shape
    n_events = n_pairs * (k**2 * (n_cells + 3) + n_cells + 1)
    x = log(cells.n_codes * (cells.n_codes - 1) / delta)
    t = log(2 * n_events / delta)
    log_moments, rates = _log_moments(sampler, level, cells)

    def is_complete(n):
        B = ((-n * log_moments - t) / rates).max(axis=1) / k
        n_of_classes, m = _upper(n * shown, t), _upper(n * shown / k, t)
        V = n_of_classes / k * (1 - 1 / k)
        mu = n_of_classes.sum(axis=1) / k
        h = np.sqrt(2 * t * V.max(axis=1)) + t / 3
        rejects = 2 * np.sqrt(x * (m**2).sum(axis=1)) + 2 * x * m.max(axis=1)
        loses = mu / k + np.sqrt(2 * t * mu) + t / 3
        loses += np.sqrt(2 * t * (3 * V**2 + V).sum(axis=1))
        return bool(np.all((h <= B) & (B * (B - 2 * h) >= loses + rejects)))

    return smallest_count(is_complete)


def _upper(mean, t):
    """What a sum of independent indicators of this mean exceeds with probability exp(-t)."""
    return mean + np.sqrt(2 * t * mean) + t / 3


def _log_moments(sampler, level, cells):
    """log E exp(-rate <Y, u>) of each pair of classes for several rates, and the rates.

    Y is 1 in the cells that show the one and -1 in those that show the other, u the direction of
    its mean.
    """
    shape, (first, second) = sampler.level_shapes_[level], cells.pairs
    mean = (cells.shown[first] - cells.shown[second]).reshape(-1, cells.n_labels, *shape)
    length = np.sqrt((mean**2).sum(axis=(1, 2, 3), keepdims=True))
    # Any rates are right; the best are below the length of the mean.
    rates = length[:, 0, 0] * np.geomspace(1e-3, 10, 30)
    rates = np.minimum(rates, 300 / sqrt(prod(shape)))
    moments = np.zeros(rates.shape)
    for i, (c, e) in enumerate(zip(first, second)):
        for label, u in enumerate(mean[i] / length[i]):
            exponents = rates[i, :, None, None] * u
            factors = np.ones((rates.shape[1], len(cells.shown), *shape))
            factors[:, c], factors[:, e] = np.exp(-exponents), np.exp(exponents)
            moments[i] += sampler.expected_product(level, factors)[label] / cells.n_labels
    return np.log(moments) + 1e-14, rates  # rounding errors are on the safe side
