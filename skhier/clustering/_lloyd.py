"""Spherical k-means on unit vectors: directions and Lloyd's iterations.

For unit vectors x and c the cosine distance is 1 - <x, c> = ||x - c||^2 / 2, so the
assignment is a matrix product and the best center of a cluster is the direction of its
sum. An iteration needs only sums over samples.
"""

from functools import partial

import numpy as np
import torch
from sklearn.utils import gen_batches

from .._base._device import as_array, automatic_batch_size, dense_product, torch_dtype
from .._base._rows import Accumulator, Operator, Rows

# Directions are equal if their projections differ by at most this: 84 rounding errors of float32.
_RESOLUTION = 1e-5
_N_PROJECTIONS = 8
_N_NEIGHBORS = 4  # in the order of the first projection
_MIN_ROWS = 1024


def unit_rows(X):
    """Return the rows of an array, divided by their norms, as a tensor; zero rows stay zero."""
    largest = np.maximum(X.max(axis=1), -X.min(axis=1))
    rows = np.ldexp(X, -np.frexp(largest)[1][:, None])  # exact, and their squares are in range
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
    rows *= scale[:, None].astype(rows.dtype)
    return torch.from_numpy(rows)


def directions(rows):
    """Map rows to unit vectors."""
    dtype = torch_dtype(rows.dtype)
    return rows.map(Operator(unit_rows, rows.shape[1:], dtype, rows.batch_size))


class Directions(Accumulator):
    """Accumulator of the number of distinct nonzero unit vectors, up to rounding.

    Vectors are compared by their projections on a few random vectors, those with their neighbors
    in the order of the first one.

    Parameters
    ----------
    limit : int
        Largest count.

    Attributes
    ----------
    count : int
        Number of distinct directions so far, at most `limit`.
    """

    def __init__(self, limit):
        self._limit = int(limit)
        self._seen, self.count = np.empty((0, _N_PROJECTIONS)), 0

    def add(self, units, weight=None):
        """Add the unit vectors of positive weight."""
        units = as_array(units)
        normals = np.random.default_rng(0).standard_normal((units.shape[1], _N_PROJECTIONS))
        # Many rows at once would be dense: each would have a neighbor that is nearly equal.
        for rows in gen_batches(len(units), max(_MIN_ROWS, self._limit)):
            if self.count >= self._limit:
                return
            is_counted = units[rows].any(axis=1)
            if weight is not None:
                is_counted &= as_array(weight[rows]) > 0
            self._join(units[rows][is_counted] @ normals)

    def __add__(self, other):
        both = Directions(self._limit)
        both._join(np.concatenate([self._seen, other._seen]))
        return both

    def _join(self, projections):
        seen = np.concatenate([self._seen, projections])
        seen = seen[np.argsort(seen[:, 0], kind="stable")]
        is_first = np.ones(len(seen), bool)
        for lag in range(1, 1 + _N_NEIGHBORS):
            is_first[lag:] &= np.abs(seen[lag:] - seen[:-lag]).max(axis=1) > _RESOLUTION
        self._seen = seen[is_first][: self._limit]
        self.count = len(self._seen)


def count_distinct_directions(X, limit):
    """Return the number of distinct directions of the rows of an array, up to `limit`."""
    return Rows.of_array(unit_rows(X)).accumulate(Directions(limit)).count


def nearest(units, centers):
    """Return, for unit vectors, the largest cosine and the index of the center that has it."""
    similarity = units.new_empty(len(units))
    labels = torch.empty(len(units), dtype=torch.int64, device=units.device)
    for rows, cosines in similarities(units, centers):
        torch.max(cosines, dim=1, out=(similarity[rows], labels[rows]))
    return similarity, labels


def assignment(centers):
    """Return the operator from unit vectors to the index of the nearest center."""
    return Operator(partial(_assign, centers), (), torch.int64, lloyd_batch_size(centers))


def _assign(centers, units):
    return nearest(units.to(centers.device), centers)[1]


def distances(centers):
    """Return the operator from unit vectors to their cosine distances to all centers."""
    function, row_shape = partial(_distances, centers), (len(centers),)
    return Operator(function, row_shape, centers.dtype, lloyd_batch_size(centers))


def _distances(centers, units):
    cosines = [cosines for _, cosines in similarities(units.to(centers.device), centers)]
    return (1 - torch.cat(cosines)).clamp_(0, 2)


def lloyd_batch_size(centers):
    """Return a batch size at which updating sums is cheap beside the assignment."""
    return 2 * len(centers) + 8192


def similarities(units, centers):
    """Yield (slice, cosines with all centers) over batches of rows."""
    itemsize = units.element_size()
    for rows in gen_batches(len(units), automatic_batch_size(len(centers) * itemsize)):
        yield rows, dense_product(units[rows], centers)


