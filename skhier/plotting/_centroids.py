"""Centroids of patches, drawn as small images."""

import numpy as np
from sklearn.utils.validation import check_is_fitted


def tile(images, n_columns, fill=np.nan):
    """Lay (n, h, w) images out on a grid with a gap of one pixel: one large image."""
    n, height, width = images.shape
    n_rows = -(-n // n_columns)
    sheet = np.full((n_rows * (height + 1) - 1, n_columns * (width + 1) - 1), fill)
    for i, image in enumerate(images):
        row, column = divmod(i, n_columns)
        top, left = row * (height + 1), column * (width + 1)
        sheet[top : top + height, left : left + width] = image
    return sheet


class CentroidsDisplay:
    """The centroids of an orthogonalizer as patches.

    Patches of more than three channels are shown by their norm over channels. Use
    :meth:`from_estimator` to make one.

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

    def __init__(self, centroids):
        self.centroids = centroids

    @classmethod
    def from_estimator(cls, estimator, *, max_centroids=256, ax=None):
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
        check_is_fitted(estimator)
        return cls(estimator.cluster_centers_[:max_centroids]).plot(ax=ax)

    def plot(self, ax=None):
        """Draw the centroids, each on the same scale of values.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; if None, a new figure.

        Returns
        -------
        display : CentroidsDisplay
            The display itself.
        """
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots()
        n, height, width, channels = self.centroids.shape
        n_columns = int(np.ceil(np.sqrt(2 * n)))
        if channels == 3:
            low, high = self.centroids.min(), self.centroids.max()
            colors = (self.centroids - low) / (high - low)
            sheets = [tile(colors[..., c], n_columns, fill=1.0) for c in range(3)]
            ax.imshow(np.stack(sheets, axis=-1))
        elif channels == 1:
            limit = np.abs(self.centroids).max()
            sheet = tile(self.centroids[..., 0], n_columns)
            ax.imshow(sheet, cmap="RdBu_r", vmin=-limit, vmax=limit)
        else:
            sheet = tile(np.linalg.norm(self.centroids, axis=-1), n_columns)
            ax.imshow(sheet, cmap="viridis", vmin=0)
        ax.set_axis_off()
        ax.set_title(f"{n} centroids of {height}x{width} patches")
        self.ax_, self.figure_ = ax, ax.figure
        return self
