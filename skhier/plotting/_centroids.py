"""Centroids of patches, drawn as small images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from .._base._params import check_count, check_fitted
from ._sheets import check_images, new_axes, show_colors, show_signed, tile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..clustering import PatchKMeansOrthogonalizer


class CentroidsDisplay:
    """The centroids of an orthogonalizer as patches.

    Patches of one channel are drawn on a scale around 0, of three channels in color, of
    others by their norm over channels. Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    centroids : ndarray of shape (n, height, width, channels)
        Patches.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The axes drawn on.

    figure_ : matplotlib.figure.Figure
        Its figure.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhier import PatchKMeansOrthogonalizer
    >>> from skhier.plotting import CentroidsDisplay
    >>> phi = PatchKMeansOrthogonalizer(n_clusters=16, patch_size=4, random_state=0)
    >>> display = CentroidsDisplay.from_estimator(phi.fit(load_digits().images))
    >>> display.ax_.get_title()
    '16 centroids of 4x4 patches'
    """

    def __init__(self, centroids: np.ndarray) -> None:
        self.centroids = centroids

    @classmethod
    def from_estimator(
        cls,
        estimator: PatchKMeansOrthogonalizer,
        *,
        max_centroids: int = 256,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the centroids of a fitted orthogonalizer.

        Parameters
        ----------
        estimator : PatchKMeansOrthogonalizer
            Fitted.

        max_centroids : int, default=256
            Draw at most this many.

        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; if None, a new figure.

        Returns
        -------
        display : CentroidsDisplay
            The drawn display.
        """
        check_fitted(estimator, "estimator", "PatchKMeansOrthogonalizer")
        return cls(estimator.cluster_centers_).plot(max_centroids=max_centroids, ax=ax)

    def plot(self, *, max_centroids: int = 256, ax: Axes | None = None) -> Self:
        """Draw the centroids, each on the same scale of values.

        Parameters
        ----------
        max_centroids : int, default=256
            Draw at most this many.

        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; if None, a new figure.

        Returns
        -------
        display : CentroidsDisplay
            The display itself.
        """
        centroids = check_images(self.centroids, "centroids", [4])
        shown = centroids[: check_count(max_centroids, "max_centroids", 1)]
        n, height, width, channels = shown.shape
        if channels not in (1, 3):
            shown = np.linalg.norm(shown, axis=-1, keepdims=True)
        sheet = tile(shown).squeeze(axis=-1 if channels != 3 else ())
        ax = new_axes(ax, sheet)
        if channels == 3:
            show_colors(ax, sheet)
        elif channels == 1:
            show_signed(ax, sheet)
        else:
            ax.imshow(sheet, cmap="viridis", vmin=0)
        ax.set_axis_off()
        n_all = len(centroids)
        count = f"{n} of {n_all}" if n < n_all else n
        ax.set_title(f"{count} centroids of {height}x{width} patches")
        self.ax_, self.figure_ = ax, ax.figure
        return self