class Clusters(Accumulator):
    """Accumulator of an iteration: the sum of the samples nearest to each center.

    Parameters
    ----------
    centers : Tensor of shape (n_clusters, n_features)
        Unit vectors.

    Attributes
    ----------
    inertia : float
        The weighted sum of 1 - cosine with the nearest center.
    """

    summed = ("_sums", "_size", "inertia")

    def __init__(self, centers):
        self._centers = centers
        self._sums = torch.zeros(centers.shape, dtype=torch.float64, device=centers.device)
        self._size = self._sums[:, 0].clone()
        self.inertia = 0.0

    def add(self, units, weight):
        """Add unit vectors (n, n_features) with weights (n,), all 1 for None."""
        centers = self._centers
        units = units.to(centers.device)
        similarity, labels = nearest(units, centers)
        cost = (1 - similarity.double()).clamp_(min=0)
        weighted = units
        if weight is not None:
            weighted = units * weight[:, None]
            cost *= weight
        # The sum of a batch in the data's dtype, several times as fast, then float64.
        self._sums += torch.zeros_like(centers).index_add_(0, labels, weighted)
        self._size += torch.bincount(labels, weight, len(centers))
        self.inertia += float(cost.sum())

    @property
    def empty(self):
        """Indices of clusters without a sample."""
        return torch.nonzero(self._size == 0).ravel()

    def directions(self):
        """Return the direction of each cluster's sum."""
        norms = self._sums.norm(dim=1, keepdim=True)
        # A sum of zero has no direction: all centers cost the same, and the old one stays.
        directions = torch.where(norms > 1e-12, self._sums / norms, self._centers.double())
        return directions.to(self._centers.dtype)


class FarSamples(Accumulator):
    """Accumulator of the samples farthest from their centers, the farthest first.

    Parameters
    ----------
    centers : Tensor of shape (n_clusters, n_features)
        The centers.
    n_samples : int
        Largest number of samples.
    """

    def __init__(self, centers, n_samples):
        self._centers, self._n_samples = centers, n_samples
        self._distance = centers.new_empty(0)
        self.units = centers[:0]

    def add(self, units, weight):
        """Add unit vectors with weights; vectors of weight or length 0 are no candidates."""
        units = units.to(self._centers.device)
        distance = 1 - nearest(units, self._centers)[0]
        is_candidate = units.any(dim=1)
        if weight is not None:
            is_candidate &= weight > 0
        self._join(distance[is_candidate], units[is_candidate])

    def __add__(self, other):
        both = FarSamples(self._centers, self._n_samples)
        both._join(self._distance, self.units)
        both._join(other._distance, other.units)
        return both

    def _join(self, distance, units):
        distance, units = torch.cat([self._distance, distance]), torch.cat([self.units, units])
        first = torch.sort(distance, descending=True, stable=True).indices[: self._n_samples]
        self._distance, self.units = distance[first], units[first]


def lloyd(units, weight, centers, max_iter, tol, task):
    """Iterate assignment and update; return (centers, inertias, n_iter).

    Stops when an iteration lowers the inertia by no more than `tol` times its value and
    leaves no cluster empty, or when a callback of the task asks for it. An update that
    does not lower the inertia is not kept, so the inertias strictly fall.

    Parameters
    ----------
    units : Rows of shape (n_samples, n_features)
        Unit vectors.
    weight : Tensor of shape (n_samples,) or None
        Weights, in the dtype of the vectors; all 1 if None.
    centers : Tensor of shape (n_clusters, n_features)
        Initial centers.
    max_iter : int
        Largest number of iterations.
    tol : float
        Relative tolerance.
    task : Task
        Its subtasks are the iterations.
    """
    batch_size = lloyd_batch_size(centers)
    clusters = units.accumulate(Clusters(centers), weight, batch_size=batch_size)
    inertias = [clusters.inertia]
    n_iter = 0
    for n_iter in range(1, max_iter + 1):
        new_centers, empty = clusters.directions(), clusters.empty
        if len(empty):
            # The inertia cannot rise when an unused center moves to a sample.
            far = FarSamples(centers, len(empty))
            far = units.accumulate(far, weight, batch_size=batch_size).units
            new_centers[empty[: len(far)]] = far
        new = units.accumulate(Clusters(new_centers), weight, batch_size=batch_size)
        gain = clusters.inertia - new.inertia
        if gain <= 0:
            break
        centers, clusters = new_centers, new
        inertias.append(new.inertia)
        task.log(f"iteration {n_iter}: inertia {new.inertia:.6g}")
        with task.subtask("iteration"):
            pass
        has_converged = gain <= tol * inertias[-2] and not len(empty) and not len(new.empty)
        if task.stop or has_converged:
            break
    return centers, inertias, n_iter
