"""Meaning of an orthogonalizer's parameters for images of one shape, before there is data."""

from copy import copy
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

from .._base._memory import Work
from .._base._params import as_pair, is_auto
from .._base._part import Plan
from ._contrast import DEFAULT_CONTRAST
from ._encoder import Coding
from ._patches import MAX_COLORS, PatchGrid

# Clusters for each value of a patch: nearby pixels are alike, so images need fewer than codes.
_PER_VALUE_OF_IMAGES, _PER_VALUE_OF_CODES = 2, 3
_FEWEST_CLUSTERS, _MOST_CLUSTERS = 200, 1600
_PATCHES_PER_CLUSTER = 4
_DRAWN_PATCHES = 100_000


@dataclass(frozen=True)
class CodingPlan(Plan):
    """Plan of an orthogonalizer.

    Attributes
    ----------
    grid : PatchGrid
        Positions of patches.
    coding : Coding
        Nonlinearity and pooling.
    n_patches : int
        Number of patches to draw.
    is_distinct : bool
        Whether all patches are clustered instead, if few of them are distinct.
    fewest_clusters, most_clusters : int
        Bounds of the number of clusters, which depends on the data if they differ.
    kmeans : estimator
        The k-means, not fitted.
    contrast : float or None
        Constant k of the normalization of contrast; None is no normalization.
    """

    grid: PatchGrid
    coding: Coding
    n_patches: int
    is_distinct: bool
    fewest_clusters: int
    most_clusters: int
    kmeans: Any
    contrast: float | None

    def n_clusters(self, count_distinct):
        """Return the number of clusters: a quarter of the distinct patches, within the bounds.

        `count_distinct(limit)` counts distinct patches, and may stop at `limit`.
        """
        fewest, most = self.fewest_clusters, self.most_clusters
        if fewest == most:
            return most
        n_distinct = count_distinct(most * _PATCHES_PER_CLUSTER)
        return max(fewest, min(most, n_distinct // _PATCHES_PER_CLUSTER))


def plan_coding(params, in_shape, n_images, dtype, device, kmeans):
    """Return the plan of an estimator with an orthogonalizer's parameters.

    Raises
    ------
    ValueError
        If a parameter is not valid, if patches do not fit or do not tile the images, or if there
        are fewer patches than clusters.
    """
    grid = PatchGrid.from_params(in_shape, params.patch_size, params.stride, params.padding)
    pooling = _resolve_pooling(params.pooling, params.pool_size, grid.map_shape)
    coding = Coding(params.encoding, float(params.bias), bool(params.normalize), *pooling)
    n_positions, n_values = prod(grid.map_shape), prod(grid.patch_shape)
    n_patches, is_distinct = n_images * n_positions, is_auto(params.n_patches)
    if params.n_patches is not None:
        n_patches = min(n_patches, _DRAWN_PATCHES if is_distinct else int(params.n_patches))
    if is_auto(params.n_clusters):
        is_image = in_shape[2] <= MAX_COLORS
        n_per_value = _PER_VALUE_OF_IMAGES if is_image else _PER_VALUE_OF_CODES
        most = min(max(_FEWEST_CLUSTERS, n_per_value * n_values), _MOST_CLUSTERS)
        fewest = 1
    else:
        fewest = most = int(params.n_clusters)
        if most > n_patches:
            raise ValueError(
                f"n_clusters={most} is more than the number of patches, {n_patches}. Lower it."
            )
    # Patches as they are, whitened, of unit norm, and in the order of seeding.
    clustering = 4 * n_patches * n_values * dtype.itemsize
    contrast = resolve_contrast(params.contrast, in_shape, params.whiten_eps is not None)
    # Patches, responses and codes of both signs before and after pooling.
    encoding = n_positions * (n_values + 4 * most) * dtype.itemsize
    if contrast is not None:  # the image, its mean, squares, and the result
        encoding += 4 * prod(in_shape) * dtype.itemsize
    lower = "Raise it, or lower n_{} of the orthogonalizer."
    work = (
        Work("clustering patches", clustering, lower.format("patches")),
        Work("encoding one image", encoding, lower.format("clusters")),
    )
    out_shape = coding.code_shape(grid.map_shape, most)
    sizes = in_shape, out_shape, dtype, device, work
    patches = grid, coding, n_patches, is_distinct
    return CodingPlan(*sizes, *patches, fewest, most, kmeans, contrast)


def pooled_by(orthogonalizer, pool_size):
    """Return a copy of a fitted orthogonalizer with other pooling: clusters do not depend on it."""
    other = copy(orthogonalizer).set_params(pool_size=pool_size)
    map_shape = other._grid.map_shape
    pooling, size = _resolve_pooling(other.pooling, pool_size, map_shape)
    other.coding_ = other.coding_ | {"pooling": pooling, "pool_size": size}
    other.output_shape_ = Coding(**other.coding_).code_shape(map_shape, other.n_clusters_)
    return other


def _resolve_pooling(pooling, pool_size, map_shape):
    """Return the kind and the window of pooling for a map of a shape.

    Raises
    ------
    ValueError
        If `pool_size` is no size and no name of one.
    """
    if isinstance(pool_size, str) and pool_size in _NAMED_POOL_SIZES:
        if (pool_size, pooling) == ("thirds", "average"):
            pooling = "tent"
        pool_size = _NAMED_POOL_SIZES[pool_size](map_shape)
    pool_size = as_pair(pool_size, "pool_size", 1, or_else=f", or one of {[*_NAMED_POOL_SIZES]}")
    return pooling, tuple(map(min, pool_size, map_shape))


def resolve_contrast(contrast, image_shape, is_whitened):
    """Return the constant k of the normalization of contrast, None for no normalization.

    'auto' normalizes images, not codes, raw patches, signals of one row or plain vectors.
    """
    if not is_auto(contrast):
        return contrast if contrast is None else float(contrast)
    height, width, n_channels = image_shape
    is_image = min(height, width) > 1 and n_channels <= MAX_COLORS
    return DEFAULT_CONTRAST if is_whitened and is_image else None


def auto_pool_size(map_shape):
    """Return the default window; two layers reduce most images to a few pixels."""
    side = min(map_shape)
    return 4 if side >= 24 else 3 if side >= 6 else 2


def _at_most(n_windows, map_shape):
    """Return the window, at least the default one, that leaves at most so many in a row."""
    smallest = auto_pool_size(map_shape)
    return tuple(max(smallest, -(-side // n_windows)) for side in map_shape)


_NAMED_POOL_SIZES = {
    "auto": auto_pool_size,
    "eighths": partial(_at_most, 8),
    "thirds": partial(_at_most, 3),
}
