"""One image and its maps after each layer of a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike

from .._base._params import check_count, check_fitted, is_sequence
from .._base._validation import to_array
from ._sheets import check_axes, check_images, show_colors, tile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..classifier import LayerwiseCNNClassifier


class LayersDisplay:
    """Display of one image and of its strongest channels after each layer.

    Use :meth:`from_estimator` to create a display.

    Parameters
    ----------
    stages : list of (str, ndarray of shape (h, w, channels))
        Name and image of each stage.

    Attributes
    ----------
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
    >>> clf = LayerwiseCNNClassifier(n_clusters=16, random_state=0).fit(X, y)
    >>> display = LayersDisplay.from_estimator(clf, X[0])
    >>> [name for name, _ in display.stages]
    ['image', 'layer 1: codes', 'layer 1: embedded', 'layer 2: codes']
    """

    def __init__(self, stages: list[tuple[str, np.ndarray]]) -> None:
        self.stages = stages

    @classmethod
    def from_estimator(
        cls,
        estimator: LayerwiseCNNClassifier,
        image: ArrayLike,
        *,
        max_channels: int = 16,
        axes: Sequence[Axes] | None = None,
    ) -> Self:
        """Draw an image and its maps after each layer of a fitted classifier.

        Parameters
        ----------
        estimator : LayerwiseCNNClassifier
            A fitted classifier.

        image : array-like of shape (H, W) or (H, W, C)
            The image to draw.

        max_channels : int, default=16
            Largest number of channels of a stage to draw, in order of decreasing variance.

        axes : sequence of matplotlib.axes.Axes or None, default=None
            Axes to draw on, one for each stage; if None, a new figure is created.

        Returns
        -------
        display : LayersDisplay
            The drawn display.
        """
        check_fitted(estimator, "estimator", "LayerwiseCNNClassifier")
        shape = check_images(image, "image", [2, 3]).shape
        if (*shape, 1)[:3] != estimator.image_shape_:
            raise ValueError(
                f"image of shape {shape} is not valid: estimator was fitted on images of shape "
                f"{estimator.image_shape_}."
            )
        images = to_array(image, "image").reshape(1, *estimator.image_shape_)
        stages = [("image", images[0])]
        for number, block in enumerate(estimator.layers_, 1):
            orthogonalizer, embedder = block.on_device(estimator.device)
            images = orthogonalizer.transform(images)
            stages.append((f"layer {number}: codes", images[0]))
            if embedder is not None:
                images = embedder.transform(images)
                stages.append((f"layer {number}: embedded", images[0]))
        return cls(stages).plot(max_channels=max_channels, axes=axes)

    def plot(self, *, max_channels: int = 16, axes: Sequence[Axes] | None = None) -> Self:
        """Draw the stages side by side.

        Parameters
        ----------
        max_channels : int, default=16
            Largest number of channels of a stage to draw, in order of decreasing variance.

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
        n = len(stages)
        if axes is None:
            grid = {"wspace": 0.1}
            _, axes = plt.subplots(
                1, n, figsize=(2.8 * n, 3), layout="constrained", gridspec_kw=grid
            )
        axes = check_axes(axes, n, "stages")
        for ax, (name, maps) in zip(axes, stages):
            height, width, channels = maps.shape
            if channels == 3:
                show_colors(ax, maps)
            else:
                strongest = np.argsort(maps.var(axis=(0, 1)))[::-1][:max_channels]
                shown = maps[..., strongest].transpose(2, 0, 1)
                ax.imshow(tile(shown, int(np.ceil(np.sqrt(len(shown))))), cmap="viridis")
            ax.set_axis_off()
            plural = "s" if channels > 1 else ""
            ax.set_title(f"{name}\n{height}x{width}, {channels} channel{plural}", fontsize=9)
        self.axes_, self.figure_ = axes, axes[0].figure
        return self


def _check_stages(stages):
    """Return the stages with float images; raise ValueError unless they are (name, image)."""
    pairs = list(stages) if is_sequence(stages) else []
    if not pairs or not all(is_sequence(pair) and len(pair) == 2 for pair in pairs):
        raise ValueError(f"stages={stages!r} is not valid: it takes a list of pairs (name, image).")
    return [(name, check_images(maps, "stages", [3])) for name, maps in pairs]
