"""Counts of codes in cells: a label and a position, or the code of a neighbour."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike

from .._base._params import check_count, is_sequence
from .._base._validation import to_array


def code_counts(
    codes: ArrayLike,
    y: ArrayLike | None = None,
    *,
    n_codes: int | None = None,
    classes: ArrayLike | None = None,
    context: tuple[int, int] | None = None,
) -> np.ndarray:
    """Count codes of images in cells, for :func:`~skhier.theory.separate_codes`.

    Parameters
    ----------
    codes : array-like of shape (n, height, width)
        The code at each position of each image, as
        :meth:`~skhier.PatchKMeansOrthogonalizer.predict` returns it.

    y : array-like of shape (n,) or None, default=None
        Labels of the images. None: there are no labels, and cells are positions or contexts.

    n_codes : int or None, default=None
        Number of codes. None: the largest code plus one.

    classes : array-like of shape (n_labels,) or None, default=None
        All labels, in order. None: the labels in `y`. Pass it if counts of several batches are
        added.

    context : (int, int) or None, default=None
        Offset (down, right) of a neighbour. Then a cell is the neighbour's code in place of the
        position. Every second position is used as a neighbour only, so that no code is both
        counted and the neighbour of a counted code.

    Returns
    -------
    counts : ndarray of shape (n_codes, n_labels, height, width) or (n_codes, n_labels, n_codes)
        Number of times that each code was seen in each cell. `n_labels` is 1 without labels.

    Raises
    ------
    ValueError
        If a parameter is out of range, or `y` or `context` does not fit `codes`.

    Examples
    --------
    >>> from skhier.theory import code_counts
    >>> code_counts([[[0, 1]], [[0, 2]], [[1, 1]]], [5, 5, 7])[:, 0]
    array([[[2, 0]],
           [[0, 1]],
           [[0, 1]]])

    Without labels, code 0 is seen before 1 and 2, and code 1 before 1:

    >>> code_counts([[[0, 1]], [[0, 2]], [[1, 1]]], context=(0, 1))[:, 0]
    array([[0, 1, 1],
           [0, 1, 0],
           [0, 0, 0]])
    """
    code = to_array(codes, "codes")
    if code.ndim != 3 or code.size == 0 or code.dtype.kind not in "iu" or code.min() < 0:
        raise ValueError(
            f"codes of shape {code.shape} and dtype {code.dtype} are not valid: it takes ints "
            ">= 0 of shape (n, height, width)."
        )
    largest = int(code.max())
    n_codes = largest + 1 if n_codes is None else check_count(n_codes, "n_codes", largest + 1)
    n_labels, label = _label_indices(y, classes, len(code))
    code = code.astype(np.int64)
    if context is None:
        shape = code.shape[1:]
        cell = np.arange(code[0].size).reshape(shape)
    else:
        shape = (n_codes,)
        code, cell = _codes_and_neighbours(code, context)
    n_cells = int(np.prod(shape))
    index = (code * n_labels + label[:, None, None]) * n_cells + cell
    counts = np.bincount(index.ravel(), minlength=n_codes * n_labels * n_cells)
    return counts.reshape(n_codes, n_labels, *shape)


def _label_indices(y, classes, n_images):
    """Return the number of labels and the index of the label of each image."""
    if y is None:
        return 1, np.zeros(n_images, np.int64)
    y = to_array(y, "y")
    if y.shape != (n_images,):
        raise ValueError(
            f"y of shape {y.shape} is not valid: it takes one label for each image of codes, "
            f"shape ({n_images},)."
        )
    classes = np.unique(y if classes is None else to_array(classes, "classes"))
    label = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
    if not np.array_equal(classes[label], y):
        unknown = y[classes[label] != y][0]
        raise ValueError(
            f"y has the label {unknown!r}, which is not in classes={classes}: pass all labels."
        )
    return len(classes), label


def check_context(context: tuple[int, int], height: int, width: int) -> tuple[int, int]:
    """Return (down, right); ValueError unless it is the offset of a neighbour in images."""
    is_pair = is_sequence(context) and all(isinstance(step, Integral) for step in context)
    steps = tuple(context) if is_pair and len(context) == 2 else ()
    if not steps or not any(steps) or abs(steps[0]) >= height or abs(steps[1]) >= width:
        raise ValueError(
            f"context={context!r} is not valid: it takes two ints (down, right), not both 0, "
            f"with |down| < {height} and |right| < {width}."
        )
    return int(steps[0]), int(steps[1])


def _codes_and_neighbours(codes, context):
    """Return the codes at every second position, and the codes of their neighbours."""
    height, width = codes.shape[1:]
    down, right = check_context(context, height, width)
    rows, columns = np.mgrid[
        max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)
    ]
    counted = (rows // abs(down) if down else columns // abs(right)) % 2 == 0
    rows, columns = rows[counted], columns[counted]
    return codes[:, None, rows, columns], codes[:, None, rows + down, columns + right]
