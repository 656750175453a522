"""One image and its maps after each layer of a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike

from .._base._images import validate_images
from .._base._params import check_count, check_fitted, is_sequence
from ._sheets import check_axes, check_images, show_colors, show_signed, tile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..classifier import LayerwiseCNNClassifier

_MIN_SHARE = 1e-6  # of the largest sum of squares: below are rounding errors


class LayersDisplay:
    """Display of one image and of its most informative channels after each layer.

    The channels are those that differ most between images, without near-duplicates. The first
    channel of a stage has the largest variance between images. Each further one has the largest
    variance that is no linear function of the channels before it. Use :meth:`from_estimator` to
    create a display.

    Parameters
    ----------
    stages : list of (str, ndarray of shape (n, h, w, channels))
        Name and images of each stage, of the same n >= 2 images.

    Attributes
    ----------
    channels_ : list of ndarray of int
        Numbers of the channels that are drawn, for each stage.

    axes_ : ndarray of matplotlib.axes.Axes
        Axes of the drawing, one for each stage.

    figure_ : matplotlib.figure.Figure
        Figure of the axes.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhier import LayerwiseCNNClassifier
    >>> from skhier.plotting import LayersDisplay
    >>> X, y = load_digits().images, load_digits().target
    >>> clf = LayerwiseCNNClassifier(n_clusters=[16, 16], random_state=0).fit(X[:300], y[:300])
    >>> display = LayersDisplay.from_estimator(clf, X[:100])
    >>> [name for name, _ in display.stages]
    ['image', 'layer 1: codes', 'layer 1: embedded', 'layer 2: codes']
    >>> another = display.plot(index=3)
    """

    def __init__(self, stages: list[tuple[str, np.ndarray]]) -> None:
        self.stages = stages

    @classmethod
    def from_estimator(
        cls,
        estimator: LayerwiseCNNClassifier,
        X: ArrayLike,
        *,
        index: int = 0,
        max_channels: int = 16,
        axes: Sequence[Axes] | None = None,
    ) -> Self:
        """Draw an image and its maps after each layer of a fitted classifier.

        The maps of its mirror image, with which a classifier may average those of the last layer
        (`mirror_`), are not drawn.

        Parameters
        ----------
        estimator : LayerwiseCNNClassifier
            A fitted classifier.

        X : array-like of shape (n, H, W, C), (n, H, W) or (n, H * W * C)
            Images. One of them is drawn; all of them decide which channels are drawn: those that
            differ most between images, or between the pixels of a single one. A hundred are
            enough. All their codes are held in memory.

        index : int, default=0
            The image of X to draw.

        max_channels : int, default=16
            Largest number of channels of a stage to draw.

        axes : sequence of matplotlib.axes.Axes or None, default=None
            Axes to draw on, one for each stage; if None, a new figure is created.

        Returns
        -------
        display : LayersDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If X has images of another shape than in `fit`.
        """
        check_fitted(estimator, "estimator", "LayerwiseCNNClassifier")
        images = validate_images(estimator, X, reset=False).collect()
        stages = [("image", images)]
        for number, block in enumerate(estimator.layers_, 1):
            orthogonalizer, embedder = block.on_device(estimator.device)
            images = orthogonalizer.transform(images)
            stages.append((f"layer {number}: codes", images))
            if embedder is not None:
                images = embedder.transform(images)
                stages.append((f"layer {number}: embedded", images))
        return cls(stages).plot(index=index, max_channels=max_channels, axes=axes)

    def plot(
        self, *, index: int = 0, max_channels: int = 16, axes: Sequence[Axes] | None = None
    ) -> Self:
        """Draw the stages of one image side by side, each with its color key.

        Parameters
        ----------
        index : int, default=0
            The image to draw.

        max_channels : int, default=16
            Largest number of channels of a stage to draw. Fewer are drawn if all others are
            linear functions of them.

        axes : sequence of matplotlib.axes.Axes or None, default=None
            Axes to draw on, one for each stage; if None, a new figure is created.

        Returns
        -------
        display : LayersDisplay
            The display itself.
        """
        import matplotlib.pyplot as plt

        check_count(max_channels, "max_channels", 1)
        stages = _check_stages(self.stages)
        check_count(index, "index", 0, len(stages[0][1]) - 1)
        n = len(stages)
        if axes is None:
            grid, size = {"wspace": 0.1}, (2.8 * n, 3.8)
            _, axes = plt.subplots(1, n, figsize=size, layout="constrained", gridspec_kw=grid)
        axes = check_axes(axes, n, "stages")
        self.channels_ = [_informative_channels(maps, max_channels) for _, maps in stages]
        for ax, (name, maps), chosen in zip(axes, stages, self.channels_):
            _draw_maps(ax, maps[index], chosen)
            height, width, n_channels = maps.shape[1:]
            shown = f"{len(chosen)} of " if len(chosen) < n_channels != 3 else ""
            plural = "s" if n_channels > 1 else ""
            title = f"{name}\n{height}x{width}, {shown}{n_channels} channel{plural}"
            ax.set_title(title, fontsize="medium")
        self.axes_, self.figure_ = axes, axes[0].figure
        return self


def _draw_maps(ax, maps, chosen):
    """Draw three channels (h, w, 3) in color, else the chosen channels side by side with a key."""
    ax.set_axis_off()
    if maps.shape[-1] == 3:
        show_colors(ax, maps)
        return
    sheet = tile(maps[..., chosen].transpose(2, 0, 1), int(np.ceil(np.sqrt(len(chosen)))))
    if np.nanmin(sheet) < 0:
        drawn = show_signed(ax, sheet)
    else:
        drawn = ax.imshow(sheet, cmap="gray" if maps.shape[-1] == 1 else "viridis", vmin=0)
    ax.figure.colorbar(drawn, ax=ax, location="bottom", shrink=0.8, pad=0.02, aspect=25)


def _informative_channels(maps, n):
    """Return up to `n` channels of maps (images, h, w, channels), the most informative first.

    They are the pivots of a QR decomposition with pivoting by columns: rows are the images and
    positions, columns the channels, less their mean over images (over positions, of a single
    image). Each step takes the column of the largest norm, and removes its direction from all
    columns.
    """
    means = maps.mean(axis=0 if len(maps) > 1 else (1, 2), keepdims=True)
    residuals = (maps - means).reshape(-1, maps.shape[-1])
    squares, chosen = (residuals**2).sum(axis=0), []
    smallest = _MIN_SHARE * squares.max()
    while len(chosen) < min(n, len(squares)):
        best = squares.argmax()
        if chosen and squares[best] <= smallest:
            break
        chosen.append(best)
        direction = residuals[:, best] / (np.sqrt(squares[best]) or 1)
        residuals -= np.outer(direction, direction @ residuals)
        squares = (residuals**2).sum(axis=0)
    return np.array(chosen)


def _check_stages(stages):
    """Return the stages with float images; raise ValueError unless they are (name, images)."""
    pairs = list(stages) if is_sequence(stages) else []
    if not pairs or not all(is_sequence(pair) and len(pair) == 2 for pair in pairs):
        raise ValueError(
            f"stages={stages!r} is not valid: it takes a list of pairs (name, images)."
        )
    checked = [(name, check_images(maps, "stages", [4])) for name, maps in pairs]
    numbers = {len(maps) for _, maps in checked}
    if len(numbers) > 1:
        raise ValueError(
            f"stages of {sorted(numbers)} images are not valid: each stage takes the same images."
        )
    return checked
