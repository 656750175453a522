"""Filters of the codes: centroids of whitened patches, as kernels of a convolution."""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn.base import clone
from sklearn.callback import CallbackSupportMixin

from .._base._rows import Rows
from .._base._targets import mean_one
from .._base._threads import one_blas_thread
from ._distinct import DistinctPatches, distinct_rows
from ._lloyd import count_distinct_directions
from ._patches import sample_patches
from ._spherical_kmeans import SphericalKMeans
from ._whitening import Whitening

_DISTINCT_PER_CLUSTER = 10


@dataclass
class Codebook:
    """Clusters of patches, and the convolution that responds most to the nearest cluster.

    Attributes
    ----------
    centers : ndarray of shape (n_clusters, n_values)
        Centroids of the (whitened) patches.
    factors : tuple of ndarray
        Matrices that are applied to raw patches one after the other, the first one first: their
        product is the matrix of kernels, (n_clusters, n_values).
    intercepts : ndarray of shape (n_clusters,)
        Added to the convolution.
    scale : float
        r, the root mean square of the (whitened) patches, that responses are divided by.
    inertia : float
        Inertia of the k-means.
    n_iter : int
        Number of iterations of the k-means.
    pixel_range : float
        Largest minus smallest pixel of the patches, where the border counts too.
    """

    centers: np.ndarray
    factors: tuple
    intercepts: np.ndarray
    scale: float
    inertia: float
    n_iter: int
    pixel_range: float


def learn_codebook(images, weight, plan, border, *, whiten_eps, rng, task):
    """Cluster patches of images.

    Parameters
    ----------
    images : Rows of shape (n, H, W, C)
        Images.
    weight : ndarray of shape (n,) or None
        Weights of images, which their patches inherit.
    plan : CodingPlan
        Grid and number of patches, the k-means, and its number of clusters.
    border : ndarray of shape (C,)
        Subtracted from pixels, also beyond the borders of images.
    whiten_eps : float or None
        See :meth:`Whitening.learn`.
    rng : RandomState
        Source of randomness.
    task : Task
        Its only subtask is the k-means.
    """
    patches, weight = _training_patches(images, weight, plan, border, rng)
    # Scaled by a power of two, which is exact, so that squares of the values stay in range.
    low, high = float(patches.min()), float(patches.max())
    exponent = math.frexp(max(high, -low))[1]
    np.ldexp(patches, -exponent, out=patches)
    task.log(f"{len(patches)} patches of shape {plan.grid.patch_shape}")
    relative = mean_one(weight)
    whitening = Whitening.learn(patches, whiten_eps, relative)
    patches = whitening.apply(patches)
    kmeans, seed = clone(plan.kmeans), rng.randint(2**31 - 1)
    if kmeans.random_state is None:
        kmeans.set_params(random_state=seed)
    is_cosine = isinstance(kmeans, SphericalKMeans)
    count_distinct = count_distinct_directions if is_cosine else _count_distinct
    kmeans.set_params(n_clusters=plan.n_clusters(partial(count_distinct, patches)))
    has_tasks = isinstance(kmeans, CallbackSupportMixin)
    with task.delegate("k-means", kmeans) if has_tasks else task.subtask("k-means"):
        if is_cosine:
            kmeans._fit_rows(Rows.of_array(patches), weight, plan.device)
        else:
            kmeans.fit(patches, sample_weight=weight)
    centers = kmeans.cluster_centers_
    scale = _root_mean_square(patches, relative) or 1.0
    inertia = kmeans.inertia_
    kernels = centers / patches.dtype.type(scale)
    # The nearest centroid has the largest <c, x> - |c|^2 / 2; norms of 1 make no difference.
    intercepts = np.zeros(len(kernels), kernels.dtype)
    if not is_cosine:
        kernels /= patches.dtype.type(scale)
        intercepts -= (kernels * centers).sum(axis=1) / 2
    with one_blas_thread():
        factors, intercepts = whitening.fold(kernels, intercepts)
        centers = whitening.restore(centers)
    factors = np.ldexp(factors[0], -exponent), *factors[1:]
    if whiten_eps is None:  # whitened patches do not depend on the unit of the images
        scale = math.ldexp(scale, exponent)
        if not is_cosine:
            centers, inertia = np.ldexp(centers, exponent), math.ldexp(inertia, 2 * exponent)
    pixel_range = max(high, 0.0) - min(low, 0.0)
    return Codebook(centers, factors, intercepts, scale, inertia, kmeans.n_iter_, pixel_range)


def _training_patches(images, weight, plan, border, rng):
    """Return the patches to cluster, as rows, and their weights."""
    if plan.is_distinct:
        limit = min(_DISTINCT_PER_CLUSTER * plan.most_clusters, plan.n_patches)
        distinct = DistinctPatches(plan.grid, border, limit)
        distinct = images.accumulate(distinct, weight)
        # Too few for the clusters: k-means of drawn patches repeats centers, and warns.
        if len(distinct.rows) >= plan.fewest_clusters:
            return distinct.rows, distinct.weights
    patches, owners = sample_patches(images, plan.grid, border, plan.n_patches, rng)
    return patches, None if weight is None else weight[owners]


@one_blas_thread()
def _root_mean_square(patches, weight):
    """Return the root mean square of patches, whose weights have mean 1, or are None."""
    if weight is None:
        return float(np.linalg.norm(patches) / np.sqrt(patches.size))
    return float(np.sqrt(np.einsum("ij,ij,i->", patches, patches, weight) / patches.size))


def _count_distinct(patches, limit):
    return len(distinct_rows(patches)[0])
