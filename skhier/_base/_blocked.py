"""Data that is not in memory: arrays of zarr, HDF5 and Dask, with or without a cluster."""

import sys
from copy import copy
from functools import wraps
from math import prod

import numpy as np
from sklearn.utils import check_consistent_length, column_or_1d

from ._device import own_modes
from ._rows import Rows
from ._sklearn import check_feature_names, returns_frames
from ._validation import checked_block, checked_rows, refuse_missing, to_array, validate_data
from ._warnings import warn

_BLOCK_BYTES = 2**25


def is_dask(X):
    """Return whether X is an array of Dask."""
    array = sys.modules.get("dask.array")
    return array is not None and isinstance(X, array.Array)


def is_blocked(X):
    """Return whether X is read in its own blocks, as arrays of Dask, zarr and HDF5 are."""
    return not isinstance(X, np.ndarray) and all(
        hasattr(X, name) for name in ("shape", "dtype", "chunks", "__getitem__")
    )


def in_memory(y):
    """Return labels or weights in memory; compute those of Dask."""
    if is_dask(y):
        return y.compute()
    return y[:] if is_blocked(y) else y


def validate_rows(estimator, X, y="no_validation", *, row_shape=None, reset=True, dtype):
    """Check X (and y) as :func:`validate_data` does, and return X as rows.

    The shape and dtype of blocked X are checked; its values are not read. Rows of X are reshaped
    to `row_shape`.

    Raises
    ------
    ValueError
        If X has no rows or no numbers, or another number of columns than in `fit`, or no columns
        without a `row_shape`, or if y does not have a value for each row.
    """
    if not is_blocked(X):
        checked = validate_data(
            estimator, X, y if isinstance(y, str) else in_memory(y), reset=reset, dtype=dtype
        )
        X, *rest = checked if isinstance(checked, tuple) else (checked,)
        rows = Rows.of_array(X if row_shape is None else X.reshape(len(X), *row_shape))
        return (rows, *rest) if rest else rows
    _check_blocked(estimator, X)
    check_feature_names(estimator, X, reset=reset)
    if reset:
        estimator.n_features_in_ = prod(int(size) for size in X.shape[1:])
    elif len(X.shape) == 2 and X.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"X has {X.shape[1]} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input."
        )
    if row_shape is None and len(X.shape) != 2:
        raise ValueError(
            f"X has shape {X.shape}; {type(estimator).__name__} takes rows of features, "
            "(n_samples, n_features)."
        )
    dtype = X.dtype if X.dtype in dtype else np.dtype(dtype[0])
    rows = _rows(X, row_shape or tuple(int(size) for size in X.shape[1:]), dtype)
    if isinstance(y, str):
        return rows
    y = column_or_1d(to_array(in_memory(y), "y"), warn=True)
    refuse_missing(y)
    check_consistent_length(rows, y)
    return rows, y


def _check_blocked(estimator, X):
    if np.isnan(X.shape).any():
        raise ValueError(
            f"X has chunks of unknown size, shape {X.shape}: call X.compute_chunk_sizes() first."
        )
    if X.dtype.kind not in "buif":
        raise ValueError(
            f"X has dtype {X.dtype}; {type(estimator).__name__} takes integers and real numbers."
        )
    if 0 in X.shape:
        raise ValueError(f"Found array with shape {X.shape}: X has no values.")


def _rows(X, row_shape, dtype):
    if not is_dask(X):
        row_bytes = max(1, X.dtype.itemsize * prod(X.shape[1:]))
        n_rows = X.chunks[0] if X.chunks else 1  # chunks of contiguous HDF5 are None
        n_rows *= max(1, _BLOCK_BYTES // (n_rows * row_bytes))
        ends = np.r_[np.arange(n_rows, X.shape[0], n_rows), X.shape[0]]
        return Rows.of_array(_BlockReader(X, ends, row_shape, dtype))
    if max(X.numblocks[1:], default=1) > 1:
        warn(
            f"X has chunks {X.chunks[1:]} along axes after the first; it is rechunked, so that "
            "each chunk has whole rows."
        )
        X = _with_whole_rows(_checked(X))
    if "distributed" in sys.modules:
        from ._dask import current_client, dask_rows

        client = current_client()
        if client is not None:
            return dask_rows(X, row_shape, dtype, client)
    return Rows.of_array(_BlockReader(X, np.cumsum(X.chunks[0]), row_shape, dtype))


def _with_whole_rows(X):
    return X.rechunk({axis: -1 for axis in range(1, X.ndim)})


class _BlockReader:
    """Array of which one block is in memory at a time, the one read last.

    Parameters
    ----------
    X : array of Dask, zarr or HDF5
        The array.
    ends : ndarray of int
        Number of the first row after each block.
    row_shape, dtype : tuple of int, dtype
        Shape and dtype of the rows that are read.
    """

    def __init__(self, X, ends, row_shape, dtype):
        self._X, self._ends, self._cached = X, ends, (None, None)
        self.shape, self.dtype = (X.shape[0], *row_shape), dtype

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        """Return the rows that a slice of step 1 or an array of integers selects."""
        rows = np.arange(len(self))[index]
        numbers = np.searchsorted(self._ends, rows, side="right")
        if isinstance(index, slice) and len(rows) and numbers[0] == numbers[-1]:
            start, block = self._block(numbers[0])
            return block[rows[0] - start : rows[-1] + 1 - start]
        out = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for number in np.unique(numbers):
            start, block = self._block(number)
            is_here = numbers == number
            out[is_here] = block[rows[is_here] - start]
        return out

    def _block(self, number):
        """Return (number of its first row, block)."""
        start = int(self._ends[number - 1]) if number else 0
        if self._cached[0] != number:
            block = self._X[start : int(self._ends[number])]
            shape = block.shape
            block = block.compute() if is_dask(block) else block
            self._cached = number, checked_rows(block, shape, self.shape[1:], self.dtype)
        return start, self._cached[1]


def maps_rows(method):
    """Decorate a method of X that returns a row for each row: lazy for an array of Dask.

    After `set_output`, the result is a data frame in memory and is computed at once.
    """

    @wraps(method)
    def mapped(estimator, X):
        if not is_dask(X):
            with own_modes():
                return method(estimator, X)
        from dask import delayed

        _check_blocked(estimator, X)
        X = _with_whole_rows(_checked(X))
        one = method(estimator, np.zeros((1, *X.shape[1:]), X.dtype))
        lazy = X.map_blocks(
            _call,
            # One node of the graph, which another fit does not change.
            delayed(copy(estimator), traverse=False),
            method,
            empty=one[:0],
            chunks=(X.chunks[0], *((size,) for size in one.shape[1:])),
            drop_axis=list(range(1, X.ndim)),
            new_axis=list(range(1, one.ndim)),
            meta=np.empty((0,) * one.ndim, one.dtype),
        )
        is_frame = method.__name__ == "transform" and returns_frames(estimator)
        return lazy.compute() if is_frame else lazy

    return mapped


def _call(block, estimator, method, empty):
    return method(estimator, block) if len(block) else empty


def _checked(X):
    """Return an array of Dask whose chunks are checked before Dask joins them."""
    meta = np.empty((0,) * X.ndim, X.dtype)
    return X.map_blocks(_checked_chunk, X.dtype, dtype=X.dtype, meta=meta)


def _checked_chunk(chunk, dtype, block_info=None):
    bounds = block_info[0]["array-location"]
    return checked_block(chunk, [stop - start for start, stop in bounds], dtype)
