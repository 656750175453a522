"""Filters of the codes: centroids of whitened patches, as kernels of a convolution."""

import math
from dataclasses import dataclass
from functools import partial
from math import prod

import numpy as np
from sklearn.callback import CallbackSupportMixin

from .._base._params import is_auto
from .._base._rows import Rows
from .._base._targets import mean_one
from .._base._threads import one_blas_thread
from ._distinct import DistinctPatches
from ._lloyd import count_distinct_directions
from ._patches import sample_patches
from ._plan import auto_n_clusters, max_clusters
from ._spherical_kmeans import SphericalKMeans

_DISTINCT_PER_CLUSTER = 10


@dataclass
class Codebook:
    """Clusters of patches, and the convolution that responds most to the nearest cluster.

    Attributes
    ----------
    centers : ndarray of shape (n_clusters, n_values)
        Centroids of the (whitened) patches.
    kernels : ndarray of shape (n_clusters, n_values)
        Kernels of the convolution, which apply to raw patches.
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
    kernels: np.ndarray
    intercepts: np.ndarray
    scale: float
    inertia: float
    n_iter: int
    pixel_range: float


def learn_codebook(images, weight, plan, border, *, n_clusters, whiten_eps, rng, task):
    """Cluster patches of images.

    Parameters
    ----------
    images : Rows of shape (n, H, W, C)
        Images.
    weight : ndarray of shape (n,) or None
        Weights of images, which their patches inherit.
    plan : CodingPlan
        Grid and number of patches; the k-means, whose number of clusters, and seed if it has
        none, are set here.
    border : ndarray of shape (C,)
        Subtracted from pixels, also beyond the borders of images.
    n_clusters : int or 'auto'
        Number of clusters.
    whiten_eps : float or None
        See :meth:`Whitening.learn`.
    rng : RandomState
        Source of randomness.
    task : Task
        Its only subtask is the k-means.
    """
    patches, weight = _training_patches(images, weight, plan, border, n_clusters, rng)
    # Scaled by a power of two, which is exact, so that squares of the values stay in range.
    low, high = float(patches.min()), float(patches.max())
    exponent = math.frexp(max(high, -low))[1]
    np.ldexp(patches, -exponent, out=patches)
    task.log(f"{len(patches)} patches of shape {plan.grid.patch_shape}")
    relative = mean_one(weight)
    whitening = Whitening.learn(patches, whiten_eps, relative)
    patches = whitening.apply(patches)
    kmeans, seed = plan.kmeans, rng.randint(2**31 - 1)
    if kmeans.random_state is None:
        kmeans.set_params(random_state=seed)
    is_cosine = isinstance(kmeans, SphericalKMeans)
    if is_auto(n_clusters):
        count_distinct = count_distinct_directions if is_cosine else _count_patches
        n_clusters = auto_n_clusters(patches.shape[1], partial(count_distinct, patches))
    kmeans.set_params(n_clusters=n_clusters)
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
    kernels, intercepts = whitening.fold(kernels, intercepts)
    kernels = np.ldexp(kernels, -exponent)
    if whiten_eps is None:  # whitened patches do not depend on the unit of the images
        scale = math.ldexp(scale, exponent)
        if not is_cosine:
            centers, inertia = np.ldexp(centers, exponent), math.ldexp(inertia, 2 * exponent)
    pixel_range = max(high, 0.0) - min(low, 0.0)
    return Codebook(centers, kernels, intercepts, scale, inertia, kmeans.n_iter_, pixel_range)


def _training_patches(images, weight, plan, border, n_clusters, rng):
    """Return the patches to cluster, as rows, and their weights."""
    if plan.is_distinct:
        n_values = prod(plan.grid.patch_shape)
        fewest = 1 if is_auto(n_clusters) else n_clusters
        most = _DISTINCT_PER_CLUSTER * (max_clusters(n_values) if is_auto(n_clusters) else fewest)
        distinct = DistinctPatches(plan.grid, border, min(most, plan.n_patches))
        distinct = images.accumulate(distinct, weight)
        # Too few for the clusters: k-means of drawn patches repeats centers, and warns.
        if len(distinct.rows) >= fewest:
            return distinct.rows, distinct.weights
    patches, owners = sample_patches(images, plan.grid, border, plan.n_patches, rng)
    return patches, None if weight is None else weight[owners]


def _root_mean_square(patches, weight):
    """Return the root mean square of patches, whose weights have mean 1, or are None."""
    if weight is None:
        return float(np.linalg.norm(patches) / np.sqrt(patches.size))
    return float(np.sqrt(np.einsum("ij,ij,i->", patches, patches, weight) / patches.size))


def _count_patches(patches, limit):
    return len({row.tobytes() for row in patches})


@dataclass
class Whitening:
    """Map x -> (x - m) Z of patches; the identity without m and Z.

    Attributes
    ----------
    mean : ndarray of shape (n_values,) or None
        m.
    zca : ndarray of shape (n_values, n_values) or None
        Z, symmetric.
    """

    mean: np.ndarray | None = None
    zca: np.ndarray | None = None

    @classmethod
    def learn(cls, patches, eps, weight=None):
        """Return the map that makes patches white (ZCA); the identity if `eps` is None.

        Eigenvalues of the covariance are raised by `eps` times their mean, so that
        directions of little variance are not amplified.

        Parameters
        ----------
        patches : ndarray of shape (n, n_values)
            Patches.
        eps : float or None
            Regularization.
        weight : ndarray of shape (n,) or None
            Weights of patches, with mean 1.
        """
        if eps is None:
            return cls()
        if weight is None:
            mean = patches.mean(axis=0, dtype=np.float64)
        else:
            mean = weight @ patches / len(patches)
        centered = patches - mean.astype(patches.dtype)
        if weight is not None:
            centered *= np.sqrt(weight)[:, None].astype(patches.dtype)
        covariance = (centered.T @ centered).astype(np.float64) / len(patches)
        with one_blas_thread():
            values, vectors = np.linalg.eigh(covariance)
        variances = np.maximum(values, 0) + eps * values.mean()
        # Equal patches have no variance beyond the rounding of the patches and of their mean.
        # They become zero instead of amplified noise.
        rounding = 8 * np.finfo(patches.dtype).eps + len(patches) * np.finfo(np.float64).eps
        varies = values.mean() > rounding**2 * np.square(mean).mean()
        gains = np.divide(1, np.sqrt(variances), out=np.zeros_like(values), where=varies)
        zca = (vectors * gains) @ vectors.T
        return cls(mean.astype(patches.dtype), zca.astype(patches.dtype))

    def apply(self, patches):
        """Whiten patches, rows of an array."""
        return patches if self.zca is None else (patches - self.mean) @ self.zca

    def fold(self, kernels, intercepts):
        """Fold the whitening into kernels and intercepts, so that they apply to raw patches."""
        if self.zca is None:
            return kernels, intercepts
        kernels = kernels @ self.zca
        return kernels, intercepts - kernels @ self.mean
