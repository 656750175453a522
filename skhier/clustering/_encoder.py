"""From batches of images to batches of orthogonal codes, phi * X in algorithm 1.

A batch of codes is either dense, a floating tensor (n, h, w, channels), or a label map,
an integer tensor (n, h, w) that stands for one-hot vectors: `n_clusters` times smaller,
and sufficient for the layers above.
"""

import threading
from functools import partial
from math import prod, sqrt
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

from .._base._device import (
    as_tensor,
    automatic_batch_size,
    batch_product,
    convolve,
    dense_product,
)
from .._base._integers import IntegerProduct
from .._base._threads import one_blas_thread

# Added to the mean square of a patch's responses before they are divided by its root.
NORM_EPS = 0.01

ENCODINGS = {"one_hot": 1, "relu": 1, "crelu": 2}  # channels for each cluster

# Reach of the weights of 'tent' pooling from the center of a window, in windows: chosen on
# photographs, where 1.3 windows are 1.5 points better than windows with edges.
_REACH = 1.3


class Coding(NamedTuple):
    """Nonlinearity and pooling of the responses of an image's patches.

    Attributes
    ----------
    encoding : {'one_hot', 'relu', 'crelu'}
        Code of a patch.
    bias : float
        Added before the ReLU.
    normalize : bool
        Whether a patch's responses are divided by their root mean square.
    pooling : {'max', 'average', 'tent'}
        Reduction of a window of codes; 'tent' is a weighted average of overlapping windows.
    pool_size : tuple of int
        Window and stride of the pooling; windows cut by the border are pooled too.
    """

    encoding: str
    bias: float
    normalize: bool
    pooling: str
    pool_size: tuple

    @property
    def is_normalized(self):
        """Whether responses are normalized; one-hot codes do not depend on it."""
        return self.normalize and self.encoding != "one_hot"

    def code_shape(self, map_shape, n_clusters):
        """Return (h, w, channels) of the codes of an image with a map of patches."""
        pooled = (-(-m // p) for m, p in zip(map_shape, self.pool_size))
        return *pooled, n_clusters * ENCODINGS[self.encoding]


class _Buffer(threading.local):
    """Buffer that is kept between calls: fresh memory is slow.

    It is separate in each thread: workers of a cluster may share an encoder.
    """

    def __init__(self):
        self._tensor = None

    def __reduce__(self):
        return _Buffer, ()

    def like(self, tensor):
        """Return a buffer of the shape of a tensor, whose rows always have the same shape."""
        if self._tensor is None or len(self._tensor) < len(tensor):
            self._tensor = torch.empty_like(tensor)
        return self._tensor[: len(tensor)]


class PatchEncoder:
    """Encoder of patches: products with the kernels, a nonlinearity, pooling.

    The products are a convolution with few kernels and one or two 1x1 convolutions, of batches of
    images whose maps stay in the processor's cache.

    Parameters
    ----------
    grid : PatchGrid
        Positions of patches.
    border : ndarray of shape (channels,)
        Subtracted from pixels.
    responses : tuple
        Map from patches to responses, a result of `response_map`.
    coding : Coding
        Nonlinearity and pooling.
    dtype : torch.dtype
        Precision of the computation.
    with_integers : bool
        Whether the last product is of 8-bit integers, for normalized responses by two products.
        Codes are bfloat16 then until they are pooled.
    device : torch.device
        Where to compute.
    batch_size : int or None
        Number of images at a time; None suits the cache.
    dense : bool
        Whether one-hot codes that are not pooled are dense, not label maps.
    """

    def __init__(
        self,
        grid,
        border,
        responses,
        coding,
        *,
        dtype,
        with_integers,
        device,
        batch_size,
        dense,
    ):
        (first, *second), intercepts, wide = responses
        kernels = as_tensor(first).unflatten(1, grid.patch_shape).permute(0, 3, 1, 2)
        self.grid = grid
        self.border = as_tensor(border).to(device)
        self.n_clusters = len(intercepts if wide is None else wide)
        self.kernels = kernels.to(device, dtype, memory_format=torch.channels_last)
        self.second = as_tensor(second[0]).to(device, dtype) if second else None
        self.intercepts = as_tensor(intercepts).to(device, dtype)
        self.wide = None if wide is None else as_tensor(wide).to(device, dtype)
        self.bias = self.intercepts.new_full((self.n_clusters,), coding.bias)
        self.coding = coding
        self.dtype = dtype
        self.device = device
        self.dense = dense
        self._rounded = None
        if with_integers:
            bound = sqrt(self.n_clusters)  # of the norm of normalized responses
            self._rounded = IntegerProduct(self.wide, self.bias, bound)
        self._pool = make_pool(grid.map_shape, coding.pooling, coding.pool_size, dtype)
        widest = max(self.n_clusters, prod(grid.patch_shape))  # GPUs copy patches
        itemsize = (torch.bfloat16 if with_integers else dtype).itemsize
        image_bytes = prod(grid.map_shape) * widest * itemsize
        self.batch_size = int(batch_size or 0) or automatic_batch_size(image_bytes)
        self._buffer = _Buffer()

    def _response(self, images, bias=None):
        """Convolve images with kernels and add a bias for each: (n, rows, columns, n_clusters).

        If responses are normalized, each patch's are divided by their root mean square before
        the bias is added.
        """
        images = self.grid.padded(as_tensor(images).to(self.device), self.border, self.dtype)
        intercepts = self.intercepts if self.second is None else None
        maps = convolve(images, self.kernels, intercepts, self.grid.stride)
        rows = maps.flatten(0, 2)
        if self.second is not None:
            rows = dense_product(rows, self.second, self.intercepts)
        factors = _inverse_rms(rows, self.n_clusters) if self.coding.is_normalized else None
        if bias is not None and self._rounded is not None:
            return self._rounded(rows, factors).unflatten(0, maps.shape[:3])
        if factors is not None:
            rows *= factors
        if self.wide is not None:  # products add a bias in no time
            rows = dense_product(rows, self.wide, bias)
        elif bias is not None:
            rows += bias
        return rows.unflatten(0, maps.shape[:3])

    def label_map(self, images):
        """Return the cluster of each patch: the nearest centroid has the largest response."""
        return self._response(images).argmax(dim=3)

    def encode(self, images):
        """Encode images; see `dense`."""
        if self.coding.encoding == "one_hot":
            labels = self.label_map(images)
            if self.coding.pool_size == (1, 1) and not self.dense:
                return labels
            return self._pool(F.one_hot(labels, self.n_clusters).to(self.dtype))
        codes = self._response(images, self.bias)
        if self.coding.encoding == "relu":
            return self._pool(_rectify(codes)).to(self.dtype)
        is_pooled = self.coding.pool_size != (1, 1)
        buffer = self._buffer.like(codes) if is_pooled else None  # else it would be the result
        opposite = torch.sub(2 * self.bias[0], codes, out=buffer)  # b - r = 2 b - (r + b)
        pooled = [self._pool(_rectify(r)) for r in (codes, opposite)]
        return torch.cat(pooled, dim=3).to(self.dtype)


@one_blas_thread()
def response_map(coding, factors, intercepts):
    """Return the map from patches to responses, the one that is fast for a coding.

    If responses are normalized, of the last factor F and the intercepts c, [F c] = Q R has
    orthonormal columns Q: the norm of the responses Q z is that of z = R [x; 1], which has fewer
    entries.

    Parameters
    ----------
    coding : Coding
        Nonlinearity of the responses.
    factors : sequence of ndarray
        One or two matrices whose product, the first one applied first, is the matrix of kernels,
        (n_clusters, n_values): two thin ones take less time.
    intercepts : ndarray of shape (n_clusters,)
        Added to the convolution.

    Returns
    -------
    factors, intercepts
        The map from patches to z, or to the responses.
    Q : ndarray of shape (n_clusters, n_columns) or None
        None if z are the responses.
    """
    *first, last = factors
    if not coding.is_normalized or len(last) <= last.shape[1] + 1:
        return tuple(factors), intercepts, None
    Q, R = np.linalg.qr(np.column_stack((last, intercepts)).astype(np.float64))
    narrow = R[:, :-1]
    if first:
        narrow = narrow @ first.pop()
    narrow, offset, Q = (array.astype(last.dtype) for array in (narrow, R[:, -1], Q))
    return (*first, narrow), offset, Q


def _inverse_rms(rows, n_clusters):
    """Return 1 / sqrt(mean square + eps) of responses whose norms are those of rows."""
    wide = torch.promote_types(rows.dtype, torch.float32)
    norm = torch.linalg.vector_norm(rows, dim=1, keepdim=True, dtype=wide)
    return (norm.square() / n_clusters + NORM_EPS).rsqrt()


def _rectify(r):
    """Compute max(0, r) in place."""
    # The bits of negative floats, -0.0 included, are negative integers, and those of 0 are 0: 4
    # times as fast in bfloat16, as nothing is converted.
    is_half = r.dtype == torch.bfloat16
    (r.view(torch.int16) if is_half else r).clamp_(min=0)
    return r


def tent_weights(side, window):
    """Return the weights of pixels, along one side of a map, in overlapping windows.

    There are ceil(side / window) equal windows. Weights fall linearly from the center of each.

    Parameters
    ----------
    side : int
        Pixels of the map.
    window : int
        Pixels of a window without overlap.

    Returns
    -------
    weights : Tensor of shape (n_windows, side)
        The weights of a window sum to 1.
    """
    n = -(-side // window)
    width = side / n
    center = (torch.arange(n, dtype=torch.float64) + 0.5) * width - 0.5
    distance = (torch.arange(side) - center[:, None]).abs() / width
    weights = (1 - distance / _REACH).clamp(min=0)
    return weights / weights.sum(dim=1, keepdim=True)


def make_pool(map_shape, pooling, pool_size, dtype):
    """Return the function from codes, a tensor (n, h, w, channels), to pooled codes.

    Parameters
    ----------
    map_shape : tuple of int
        (h, w).
    pooling : {'max', 'average', 'tent'}
        Reduction of a window.
    pool_size : tuple of int
        Size and stride of windows; those cut by the border are pooled too.
    dtype : torch.dtype
        Dtype that codes are multiplied in by the weights of 'tent'.
    """
    if pool_size == (1, 1):
        return _keep
    if pooling == "tent":
        rows, columns = map(tent_weights, map_shape, pool_size)
        weights = torch.kron(rows, columns).to(dtype)
        return partial(_pool_tents, weights, (len(rows), len(columns)))
    return partial(_pool_windows, pooling, pool_size)


def _keep(codes):
    return codes


def _pool_tents(weights, shape, codes):
    weights = weights.to(codes.device)
    pixels = codes.flatten(1, 2).to(weights.dtype)
    pooled = batch_product(weights.expand(len(codes), -1, -1), pixels)
    return pooled.unflatten(1, shape)


def _pool_windows(pooling, pool_size, codes):
    function = {"max": F.max_pool2d, "average": F.avg_pool2d}[pooling]
    pooled = function(codes.permute(0, 3, 1, 2), pool_size, ceil_mode=True)
    return pooled.permute(0, 2, 3, 1)
