"""First centers of spherical k-means: k-means++ or random directions."""

import numpy as np
import torch
from sklearn.cluster import kmeans_plusplus
from sklearn.utils import gen_batches

from .._base._device import automatic_batch_size, dense_product

# Above so many clusters, the best of several candidates for each center takes longer to
# find than Lloyd's iterations take, whose end it hardly changes there.
_MAX_GREEDY = 256
_MAX_DRAWS = 256


def seed_centers(units, weight, n_clusters, init, rng, init_size):
    """Choose `n_clusters` rows of `units` as first centers.

    Rows are put in an order that depends on their values only, so that neither the
    order of the samples nor weighting instead of repeating them changes the seeds.
    """
    greedy = init == "k-means++" and n_clusters <= _MAX_GREEDY
    candidates = np.flatnonzero((weight > 0) & units.any(axis=1))
    if greedy and init_size is not None and len(candidates) > init_size:
        candidates = np.sort(rng.choice(candidates, init_size, replace=False))
    direction = rng.standard_normal(units.shape[1])
    height = (units[candidates] * direction).sum(axis=1)
    candidates = candidates[np.argsort(height, kind="stable")]
    units, weight = units[candidates], weight[candidates]
    if greedy:
        return kmeans_plusplus(units, n_clusters, sample_weight=weight, random_state=rng)[0]
    if init == "k-means++":
        return units[kmeans_plusplus_in_rounds(units, weight, n_clusters, rng)]
    is_first = np.r_[True, (units[1:] != units[:-1]).any(axis=1)]
    weight = np.add.reduceat(weight, np.flatnonzero(is_first), dtype=np.float64)
    chosen = rng.choice(len(weight), n_clusters, replace=False, p=weight / weight.sum())
    return units[is_first][chosen]


def kmeans_plusplus_in_rounds(units, weight, n_clusters, rng):
    """Indices of `n_clusters` unit vectors, each drawn with probability ~ weight * D.

    D is the cosine distance to the nearest center so far, as in k-means++ (without its
    greedy variant). A round draws many candidates with the D at its start and then takes
    each with probability D now / D at the start, D now being its distance to the round's
    centers too. So the distribution is that of drawing one by one, but distances to all
    samples are matrix products with many centers.
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
    # Directions that rounding cannot tell apart: any will do for what is missing.
    others = np.setdiff1d(np.arange(len(units)), centers)
    return np.concatenate([centers, rng.choice(others, missing, replace=False)])


def _draw(density, n_draws, rng):
    """Indices drawn independently, with probabilities proportional to `density`."""
    total = np.cumsum(density, dtype=np.float64)
    return np.searchsorted(total, rng.uniform(size=n_draws) * total[-1], side="right")


def _accept(units, distance, rng):
    """Which of the candidates drawn at `distance` are taken, one after the other."""
    to_each_other = _clean(1 - units @ units.T)
    threshold = rng.uniform(size=len(units)) * distance
    accepted = []
    for candidate in range(len(units)):
        if threshold[candidate] < to_each_other[candidate, accepted].min(initial=np.inf):
            accepted.append(candidate)
    return accepted


def _nearest_distance(units, centers):
    """The cosine distance of each row of `units` to the nearest of the centers."""
    centers = torch.from_numpy(centers)
    nearest = np.empty(len(units), units.dtype)
    for rows in gen_batches(len(units), automatic_batch_size(len(centers) * units.itemsize)):
        cosines = dense_product(torch.from_numpy(units[rows]), centers)
        nearest[rows] = 1 - cosines.amax(dim=1).numpy()
    return _clean(nearest)


def _clean(distance):
    """Distances that are rounding errors become zero, in place."""
    distance[distance < 16 * np.finfo(distance.dtype).eps] = 0
    return distance
