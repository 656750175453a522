"""Containers of images: files, arrays in blocks, and arrays of Dask whose metadata is false."""

import tempfile

import dask.array as da
import numpy as np
import zarr


class DataSet:
    """Data set of HDF5, contiguous or in chunks, that is read by slices of rows.

    Parameters
    ----------
    X : ndarray
        The values.
    chunks : tuple of int or None
        Shape of a chunk; None is contiguous.
    """

    def __init__(self, X, chunks):
        self._X, self.chunks = X, chunks
        self.shape, self.dtype = X.shape, X.dtype

    def __len__(self):
        return len(self._X)

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("the whole file is read at once")

    def __getitem__(self, rows):
        assert isinstance(rows, slice)
        assert rows.step in (None, 1)
        return self._X[rows].copy()


def in_file(X):
    """Return X in a file that is mapped to memory."""
    with tempfile.TemporaryFile() as file:
        mapped = np.memmap(file, X.dtype, "w+", shape=X.shape)
        mapped[...] = X
    return mapped


def read_only(X):
    """Return X, which cannot be written any more."""
    X.flags.writeable = False
    return X


def _rows(X, n):
    return n, *X.shape[1:]


BLOCKED = {
    "zarr": lambda X: zarr.array(X, chunks=_rows(X, 3)),
    "zarr in pieces": lambda X: zarr.array(X, chunks=(2,) * X.ndim),
    "HDF5": lambda X: DataSet(X, _rows(X, 4)),
    "contiguous HDF5": lambda X: DataSet(X, None),
    "Dask": lambda X: da.from_array(X, chunks=_rows(X, 3)),
    "Dask of one chunk": lambda X: da.from_array(X, chunks=-1),
    "Dask in pieces": lambda X: da.from_array(X, chunks=2),
}


def _lying(X, chunks, dtype=None, change=None):
    """Return a Dask array of 4 rows in a chunk, which claims other chunks or another dtype."""
    true = da.from_array(X, chunks=_rows(X, 4))
    true = true if change is None else true.map_blocks(change, dtype=X.dtype)
    sizes = [(chunk,) * (len(X) // 4) if i == 0 else (chunk,) for i, chunk in enumerate(chunks)]
    return da.Array(true.dask, true.name, tuple(sizes), dtype or X.dtype)


# Each returns an array of Dask for 4 n images (n, H, W, ...), and is refused.
LIES = {
    "more rows": lambda X: _lying(X, _rows(X, 5)),
    "fewer rows": lambda X: _lying(X, _rows(X, 3)),
    "no rows": lambda X: _lying(X, _rows(X, 4), change=lambda block: block[:0]),
    "other axes": lambda X: _lying(X, _rows(X, 4), change=lambda block: block.swapaxes(0, -1)),
    "one more axis": lambda X: _lying(X, _rows(X, 4), change=lambda block: block[None]),
    "flat": lambda X: _lying(X, _rows(X, 4), change=lambda block: block.reshape(len(block), -1)),
    "NaN": lambda X: _lying(X, _rows(X, 4), change=lambda block: block * np.nan),
    "one infinity": lambda X: _lying(
        X, _rows(X, 4), change=lambda block: np.full_like(block, np.inf)
    ),
    "words": lambda X: _lying(X, _rows(X, 4), change=lambda block: np.full(block.shape, "a")),
    "complex": lambda X: _lying(X, _rows(X, 4), change=lambda block: block + 1j),
    "nothing": lambda X: _lying(X, _rows(X, 4), change=lambda block: np.full(block.shape, None)),
    "masked": lambda X: _lying(
        X, _rows(X, 4), change=lambda block: np.ma.masked_less(block, np.inf)
    ),
    "dates": lambda X: _lying(X, _rows(X, 4), change=lambda block: block.astype("M8[s]")),
}
# Each returns an array of Dask with the values of X.
DTYPES_OF_CHUNKS = {
    "single": lambda X: _lying(X, _rows(X, 4), change=lambda block: block.astype("f4")),
    "objects": lambda X: _lying(X, _rows(X, 4), change=lambda block: block.astype(object)),
    "long": lambda X: _lying(X, _rows(X, 4), change=lambda block: block.astype("g")),
    "big-endian": lambda X: _lying(X, _rows(X, 4), change=lambda block: block.astype(">f8")),
    "masked": lambda X: _lying(X, _rows(X, 4), change=np.ma.array),
}
