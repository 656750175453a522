"""From batches of images to batches of orthogonal codes, phi * X in algorithm 1.

A batch of codes is either dense, a floating tensor (n, h, w, channels), or a label map,
an integer tensor (n, h, w) that stands for one-hot vectors: `n_clusters` times smaller,
and all that the layers above need of them.
"""

import threading
from math import prod
from typing import NamedTuple

import torch
from torch.nn import functional as F

from .._base._device import (
    as_bits,
    as_tensor,
    automatic_batch_size,
    dense_product,
    in_batches,
    to_tensor,
)
from ._border import subtract_border
from ._pooling import make_pool

# Added to the mean square of a patch's responses that they are divided by the root of.
NORM_EPS = 0.01

ENCODINGS = {"one_hot": 1, "relu": 1, "crelu": 2}  # channels for each cluster


class Coding(NamedTuple):
    """What becomes of the responses of the patches of an image.

    Attributes
    ----------
    encoding : {'one_hot', 'relu', 'crelu'}
        Code of a patch.
    bias : float
        Added before the ReLU.
    normalize : bool
        Whether a patch's responses are divided by their root mean square.
    pooling : {'max', 'average', 'tent'}
        What a window of codes becomes; 'tent' is an average with weights, of windows that overlap.
    pool_size : tuple of int
        Window and stride of the pooling; windows cut by the border count.
    """

    encoding: str
    bias: float
    normalize: bool
    pooling: str
    pool_size: tuple

    def code_shape(self, map_shape, n_clusters):
        """(h, w, channels) of the codes of an image whose patches lie on a map."""
        pooled = (-(-m // p) for m, p in zip(map_shape, self.pool_size))
        return *pooled, n_clusters * ENCODINGS[self.encoding]


class _Buffers(threading.local):
    """Memory by name, each thread's own: workers of a cluster may share an encoder."""

    def __init__(self):
        self.kept = {}

    def __reduce__(self):
        return _Buffers, ()


class PatchEncoder:
    """A code for each patch: its products with the kernels, a nonlinearity, pooling.

    The products are a convolution, phrased as a matrix product of the patches of as many
    images as keep every map in the processor's cache.

    Parameters
    ----------
    grid : PatchGrid
        Where patches lie.
    border : ndarray of shape (channels,)
        Subtracted from pixels.
    kernels : ndarray of shape (n_clusters, patch height, patch width, channels)
        Of the convolution.
    intercepts : ndarray of shape (n_clusters,)
        Added to the convolution.
    coding : Coding
        What becomes of the responses.
    dtype : torch.dtype
        Computed in.
    device : torch.device
        Where to compute.
    batch_size : int or None
        Images at a time; None suits the cache.
    """

    def __init__(
        self, grid, border, kernels, intercepts, coding, *, dtype, device, batch_size=None
    ):
        self.grid = grid
        self.border = as_tensor(border).to(device)
        self.kernels = to_tensor(kernels.reshape(len(kernels), -1), dtype, device)
        self.intercepts = to_tensor(intercepts, dtype, device)
        self.coding = coding
        self.dtype = dtype
        self.device = device
        self.n_clusters = len(kernels)
        self.code_shape = coding.code_shape(grid.map_shape, self.n_clusters)
        self._pool = make_pool(grid.map_shape, coding.pooling, coding.pool_size, dtype)
        widest = max(self.n_clusters, self.kernels.shape[1])
        image_bytes = prod(grid.map_shape) * widest * dtype.itemsize
        self.batch_size = int(batch_size or 0) or automatic_batch_size(image_bytes)
        self._wide = torch.promote_types(dtype, torch.float32)
        self._buffers = _Buffers()

    def _response(self, images):
        """The convolution of images with the kernels: (n, rows, columns, n_clusters)."""
        # The border goes before the precision: its digits would take those of the contrast.
        images = subtract_border(as_tensor(images).to(self.device), self.border)
        windows = self.grid.windows(images.to(self.dtype))
        patches = self._buffer("patches", windows).copy_(windows)
        rows = patches.reshape(-1, self.kernels.shape[1])
        return dense_product(rows, self.kernels, self.intercepts).reshape(*windows.shape[:3], -1)

    def _buffer(self, name, like):
        """Memory of the shape of `like`, the same at each call: fresh memory is slow."""
        kept = self._buffers.kept.get(name)
        if kept is None or len(kept) < len(like):
            kept = self._buffers.kept[name] = like.new_empty(like.shape)
        return kept[: len(like)]

    def label_map(self, images):
        """The cluster of each patch: the nearest centroid has the largest response."""
        return self._response(images).argmax(dim=3)

    def encode(self, images):
        """The codes of images, as a label map where they are one-hot."""
        return in_batches(self._encode_batch, images, self.batch_size)

    def _encode_batch(self, images):
        if self.coding.encoding == "one_hot":
            labels = self.label_map(images)
            is_map = self.coding.pool_size == (1, 1)
            return labels if is_map else self._pool(self._one_hot(labels), 0)
        r = self._response(images)
        if self.coding.normalize:
            norm = torch.linalg.vector_norm(r, dim=3)
            mean_square = norm.to(self._wide) ** 2 / self.n_clusters
            r *= (mean_square + NORM_EPS).rsqrt_().to(r.dtype)[..., None]
        if self.coding.encoding == "relu":
            return self._rectify(r)
        negative = torch.neg(r, out=self._buffer("negative", r))
        return torch.cat([self._rectify(r), self._rectify(negative)], dim=3)

    def _rectify(self, r):
        """pool(max(0, r + b)), as pool(max(r, -b)) + b: one pass fewer over r."""
        bias = float(self.coding.bias)  # of unsigned ints -bias would wrap around
        return self._pool(_raise_to(r, -bias), bias)

    def encode_dense(self, images):
        """The codes of images, dense whatever the encoding."""
        codes = self.encode(images)
        return codes if codes.is_floating_point() else self._one_hot(codes)

    def _one_hot(self, labels):
        return F.one_hot(labels, self.n_clusters).to(self.dtype)


def _raise_to(r, least):
    """max(r, least) in place."""
    if r.dtype != torch.bfloat16 or least < 0:
        return r.clamp_(min=least)
    # Numbers that are not negative are in the order of their bits read as integers, and those
    # of negative numbers, as of -0.0, are negative: 4 times as fast, as nothing is converted.
    bits = as_bits(torch.tensor(abs(least), dtype=r.dtype)).item()
    r.view(torch.int16).clamp_(min=bits)
    return r
