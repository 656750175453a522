"""Initial centers of spherical k-means: k-means++ or random directions."""

from functools import partial

import numpy as np
import torch
from sklearn.cluster import kmeans_plusplus
from sklearn.utils import gen_batches

from .._base._device import automatic_batch_size, dense_product
from .._base._rows import Operator
from .._base._threads import one_blas_thread

# Above this number of clusters, finding the best of several candidates for each center takes
# longer than Lloyd's iterations, whose end it hardly changes there.
_MAX_GREEDY = 256
_MAX_DRAWS = 256
# Largest number of samples that seeding which is not greedy draws from, or ten for each center.
_MAX_CANDIDATES = 50_000


def seed_centers(units, weight, n_clusters, init, rng, init_size):
    """Choose `n_clusters` rows as initial centers.

    Rows are sorted in an order that depends on their values only: neither the order of the
    samples nor weights instead of copies change the seeds.

    Parameters
    ----------
    units : Rows of shape (n_samples, n_features)
        Unit vectors, of at least `n_clusters` distinct directions.
    weight : Tensor of shape (n_samples,) or None
        Weights.
    n_clusters : int
        Number of centers.
    init : {'k-means++', 'random'}
        Method.
    rng : RandomState
        Source of randomness.
    init_size : int or None
        Largest number of rows that greedy k-means++ draws from; all if None.
    """
    greedy = init == "k-means++" and n_clusters <= _MAX_GREEDY
    has_direction = Operator(partial(torch.any, dim=1), (), torch.bool, units.batch_size)
    is_candidate = units.map(has_direction).collect()
    if weight is not None:
        is_candidate &= weight.cpu().numpy() > 0
    candidates = np.flatnonzero(is_candidate)
    limit = init_size if greedy else max(_MAX_CANDIDATES, 10 * n_clusters)
    if init == "k-means++" and limit is not None and len(candidates) > limit:
        candidates = np.sort(rng.choice(candidates, limit, replace=False))
    rows = units.take(candidates).cpu().numpy()
    weight = np.ones(len(rows), rows.dtype) if weight is None else weight[candidates].cpu().numpy()
    direction = rng.standard_normal(rows.shape[1])
    order = np.argsort((rows * direction).sum(axis=1), kind="stable")
    rows, weight = rows[order], weight[order]
    if greedy:
        with one_blas_thread():
            return kmeans_plusplus(rows, n_clusters, sample_weight=weight, random_state=rng)[0]
    if init == "k-means++":
        return rows[kmeans_plusplus_in_rounds(rows, weight, n_clusters, rng)]
    is_first = np.r_[True, (rows[1:] != rows[:-1]).any(axis=1)]
    weight = np.add.reduceat(weight, np.flatnonzero(is_first), dtype=np.float64)
    chosen = rng.choice(len(weight), n_clusters, replace=False, p=weight / weight.sum())
    return rows[is_first][chosen]


@one_blas_thread()
def kmeans_plusplus_in_rounds(units, weight, n_clusters, rng):
    """Return the indices of `n_clusters` unit vectors, drawn with probability ~ weight * D.

    D is the cosine distance to the nearest center so far, as in k-means++ (without its
    greedy variant). A round draws many candidates with the D at its start, and accepts each
    with probability D now / D at the start, where D now counts the centers of the round too.
    The distribution equals drawing one by one, but distances to all samples are matrix
    products with many centers.
    """
    distance = np.full(len(units), np.inf)
    centers = new = _draw(weight, 1, rng)
    while True:
        distance = np.minimum(distance, _nearest_distance(units, units[new]))
        missing = n_clusters - len(centers)
        density = weight * distance
        if missing == 0 or not density.any():
            break
        drawn = _draw(density, min(_MAX_DRAWS, 4 + 2 * min(missing, len(centers))), rng)
        new = drawn[_accept(units[drawn], distance[drawn], rng)][:missing]
        centers = np.concatenate([centers, new])
    # The missing centers are copies of others, up to rounding: any rows will do.
    others = np.setdiff1d(np.arange(len(units)), centers)
    return np.concatenate([centers, rng.choice(others, missing, replace=False)])


def _draw(density, n_draws, rng):
    """Draw indices independently, with probabilities proportional to `density`."""
    total = np.cumsum(density, dtype=np.float64)
    return np.searchsorted(total, rng.uniform(size=n_draws) * total[-1], side="right")


def _accept(units, distance, rng):
    """Return the candidates, drawn at `distance`, that are accepted one after the other."""
    to_each_other = _clean(1 - units @ units.T)
    threshold = rng.uniform(size=len(units)) * distance
    accepted = []
    for candidate in range(len(units)):
        if threshold[candidate] < to_each_other[candidate, accepted].min(initial=np.inf):
            accepted.append(candidate)
    return accepted


def _nearest_distance(units, centers):
    """Return the cosine distance of each row of `units` to the nearest center."""
    centers = torch.from_numpy(centers)
    nearest = np.empty(len(units), units.dtype)
    for rows in gen_batches(len(units), automatic_batch_size(len(centers) * units.itemsize)):
        cosines = dense_product(torch.from_numpy(units[rows]), centers)
        nearest[rows] = 1 - cosines.amax(dim=1).numpy()
    return _clean(nearest)


def _clean(distance):
    """Set distances that are rounding errors to zero, in place."""
    distance[distance < 16 * np.finfo(distance.dtype).eps] = 0
    return distance
