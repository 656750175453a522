"""Samples as Dask arrays: each chunk is drawn when and where it is computed."""

from math import prod
from numbers import Integral

import numpy as np

try:
    import dask.array as da
    from dask import delayed
except ImportError as error:
    raise ImportError(
        "to_dask needs Dask, which is not installed: pip install dask distributed."
    ) from error

from .._base._params import is_auto

_CHUNK_BYTES = 2**26


def row_chunks(chunks, n_samples, row_shape, dtype):
    """Return the number of rows of each chunk for the parameter `chunks` of `to_dask`."""
    if is_auto(chunks):
        chunks = max(1, _CHUNK_BYTES // (prod(row_shape) * dtype.itemsize))
    if isinstance(chunks, Integral) and chunks >= 1:
        n_full, rest = divmod(n_samples, int(chunks))
        return (int(chunks),) * n_full + (rest,) * (rest > 0)
    if isinstance(chunks, tuple) and all(isinstance(n, Integral) and n >= 1 for n in chunks):
        sizes = tuple(int(n) for n in chunks)
        if sum(sizes) == n_samples:
            return sizes
    raise ValueError(
        f"chunks={chunks!r} is not valid: it takes 'auto', an int >= 1, or a tuple of ints >= 1 "
        f"whose sum is n_samples={n_samples}."
    )


def lazy_samples(drawer, seed, first, chunks, classes):
    """Return lazy rows and labels of samples `first`, `first` + 1, ..., in chunks of these sizes.

    The drawer is one node of the graph. The pair (rows, labels) of each chunk is one node too,
    and both arrays are computed from it, so no chunk is drawn twice.
    """
    indices = da.arange(sum(chunks), chunks=(chunks,), dtype=np.int64)
    fitted = delayed(drawer, pure=True, traverse=False)
    pairs = indices.map_blocks(draw, fitted, seed, first, meta=np.empty(0, object))
    shape = drawer.row_shape
    X = pairs.map_blocks(
        rows,
        chunks=(chunks, *((n,) for n in shape)),
        new_axis=list(range(1, 1 + len(shape))),
        meta=np.empty((0,) * (1 + len(shape)), drawer.dtype),
    )
    y = pairs.map_blocks(labels, classes, meta=np.empty(0, classes.dtype))
    return X, y


# Dask shows the names of these functions as names of tasks.


def draw(indices, drawer, seed, first):
    """Draw the pair (rows, labels) of one chunk of the samples from `first` on."""
    return drawer.draw(indices + first, seed)[:2]


def rows(pair):
    """Return the rows of a chunk."""
    return pair[0]


def labels(pair, classes):
    """Return the labels of a chunk."""
    return classes[pair[1]]
