"""Axes, and sheets of many small images: helpers of all displays."""

import numpy as np

from .._base._validation import to_array, to_floats


def tile(images, n_columns=None):
    """Arrange images (n, h, w) or (n, h, w, channels) in a grid with gaps of one pixel.

    Gaps are NaN, which matplotlib draws as transparent. By default, the number of columns is
    about twice the number of rows.
    """
    n, height, width = images.shape[:3]
    n_columns = int(np.ceil(np.sqrt(2 * n))) if n_columns is None else n_columns
    n_rows = -(-n // n_columns)
    shape = n_rows * (height + 1) - 1, n_columns * (width + 1) - 1
    sheet = np.full((*shape, *images.shape[3:]), np.nan)
    for i, image in enumerate(images):
        row, column = divmod(i, n_columns)
        top, left = row * (height + 1), column * (width + 1)
        sheet[top : top + height, left : left + width] = image
    return sheet


def show_colors(ax, sheet):
    """Draw (h, w, 3) values as colors, scaled to [0, 1]; NaN is transparent."""
    low, high = np.nanmin(sheet), np.nanmax(sheet)
    colors = np.nan_to_num((sheet - low) / ((high - low) or 1))
    alpha = np.isfinite(sheet).all(axis=-1, keepdims=True)
    return ax.imshow(np.concatenate([colors, alpha], axis=-1))


def show_signed(ax, sheet):
    """Draw values of both signs on a color scale that is symmetric around 0."""
    limit = np.nanmax(np.abs(sheet)) or 1
    return ax.imshow(sheet, cmap="RdBu_r", vmin=-limit, vmax=limit)


def new_axes(ax, sheet=None):
    """Return `ax`, or if it is None the axes of a new figure with the proportions of `sheet`."""
    import matplotlib.pyplot as plt

    if ax is not None:
        _check_axes(ax, "ax")
        return ax
    size = None
    if sheet is not None:
        height, width = sheet.shape[:2]
        size = 7, min(max(6.5 * height / width, 1) + 1, 9)
    return plt.subplots(figsize=size, layout="constrained")[1]


def check_axes(axes, n, plural):
    """Return `n` axes as an array; raise ValueError for another number of axes.

    The message says that there are `n` of the noun `plural`. Entries that are not axes raise
    TypeError.
    """
    axes = to_array(axes, "axes").ravel()
    if len(axes) != n:
        raise ValueError(f"axes has {len(axes)} axes, but there are {n} {plural} to draw.")
    for ax in axes:
        _check_axes(ax, "axes")
    return axes


def _check_axes(ax, name):
    """Raise TypeError unless `ax` is a matplotlib Axes."""
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes):
        raise TypeError(f"{name} is not valid: it takes matplotlib's Axes or None, not {ax!r}.")


def check_images(images, name, ranks):
    """Return small images as floats; raise ValueError unless their rank is one of `ranks`."""
    images = to_floats(images, name)
    if images.ndim not in ranks or images.size == 0:
        raise ValueError(
            f"{name} of shape {images.shape} is not valid: it takes an array with "
            f"{' or '.join(map(str, ranks))} axes that is not empty."
        )
    return images
