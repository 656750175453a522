"""Centroids of patches, drawn as small images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from .._base._params import check_count, check_fitted
from ._sheets import check_images, new_axes, show_colors, show_signed, tile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..classifier import LayerwiseCNNClassifier
    from ..clustering import PatchKMeansOrthogonalizer


class CentroidsDisplay:
    """Display of an orthogonalizer's centroids as small images.

    Patches of one channel are drawn on a color scale that is symmetric around 0. Patches of
    three channels are drawn in color. For any other number of channels, the norm over channels
    is drawn. Use :meth:`from_estimator` to create a display.

    Parameters
    ----------
    centroids : ndarray of shape (n, height, width, channels)
        The centroids.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes of the drawing.

    figure_ : matplotlib.figure.Figure
        Figure of the axes.

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
        estimator: PatchKMeansOrthogonalizer | LayerwiseCNNClassifier,
        *,
        max_centroids: int = 256,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the centroids of a fitted orthogonalizer, or of a classifier's first layer.

        Parameters
        ----------
        estimator : PatchKMeansOrthogonalizer or LayerwiseCNNClassifier
            A fitted orthogonalizer, or a fitted classifier. For another layer of a classifier,
            pass ``classifier.layers_[i].orthogonalizer``.

        max_centroids : int, default=256
            Largest number of centroids to draw.

        ax : matplotlib.axes.Axes or None, default=None
            Axes to draw on; if None, a new figure is created.

        Returns
        -------
        display : CentroidsDisplay
            The drawn display.
        """
        classes = "PatchKMeansOrthogonalizer", "LayerwiseCNNClassifier"
        check_fitted(estimator, "estimator", *classes)
        layers = getattr(estimator, "layers_", None)
        orthogonalizer = estimator if layers is None else layers[0].orthogonalizer
        return cls(orthogonalizer.cluster_centers_).plot(max_centroids=max_centroids, ax=ax)

    def plot(self, *, max_centroids: int = 256, ax: Axes | None = None) -> Self:
        """Draw the centroids, all on the same scale of values.

        Parameters
        ----------
        max_centroids : int, default=256
            Largest number of centroids to draw.

        ax : matplotlib.axes.Axes or None, default=None
            Axes to draw on; if None, a new figure is created.

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
        number = f"{n} of {n_all}" if n < n_all else n
        ax.set_title(f"{number} centroids of {height}x{width} patches")
        self.ax_, self.figure_ = ax, ax.figure
        return self
