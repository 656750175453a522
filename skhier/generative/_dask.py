"""Samples as Dask arrays: each chunk is drawn when and where it is computed."""

from copy import copy
from math import prod
from numbers import Integral

import numpy as np

try:
    import dask.array as da
    from dask import delayed
except ImportError as error:
    raise ImportError(
        'to_dask needs Dask, which is not installed: pip install "skhier[dask]".'
    ) from error

from .._base._params import is_auto

_CHUNK_PIXELS = 2**24  # 64 MB


def row_chunks(chunks, n_samples, image_shape):
    """Return the number of rows of each chunk for the parameter `chunks` of `to_dask`."""
    if is_auto(chunks):
        chunks = max(1, _CHUNK_PIXELS // prod(image_shape))
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


def lazy_samples(sampler, seed, chunks):
    """Return lazy images and labels of samples 0, 1, ... of `seed`, with these chunk sizes.

    The sampler is one node of the graph. The pair (images, labels) of each chunk is one node
    too, and both arrays are computed from it, so no chunk is drawn twice.
    """
    indices = da.arange(sum(chunks), chunks=(chunks,), dtype=np.int64)
    # A copy, so that a later fit changes no array. Dask has threads of its own.
    sampler = copy(sampler).set_params(n_jobs=None)
    fitted = delayed(sampler, pure=True, traverse=False)
    pairs = indices.map_blocks(draw, fitted, seed, meta=np.empty(0, object))
    shape = sampler._model.image_shape
    X = pairs.map_blocks(
        images,
        chunks=(chunks, *((n,) for n in shape)),
        new_axis=list(range(1, 1 + len(shape))),
        meta=np.empty((0,) * (1 + len(shape)), np.float32),
    )
    y = pairs.map_blocks(labels, meta=np.empty(0, sampler.classes_.dtype))
    return X, y


# Dask shows the names of these functions as names of tasks.


def draw(indices, sampler, seed):
    """Draw the pair (images, labels) of one chunk."""
    return sampler._draw(indices, seed, return_latents=False)


def images(pair):
    """Return the images of a chunk."""
    return pair[0]


def labels(pair):
    """Return the labels of a chunk."""
    return pair[1]
