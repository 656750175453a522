"""One sample of the generative model, drawn level by level."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Self

import numpy as np

from .._base._params import as_pair, check_fitted, is_sequence
from .._base._typing import RandomState
from .._base._validation import to_array
from ._sheets import check_axes, check_images, show_colors

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..generative import HierarchicalSampler


_TRACE_COLOR = "#D55E00"  # vermilion: with any color vision, it differs from cividis
_MAX_NAMED = 12  # in grids of more rows or columns, names of classes would be too small to read


class GenerationDisplay:
    r"""Display of one sample of the generative model, from semantic image to pixels.

    A pixel of :math:`X^{(0)}` is framed, and the patch of :math:`X^{(1)}` that replaces it.
    A pixel of this patch is framed in turn, and so on. Strings are images of height 1. For
    them the whole tree is drawn, each symbol above the symbols that replace it. Use
    :meth:`from_estimator` to create a display.

    Parameters
    ----------
    levels : list of ndarray
        :math:`X^{(0)}, \dots, X^{(d)}` of one sample, each of shape (height, width) or, for
        pixels, (height, width, channels). Integers are semantic classes. Pixels with
        neither one nor three channels are drawn as the index of their largest channel.

    class_names : list of sequences of str, or None, default=None
        For each semantic level, the names of classes 0, 1, ...; if None, their numbers.

    Attributes
    ----------
    axes_ : ndarray of matplotlib.axes.Axes
        Axes of the drawing, one for each level.

    figure_ : matplotlib.figure.Figure
        Figure of the axes.

    trace_ : list of (int, int)
        Framed pixel (row, column) of each level but the last.

    Examples
    --------
    >>> from skhier import HierarchicalSampler
    >>> from skhier.plotting import GenerationDisplay
    >>> sampler = HierarchicalSampler(random_state=0).fit()
    >>> display = GenerationDisplay.from_estimator(sampler, random_state=1)
    >>> [ax.get_title() for ax in display.axes_]
    ['$X^{(0)}$: 3x3', '$X^{(1)}$: 9x9', '$X^{(2)}$: 27x27']
    """

    def __init__(
        self, levels: list[np.ndarray], *, class_names: list[Sequence[str]] | None = None
    ) -> None:
        self.levels = levels
        self.class_names = class_names

    @classmethod
    def from_estimator(
        cls,
        estimator: HierarchicalSampler,
        *,
        pixel: tuple[int, int] | None = None,
        random_state: RandomState = None,
        axes: Sequence[Axes] | None = None,
    ) -> Self:
        """Draw one sample of a fitted sampler, level by level.

        Parameters
        ----------
        estimator : HierarchicalSampler
            A fitted sampler.

        pixel : (int, int) or None, default=None
            Row and column of the framed pixel of the semantic image; if None, its middle.

        random_state : int, RandomState instance or None, default=None
            Determines the sample, as in :meth:`~skhier.HierarchicalSampler.sample`.

        axes : sequence of matplotlib.axes.Axes or None, default=None
            Axes to draw on, one for each level; if None, a new figure is created.

        Returns
        -------
        display : GenerationDisplay
            The drawn display.
        """
        check_fitted(estimator, "estimator", "HierarchicalSampler")
        X, _, latents = estimator.sample(1, return_latents=True, random_state=random_state)
        shapes = estimator.level_shapes_
        # Classes of level 0 can be strings or any numbers; the display takes 0, 1, ...
        names = estimator.semantic_classes_
        levels = [np.searchsorted(names, latents[0][0]), *(latent[0] for latent in latents[1:])]
        levels.append(X[0].reshape(*shapes[-1], -1))
        class_names = [names.tolist(), *(list(range(n)) for n in estimator.n_classes_[1:])]
        return cls(levels, class_names=class_names).plot(pixel=pixel, axes=axes)

    def plot(
        self, *, pixel: tuple[int, int] | None = None, axes: Sequence[Axes] | None = None
    ) -> Self:
        """Draw the levels side by side, or the levels of a string below each other.

        Parameters
        ----------
        pixel : (int, int) or None, default=None
            Row and column of the framed pixel of the semantic image; if None, its middle.

        axes : sequence of matplotlib.axes.Axes or None, default=None
            Axes to draw on, one for each level; if None, a new figure is created.

        Returns
        -------
        display : GenerationDisplay
            The display itself.
        """
        import matplotlib.pyplot as plt

        levels = _check_levels(self.levels)
        shapes = [level.shape[:2] for level in levels]
        are_pixels = [to_array(level, "levels").ndim == 3 for level in self.levels]
        names = _check_names(self.class_names, levels, are_pixels)
        self.trace_ = _trace(shapes, pixel)
        n, are_strings = len(shapes), all(height == 1 for height, _ in shapes)
        if axes is None:
            rows, size = (n, (8, 0.9 * n)) if are_strings else (1, (3.3 * n, 3.9))
            _, axes = plt.subplots(rows, n // rows, figsize=size, layout="constrained")
        axes = check_axes(axes, n, "levels")
        largest = max((level.max() for level in levels if _is_semantic(level)), default=1)
        for i, (ax, level, (height, width)) in enumerate(zip(axes, levels, shapes)):
            if _is_semantic(level):
                _show_classes(ax, level, names[i], max(largest, 1))
            elif level.ndim == 3:
                show_colors(ax, level)
            else:
                ax.imshow(level, cmap="gray")
            title = f"$X^{{({i})}}$: {height}x{width}"
            ax.set(xticks=[], yticks=[], title="" if are_strings else title)
            if are_strings:
                axes[0].set_title("one string, level by level")
                ax.set_aspect("auto")
                ax.set_ylabel(title, rotation=0, ha="right", va="center")
        for i, (row, column) in enumerate(self.trace_):
            p, q = _patch_size(shapes, i)
            traced = (row, column, 1, 1), (row * p, column * q, p, q)
            pairs = [((0, j, 1, 1), (0, j * q, 1, q)) for j in range(shapes[i][1])]
            for box, patch in [*(pairs if are_strings else []), traced]:
                color = _TRACE_COLOR if (box, patch) == traced else "0.5"
                _join(axes[i], box, axes[i + 1], patch, downwards=are_strings, color=color)
            for ax, box in zip(axes[i:], traced):
                _frame(ax, box)
        self.axes_, self.figure_ = axes, axes[0].figure
        return self


def _check_levels(levels):
    """Return the levels as arrays to draw; raise ValueError unless each one tiles the next."""
    levels = [_drawable(level) for level in levels] if is_sequence(levels) else []
    shapes = [level.shape[:2] for level in levels]
    if len(levels) < 2 or any(
        below % above for pair in pairwise(shapes) for above, below in zip(*pair)
    ):
        raise ValueError(
            f"levels of shapes {shapes} are not valid: levels takes two arrays or more, and the "
            "height and width of each array must be multiples of the previous array's."
        )
    return levels


def _check_names(names, levels, are_pixels):
    """Return names for the classes of each level; raise ValueError if a class has none.

    The names of the channels of pixels are their numbers.
    """
    n_classes = [int(level.max()) + 1 if _is_semantic(level) else 0 for level in levels]
    numbers = [range(n) for n in n_classes]
    if names is None:
        return numbers
    are_lists = is_sequence(names) and all(map(is_sequence, names))
    names = [*(names if are_lists else []), *[()] * len(levels)]
    names = [n if is_pixel else name for n, name, is_pixel in zip(numbers, names, are_pixels)]
    if any(len(level) < n for level, n in zip(names, n_classes)):
        raise ValueError(
            f"class_names is not valid: it takes a sequence of names for each semantic level, and "
            f"the levels hold {[n for n in n_classes if n]} classes."
        )
    return names


def _drawable(level):
    """Return a level as classes or gray (height, width), or as colors (height, width, 3)."""
    check_images(level, "levels", [2, 3])
    level = to_array(level, "levels")
    if _is_semantic(level) and level.min() < 0:
        raise ValueError("levels holds negative ints; its ints must be semantic classes 0, 1, ...")
    if level.ndim == 2 or level.shape[2] == 3:
        return level
    if level.shape[2] == 1:
        return level[..., 0]
    return np.where(level.any(axis=2), level.argmax(axis=2), level.shape[2])  # no channel: empty


def _show_classes(ax, level, names, largest):
    """Draw semantic classes as colors, with their names if the names are readable."""
    ax.imshow(level, cmap="cividis", vmin=0, vmax=largest)
    height, width = level.shape
    if max(height, width) > (_MAX_NAMED if height > 1 else 4 * _MAX_NAMED):
        return
    size = 90 / max(height, width / 2, 6)
    for (row, column), c in np.ndenumerate(level):
        color = "black" if c > largest / 2 else "white"
        ax.text(column, row, names[c], ha="center", va="center", color=color, fontsize=size)


def _is_semantic(level):
    """Return whether a level holds semantic classes."""
    return np.issubdtype(level.dtype, np.integer)


def _patch_size(shapes, i):
    """Return the (height, width) of the patches that replace pixels of level i."""
    return tuple(below // above for above, below in zip(shapes[i], shapes[i + 1]))


def _trace(shapes, pixel):
    """Return the framed pixel of each level but the last: `pixel`, then middles of patches."""
    height, width = shapes[0]
    row, column = (height // 2, width // 2) if pixel is None else as_pair(pixel, "pixel", 0)
    if not (row < height and column < width):
        raise ValueError(f"pixel={pixel} is not one of the {height}x{width} pixels of X^(0).")
    trace = []
    for i in range(len(shapes) - 1):
        trace.append((row, column))
        p, q = _patch_size(shapes, i)
        row, column = row * p + p // 2, column * q + q // 2
    return trace


def _frame(ax, box):
    """Draw a frame around a box (row, column, height, width)."""
    from matplotlib.patches import Rectangle

    row, column, height, width = box
    corner = column - 0.5, row - 0.5
    ax.add_patch(Rectangle(corner, width, height, fill=False, ec=_TRACE_COLOR, lw=2, zorder=3))


def _join(ax, box, ax_below, box_below, *, downwards, color):
    """Draw lines between the facing corners of two boxes (row, column, height, width)."""
    from matplotlib.patches import ConnectionPatch

    (top, left, bottom, right), (top_b, left_b, bottom_b, right_b) = (
        (row - 0.5, column - 0.5, row + height - 0.5, column + width - 0.5)
        for row, column, height, width in (box, box_below)
    )
    if downwards:
        ends = [((left, bottom), (left_b, top_b)), ((right, bottom), (right_b, top_b))]
    else:
        ends = [((right, top), (left_b, top_b)), ((right, bottom), (left_b, bottom_b))]
    for start, end in ends:
        line = ConnectionPatch(start, end, "data", "data", axesA=ax, axesB=ax_below)
        line.set(color=color, linewidth=1)
        ax.figure.add_artist(line)
