"""Labeled frequency matrices, drawn as small images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from .._base._params import check_count, check_fitted
from ._sheets import check_images, new_axes, show_signed, tile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..generative import HierarchicalSampler


_MAX_NAMED = 16  # images in a row that can each have a readable number


class FrequenciesDisplay:
    r"""The labeled frequency matrices :math:`F_c` of the classes of one level (section 3).

    One small image for each class c: where, and how strongly, the class speaks for one label
    (red) or the other (blue). Classes whose matrices are alike cannot be told apart by
    gradient descent on the two-layer network. Of more than two labels, there is a row of
    images for each label. Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    frequencies : ndarray of shape (n_classes, [n_labels,] height, width)
        The matrices.

    level : int
        Level i of the model, for the title.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The axes drawn on.

    figure_ : matplotlib.figure.Figure
        Its figure.

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
        """Draw the exact matrices of a fitted sampler.

        Parameters
        ----------
        estimator : HierarchicalSampler
            Fitted.

        level : int, default=0
            Level i of the model, from 0 to `n_levels` - 1.

        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; if None, a new figure.

        Returns
        -------
        display : FrequenciesDisplay
            The drawn display.
        """
        check_fitted(estimator, "estimator", "HierarchicalSampler")
        check_count(level, "level", 0, estimator.n_levels - 1)
        frequencies = estimator.statistics().levels[level].labeled_frequencies
        return cls(frequencies, level=level).plot(ax=ax)

    def plot(self, *, ax: Axes | None = None) -> Self:
        """Draw the matrices, each on the same scale around 0.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; if None, a new figure.

        Returns
        -------
        display : FrequenciesDisplay
            The display itself.
        """
        frequencies = check_images(self.frequencies, "frequencies", [3, 4])
        n_classes, *labels, height, width = frequencies.shape
        are_rows_labels = len(labels) == 1
        by_label = np.moveaxis(frequencies, 0, -3)  # label, class, row, column
        one_row = are_rows_labels or n_classes <= _MAX_NAMED
        sheet = tile(by_label.reshape(-1, height, width), n_classes if one_row else None)
        ax = new_axes(ax, sheet)
        image = show_signed(ax, sheet)
        ax.figure.colorbar(image, ax=ax, label=r"$E[\, y\; 1\{X = c\}\,]$")
        ax.set(xticks=[], yticks=[], xlabel="class c")
        if one_row:
            ax.set_xticks(_middles(n_classes, width), map(str, range(n_classes)))
        if are_rows_labels:
            ax.set_yticks(_middles(labels[0], height), map(str, range(labels[0])))
            ax.set_ylabel("label")
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0)
        ax.set_title(f"labeled frequencies of {n_classes} classes at level {self.level}")
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _middles(n, side):
    """Middles of n images of this side, with gaps of one pixel."""
    return np.arange(n) * (side + 1) + (side - 1) / 2
