"""The filters that patches are coded with: centroids of clusters, as kernels of a convolution."""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn.callback import CallbackSupportMixin

from .._base._params import is_auto
from .._base._weights import mean_one
from ._auto import auto_n_clusters
from ._lloyd import count_distinct_directions, unit_rows
from ._patches import sample_patches
from ._spherical_kmeans import SphericalKMeans
from ._whitening import Whitening


@dataclass
class Codebook:
    """Clusters of patches, and the convolution that tells which is near.

    Attributes
    ----------
    centers : ndarray of shape (n_clusters, n_values)
        Centroids of the (whitened) patches.
    kernels : ndarray of shape (n_clusters, n_values)
        Their products with a patch as it is are its responses, but for the intercepts.
    intercepts : ndarray of shape (n_clusters,)
        Added to the products.
    scale : float
        r, the root mean square of the (whitened) patches, that responses are divided by.
    inertia : float
        Of the k-means.
    n_iter : int
        Of the k-means.
    """

    centers: np.ndarray
    kernels: np.ndarray
    intercepts: np.ndarray
    scale: float
    inertia: float
    n_iter: int


def learn_codebook(
    images, weight, grid, border, kmeans, *, n_clusters, n_patches, whiten_eps, rng, task
):
    """Cluster patches of images.

    Parameters
    ----------
    images : Rows of shape (n, H, W, C)
        Images.
    weight : ndarray of shape (n,) or None
        Weights of images, which their patches have too.
    grid : PatchGrid
        Where patches lie.
    border : ndarray of shape (C,)
        Subtracted from pixels, also beyond the borders of images.
    kmeans : estimator
        The k-means, which gets its number of clusters and, if it has none, its seed here.
    n_clusters : int or 'auto'
        How many clusters.
    n_patches : int or None
        How many patches to cluster; all if None.
    whiten_eps : float or None
        See :meth:`Whitening.learn`.
    rng : RandomState
        Source of randomness.
    task : Task
        Of which k-means is the only part.
    """
    patches, owners = sample_patches(images, grid, border, n_patches, rng)
    weight = None if weight is None else weight[owners]
    # Scaled by 2^-unit, which is exact, so that squares of the values stay in range.
    unit = math.frexp(max(patches.max(), -patches.min()))[1]
    np.ldexp(patches, -unit, out=patches)
    task.log(f"{len(patches)} patches of shape {grid.patch_shape}")
    relative = mean_one(weight)
    whitening = Whitening.learn(patches, whiten_eps, relative)
    patches = whitening.apply(patches)
    seed = rng.randint(2**31 - 1)
    if kmeans.random_state is None:
        kmeans.set_params(random_state=seed)
    is_cosine = isinstance(kmeans, SphericalKMeans)
    if is_auto(n_clusters):
        count_distinct = _count_directions if is_cosine else _count_patches
        n_clusters = auto_n_clusters(patches.shape[1], partial(count_distinct, patches))
    kmeans.set_params(n_clusters=n_clusters)
    has_tasks = isinstance(kmeans, CallbackSupportMixin)
    with task.delegate("k-means", kmeans) if has_tasks else task.subtask("k-means"):
        kmeans.fit(patches, sample_weight=weight)
    centers = kmeans.cluster_centers_
    scale = _root_mean_square(patches, relative) or 1.0
    inertia = kmeans.inertia_
    kernels = centers / patches.dtype.type(scale)
    # The nearest centroid has the largest <c, x> - |c|^2 / 2; unit norms make no difference.
    intercepts = np.zeros(len(kernels), kernels.dtype)
    if not is_cosine:
        kernels /= patches.dtype.type(scale)
        intercepts -= (kernels * centers).sum(axis=1) / 2
    kernels, intercepts = whitening.fold(kernels, intercepts)
    kernels = np.ldexp(kernels, -unit)
    if whiten_eps is None:  # what whitening gives has no unit
        scale = math.ldexp(scale, unit)
        if not is_cosine:
            centers, inertia = np.ldexp(centers, unit), math.ldexp(inertia, 2 * unit)
    return Codebook(centers, kernels, intercepts, scale, inertia, kmeans.n_iter_)


def _root_mean_square(patches, weight):
    """Of the values of patches, whose weights have mean 1, or None."""
    if weight is None:
        return float(np.linalg.norm(patches) / np.sqrt(patches.size))
    return float(np.sqrt(np.einsum("ij,ij,i->", patches, patches, weight) / patches.size))


def _count_directions(patches, enough):
    return count_distinct_directions(unit_rows(patches), enough)


def _count_patches(patches, enough):
    return len({row.tobytes() for row in patches})
