"""What an orthogonalizer's parameters mean for images of one shape, before there is data."""

from dataclasses import dataclass
from math import prod

from .._base._params import as_pair, is_auto
from ._auto import auto_pool_size, most_clusters, thirds
from ._encoder import Coding
from ._patches import PatchGrid

_NAMED_POOL_SIZES = {"auto": auto_pool_size, "thirds": thirds}


@dataclass(frozen=True)
class Plan:
    """Where patches lie, how they are coded, and how many clusters there are at most.

    Attributes
    ----------
    grid : PatchGrid
        Where patches lie.
    coding : Coding
        What becomes of the responses of a patch.
    most_clusters : int
        The number of clusters, or an upper bound while 'auto' is not known.
    most_patches : int or None
        The largest number of patches to cluster; None is all.
    """

    grid: PatchGrid
    coding: Coding
    most_clusters: int
    most_patches: int | None

    @classmethod
    def of(cls, params, image_shape):
        """The plan of an estimator with an orthogonalizer's parameters.

        Raises
        ------
        ValueError
            If a parameter is not valid, or patches do not fit or do not tile the images.
        """
        grid = PatchGrid.from_params(image_shape, params.patch_size, params.stride, params.padding)
        pool_size, pooling = params.pool_size, params.pooling
        if isinstance(pool_size, str) and pool_size in _NAMED_POOL_SIZES:
            if (pool_size, pooling) == ("thirds", "average"):
                pooling = "tent"
            pool_size = _NAMED_POOL_SIZES[pool_size](grid.map_shape)
        pool_size = as_pair(pool_size, "pool_size", 1, or_else=", or 'auto' or 'thirds'")
        coding = Coding(
            params.encoding,
            params.bias,
            params.normalize,
            pooling,
            tuple(map(min, pool_size, grid.map_shape)),
        )
        n_clusters = params.n_clusters
        most = most_clusters(prod(grid.patch_shape)) if is_auto(n_clusters) else int(n_clusters)
        n_patches = None if params.n_patches is None else int(params.n_patches)
        return cls(grid, coding, most, n_patches)

    @property
    def code_shape(self):
        """(h, w, channels) of the codes of an image; of channels, an upper bound."""
        return self.coding.code_shape(self.grid.map_shape, self.most_clusters)

    def n_patches(self, n_images):
        """The number of patches that are clustered."""
        there_are = n_images * prod(self.grid.map_shape)
        return there_are if self.most_patches is None else min(there_are, self.most_patches)

    def work_bytes(self, n_images, dtype):
        """Upper bounds of what clustering, and encoding one image, hold: (bytes, bytes)."""
        n_positions, n_values = prod(self.grid.map_shape), prod(self.grid.patch_shape)
        n_patches = self.n_patches(n_images)
        # Patches as they are, whitened, of unit norm, and in the order of seeding.
        clustering = 4 * n_patches * n_values * dtype.itemsize
        # Patches, responses and codes of both signs before and after pooling.
        one_image = n_positions * (n_values + 4 * self.most_clusters) * dtype.itemsize
        return clustering, one_image
