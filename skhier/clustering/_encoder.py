"""From batches of images to batches of orthogonal codes, phi * X in algorithm 1.

A batch of codes is either dense, a floating tensor (n, h, w, n_clusters), or a label
map, an integer tensor (n, h, w) that stands for one-hot vectors: n_clusters times
smaller, and all that the layers above need of them.
"""

import numpy as np
import torch
from torch.nn import functional as F

from .._base._device import automatic_batch_size, to_tensor


def pooled_shape(map_shape, pool_size):
    """The shape of a map after max-pooling; windows cut by the border count (ceil)."""
    return tuple(-(-m // p) for m, p in zip(map_shape, pool_size))


class PatchEncoder:
    """Convolution with the centroids, then a code for each patch.

    Parameters
    ----------
    grid : PatchGrid
        Where patches lie.
    kernels : ndarray of shape (n_clusters, patch height, patch width, channels)
        Of the convolution.
    intercepts : ndarray of shape (n_clusters,)
        Added to the convolution.
    bias : float
        Added before the ReLU; 'relu' encoding only.
    encoding : {'one_hot', 'relu'}
        Code of a patch.
    pool_size : tuple of int
        Window and stride of the max-pooling of codes.
    device : torch.device
        Where to compute.
    """

    def __init__(self, grid, kernels, intercepts, bias, encoding, pool_size, device):
        self.grid = grid
        self.kernels = to_tensor(kernels.transpose(0, 3, 1, 2), kernels.dtype, device)
        self.kernels = self.kernels.contiguous(memory_format=torch.channels_last)
        self.intercepts = to_tensor(intercepts, intercepts.dtype, device)
        self.bias = bias
        self.encoding = encoding
        self.pool_size = pool_size
        self.device = device
        self.n_clusters = len(kernels)
        self.dtype = kernels.dtype
        self.code_shape = (*pooled_shape(grid.map_shape, pool_size), self.n_clusters)
        response_bytes = np.prod(grid.map_shape) * self.n_clusters * self.dtype.itemsize
        self.batch_size = automatic_batch_size(response_bytes)

    def _response(self, images, bias=0.0):
        """Convolve a batch (NumPy, channels last) with the kernels; channels first."""
        x = to_tensor(images, self.dtype, self.device).permute(0, 3, 1, 2)
        before, padding = self.grid.split_padding
        if any(before):
            x = F.pad(x, before)
        return F.conv2d(x, self.kernels, self.intercepts + bias, self.grid.stride, padding)

    def label_map(self, images):
        """The cluster of each patch: the nearest centroid has the largest response."""
        return self._response(images).argmax(dim=1)

    def encode(self, images):
        """The codes of a batch of images, as a label map where they are one-hot."""
        if self.encoding == "one_hot":
            labels = self.label_map(images)
            return labels if self.pool_size == (1, 1) else self._pool(self._one_hot(labels))
        codes = self._response(images, self.bias).relu_()
        return self._pool(codes.permute(0, 2, 3, 1))

    def encode_dense(self, images):
        """The codes of a batch of images, dense whatever the encoding."""
        codes = self.encode(images)
        return codes if codes.is_floating_point() else self._one_hot(codes)

    def _one_hot(self, labels):
        return F.one_hot(labels, self.n_clusters).to(self.kernels.dtype)

    def _pool(self, codes):
        if self.pool_size == (1, 1):
            return codes
        codes = codes.permute(0, 3, 1, 2)
        return F.max_pool2d(codes, self.pool_size, ceil_mode=True).permute(0, 2, 3, 1)
