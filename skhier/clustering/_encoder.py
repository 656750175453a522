"""From batches of images to batches of orthogonal codes, phi * X in algorithm 1.

A batch of codes is either dense, a floating tensor (n, h, w, channels), or a label map,
an integer tensor (n, h, w) that stands for one-hot vectors: `n_clusters` times smaller,
and sufficient for the layers above.
"""

import threading
from functools import partial
from math import prod
from typing import NamedTuple

import torch
from torch.nn import functional as F

from .._base._device import as_tensor, automatic_batch_size, dense_product

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

    def code_shape(self, map_shape, n_clusters):
        """Return (h, w, channels) of the codes of an image with a map of patches."""
        pooled = (-(-m // p) for m, p in zip(map_shape, self.pool_size))
        return *pooled, n_clusters * ENCODINGS[self.encoding]


class _Buffers(threading.local):
    """Memory by name, separate in each thread: workers of a cluster may share an encoder."""

    def __init__(self):
        self.by_name = {}

    def __reduce__(self):
        return _Buffers, ()


class PatchEncoder:
    """Encoder of patches: products with the kernels, a nonlinearity, pooling.

    The products are a convolution, computed as a matrix product of the patches of a batch of
    images that keeps every map in the processor's cache.

    Parameters
    ----------
    grid : PatchGrid
        Positions of patches.
    border : ndarray of shape (channels,)
        Subtracted from pixels.
    factors : sequence of ndarray
        Matrices whose product, the first one applied first, is the matrix of kernels,
        (n_clusters, n_values): two thin ones take less time.
    intercepts : ndarray of shape (n_clusters,)
        Added to the convolution.
    coding : Coding
        Nonlinearity and pooling.
    dtype : torch.dtype
        Precision of the computation.
    device : torch.device
        Where to compute.
    batch_size : int or None
        Number of images at a time; None suits the cache.
    dense : bool
        Whether one-hot codes that are not pooled are dense, not label maps.
    """

    def __init__(
        self, grid, border, factors, intercepts, coding, *, dtype, device, batch_size, dense
    ):
        self.grid = grid
        self.border = as_tensor(border).to(device)
        self.factors = [as_tensor(factor).to(device, dtype) for factor in factors]
        self.intercepts = as_tensor(intercepts).to(device, dtype)
        self.coding = coding
        self.dtype = dtype
        self.device = device
        self.dense = dense
        self.n_clusters = len(factors[-1])
        self._pool = make_pool(grid.map_shape, coding.pooling, coding.pool_size, dtype)
        widest = max(self.n_clusters, prod(grid.patch_shape))
        image_bytes = prod(grid.map_shape) * widest * dtype.itemsize
        self.batch_size = int(batch_size or 0) or automatic_batch_size(image_bytes)
        self._wide = torch.promote_types(dtype, torch.float32)
        self._buffers = _Buffers()

    def _response(self, images):
        """Convolve images with the kernels: (n, rows, columns, n_clusters)."""
        windows = self.grid.windows(as_tensor(images).to(self.device), self.border, self.dtype)
        patches = self._buffer("patches", windows).copy_(windows)
        rows = patches.flatten(0, 2).flatten(1)
        for factor in self.factors[:-1]:
            rows = dense_product(rows, factor)
        rows = dense_product(rows, self.factors[-1], self.intercepts)
        return rows.unflatten(0, windows.shape[:3])

    def _buffer(self, name, like):
        """Return memory of the shape of `like`, kept between calls: fresh memory is slow."""
        buffer = self._buffers.by_name.get(name)
        if buffer is None or len(buffer) < len(like):
            buffer = self._buffers.by_name[name] = like.new_empty(like.shape)
        return buffer[: len(like)]

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
        r = self._response(images)
        mean_square = None
        if self.coding.normalize:
            norm = torch.linalg.vector_norm(r, dim=3)
            mean_square = norm.to(self._wide) ** 2 / self.n_clusters
        signs = (1, -1)[: ENCODINGS[self.coding.encoding]]
        codes = [self._pool(_rectify(self._shift(r, sign, mean_square))) for sign in signs]
        return torch.cat(codes, dim=3) if len(codes) > 1 else codes[0]

    def _shift(self, r, sign, mean_square):
        """Compute sign * r + b, r divided by its root mean square if that is given.

        It is rounded once, before the pooling: codes may be small beside r and b. Fast because it
        is a batch normalization, whose channels are patches, with known means and variances.
        """
        patches = r.reshape(1, -1, self.n_clusters)
        factor = torch.full(patches.shape[1:2], float(sign), dtype=self._wide, device=self.device)
        mean, bias = torch.zeros_like(factor), torch.full_like(factor, self.coding.bias)
        eps = NORM_EPS
        if mean_square is None:
            mean_square, eps = torch.ones_like(factor), 0.0
        known = mean, mean_square.reshape(-1)
        return F.batch_norm(patches, *known, factor, bias, eps=eps).reshape(r.shape)


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
        Dtype of the codes.
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
    pooled = weights.to(codes.device) @ codes.flatten(1, 2)
    return pooled.unflatten(1, shape)


def _pool_windows(pooling, pool_size, codes):
    function = {"max": F.max_pool2d, "average": F.avg_pool2d}[pooling]
    pooled = function(codes.permute(0, 3, 1, 2), pool_size, ceil_mode=True)
    return pooled.permute(0, 2, 3, 1)
