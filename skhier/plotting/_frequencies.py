"""Labeled frequency matrices, drawn as small images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from .._base._params import check_count, check_fitted
from ._sheets import check_images, new_axes, show_signed, tile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..generative import HierarchicalSampler


_MAX_NUMBERED = 16  # in longer rows of images, class numbers would overlap


class FrequenciesDisplay:
    r"""Display of the labeled frequency matrices :math:`F_c` of one level (section 3).

    Each class c has a small image. It shows at which positions, and how strongly, the class is
    evidence for one label (red) or the other (blue). Gradient descent on the two-layer network
    cannot distinguish classes whose matrices are equal. With more than two labels, each label
    has a row of images. Use :meth:`from_estimator` to create a display.

    Parameters
    ----------
    frequencies : ndarray of shape (n_classes, [n_labels,] height, width)
        Labeled frequency matrices of all classes.

    level : int
        Level i of the model, shown in the title.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes of the drawing.

    figure_ : matplotlib.figure.Figure
        Figure of the axes.

    Examples
    --------
    >>> from skhier import HierarchicalSampler
    >>> from skhier.plotting import FrequenciesDisplay
    >>> sampler = HierarchicalSampler(random_state=0).fit()
    >>> display = FrequenciesDisplay.from_estimator(sampler, level=1)
    >>> display.ax_.get_title()
    'labeled frequencies of 4 classes at level 1'
    """

    def __init__(self, frequencies: np.ndarray, *, level: int) -> None:
        self.frequencies = frequencies
        self.level = level

    @classmethod
    def from_estimator(
        cls, estimator: HierarchicalSampler, *, level: int = 0, ax: Axes | None = None
    ) -> Self:
        """Draw the exact labeled frequency matrices of a fitted sampler.

        Parameters
        ----------
        estimator : HierarchicalSampler
            A fitted sampler.

        level : int, default=0
            Level i of the model, from 0 to `n_levels` - 1.

        ax : matplotlib.axes.Axes or None, default=None
            Axes to draw on; if None, a new figure is created.

        Returns
        -------
        display : FrequenciesDisplay
            The drawn display.
        """
        check_fitted(estimator, "estimator", "HierarchicalSampler")
        check_count(level, "level", 0, len(estimator.patches_) - 1)
        frequencies = estimator.statistics().levels[level].labeled_frequencies
        return cls(frequencies, level=level).plot(ax=ax)

    def plot(self, *, ax: Axes | None = None) -> Self:
        """Draw the matrices, all on one color scale that is symmetric around 0.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Axes to draw on; if None, a new figure is created.

        Returns
        -------
        display : FrequenciesDisplay
            The display itself.
        """
        frequencies = check_images(self.frequencies, "frequencies", [3, 4])
        n_classes, *labels, height, width = frequencies.shape
        rows_are_labels = len(labels) == 1
        by_label = np.moveaxis(frequencies, 0, -3)  # label, class, row, column
        columns_are_classes = rows_are_labels or n_classes <= _MAX_NUMBERED
        n_columns = n_classes if columns_are_classes else None
        sheet = tile(by_label.reshape(-1, height, width), n_columns)
        ax = new_axes(ax, sheet)
        image = show_signed(ax, sheet)
        ax.figure.colorbar(image, ax=ax, label=r"$E[\, y\; 1\{X = c\}\,]$")
        ax.set(xticks=[], yticks=[], xlabel="class c")
        if columns_are_classes:
            ax.set_xticks(_centers(n_classes, width), map(str, range(n_classes)))
        if rows_are_labels:
            ax.set_yticks(_centers(labels[0], height), map(str, range(labels[0])))
            ax.set_ylabel("label")
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0)
        ax.set_title(f"labeled frequencies of {n_classes} classes at level {self.level}")
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _centers(n, side):
    """Return the centers of n images of width `side` in a row with gaps of one pixel."""
    return np.arange(n) * (side + 1) + (side - 1) / 2
