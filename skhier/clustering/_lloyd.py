"""Spherical k-means on unit vectors: directions and Lloyd's iterations.

For unit vectors x and c the cosine distance is 1 - <x, c> = ||x - c||^2 / 2, so the
assignment is a matrix product and the best center of a cluster is the direction of its
sum. Sums over samples are all that an iteration learns from the data.
"""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.utils import gen_batches

from .._base._device import automatic_batch_size, dense_product

# Two directions are taken for the same when their coordinates round to the same
# multiples of this.
_RESOLUTION = 1e-5


def unit_rows(X):
    """The rows of X divided by their Euclidean norms; zero rows stay zero."""
    largest = np.maximum(X.max(axis=1), -X.min(axis=1))
    rows = np.ldexp(X, -np.frexp(largest)[1][:, None])  # exact, and their squares are in range
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
    rows *= scale[:, None].astype(rows.dtype)
    return rows


def count_distinct_directions(units, enough):
    """The number of different nonzero rows of `units`, up to `_RESOLUTION`.

    Where there are `enough`, counting stops early, with at least that many.
    """
    n_rows = 4 * int(enough)  # NumPy's small ints would wrap around to 0, forever
    while n_rows < len(units):
        if _count_distinct(units[:n_rows]) >= enough:
            return enough
        n_rows *= 4
    return _count_distinct(units)


def _count_distinct(units):
    units = units[units.any(axis=1)]
    steps = np.rint(units / _RESOLUTION).astype(np.int64).astype(np.uint64)
    # A random linear hash modulo 2^64: different rows collide with probability 2^-64.
    weights = np.random.default_rng(0).integers(2**64, size=(steps.shape[1], 1), dtype=np.uint64)
    return len(np.unique(steps @ (weights | np.uint64(1))))


@dataclass
class Assignment:
    """The nearest center of every sample, and what it costs."""

    labels: torch.Tensor  # (n_samples,)
    similarity: torch.Tensor  # (n_samples,), the cosine with the nearest center
    inertia: float  # the weighted sum of 1 - similarity


def similarities(units, centers):
    """Yield (slice, cosines with all centers) over batches of rows."""
    itemsize = units.element_size()
    for rows in gen_batches(len(units), automatic_batch_size(len(centers) * itemsize)):
        yield rows, dense_product(units[rows], centers)


def assign(units, weight, centers):
    """Assign every unit vector to the center of the largest cosine."""
    similarity = units.new_empty(len(units))
    labels = torch.empty(len(units), dtype=torch.int64, device=units.device)
    for rows, cosines in similarities(units, centers):
        torch.max(cosines, dim=1, out=(similarity[rows], labels[rows]))
    inertia = float(weight.double() @ (1 - similarity.double()).clamp_(min=0))
    return Assignment(labels, similarity, inertia)


def update(units, weight, centers, assignment):
    """The direction of each cluster's sum; clusters with no sample get a far sample.

    A far sample is one with the largest cosine distances to its center. Moving an
    unused center there, the inertia cannot rise.
    """
    sums = torch.zeros(centers.shape, dtype=torch.float64, device=units.device)
    size = torch.zeros(len(centers), dtype=torch.float64, device=units.device)
    uniform = bool((weight == 1).all())
    for rows in gen_batches(len(units), 2 * len(centers) + 8192):
        labels, w = assignment.labels[rows], weight[rows]
        # Short sums in the data's dtype, which is several times as fast, then long ones.
        weighted = units[rows] if uniform else units[rows] * w[:, None]
        sums += torch.zeros_like(centers).index_add_(0, labels, weighted)
        size += torch.bincount(labels, w, len(centers))
    norms = sums.norm(dim=1, keepdim=True)
    # A sum of zero has no direction: every center costs the same, so the old one stays.
    directions = torch.where(norms > 1e-12, sums / norms, centers.double()).to(centers.dtype)
    empty = torch.nonzero(size == 0).ravel()
    if len(empty):
        distance = (1 - assignment.similarity).masked_fill((weight == 0) | ~units.any(dim=1), -1)
        farthest, far = torch.topk(distance, min(len(empty), len(units)))
        far = far[farthest > -1]
        directions[empty[: len(far)]] = units[far]
    return directions, len(empty)


def lloyd(units, weight, centers, max_iter, tol, on_iteration):
    """Iterate assignment and update; return (centers, assignment, inertias, n_iter).

    Stops when an iteration lowers the inertia by no more than `tol` times its value and
    leaves no cluster empty, or when `on_iteration(inertia)` returns True. An update that
    does not lower the inertia is not kept, so the inertias strictly fall.
    """
    assignment = assign(units, weight, centers)
    inertias = [assignment.inertia]
    n_iter = 0
    for n_iter in range(1, max_iter + 1):
        new_centers, n_empty = update(units, weight, centers, assignment)
        new = assign(units, weight, new_centers)
        gain = assignment.inertia - new.inertia
        if gain <= 0:
            break
        centers, assignment = new_centers, new
        inertias.append(new.inertia)
        if on_iteration(new.inertia) or (gain <= tol * inertias[-2] and not n_empty):
            break
    return centers, assignment, inertias, n_iter
