"""What the two-layer network needs of codes, dense or as label maps.

A batch of codes X is a floating tensor (n, h, w, C), or an integer tensor (n, h, w)
whose entries name the one channel that is 1. On a label map the 1x1 convolution is a
table lookup and the sum over a class is a count.
"""

from math import prod
from typing import Protocol

import torch

from .._base._device import automatic_batch_size, to_tensor


class CodeSource(Protocol):
    """Codes of a data set that can be read again and again, a batch at a time."""

    code_shape: tuple  # (h, w, C)
    batch_size: int  # images to read at a time when the order does not matter

    def __len__(self):
        """Number of images."""

    def take(self, index):
        """The codes of the images that a slice or an index array selects."""


class ArrayCodes:
    """Codes that are already there, as an array (n, h, w, C)."""

    def __init__(self, codes, dtype, device):
        self._codes, self._dtype, self._device = codes, dtype, device
        self.code_shape = codes.shape[1:]
        self.batch_size = automatic_batch_size(codes[:1].size * dtype.itemsize)

    def __len__(self):
        return len(self._codes)

    def take(self, index):
        """The codes of the images that a slice or an index array selects."""
        return to_tensor(self._codes[index], self._dtype, self._device)


def conv1x1(codes, K):
    """K^T x at every position: (n, h, w, n_components), in the dtype of dense codes."""
    return codes @ K.to(codes.dtype) if codes.is_floating_point() else K[codes]


def channel_moments(codes, n_channels, weight=None):
    """Sums over images and positions of each channel and of its square: (2, n_channels).

    `weight` is that of the images, or None.
    """
    if codes.is_floating_point():
        flat = codes.flatten(0, 2)
        weighted = flat if weight is None else per_image(weight, codes).flatten(0, 2)
        return torch.stack([weighted.sum(dim=0), (weighted * flat).sum(dim=0)]).double()
    weights = None if weight is None else _repeated(weight, codes)
    return torch.bincount(codes.ravel(), weights, minlength=n_channels).double().expand(2, -1)


def per_image(weight, codes):
    """Dense codes times the weight of their image."""
    return codes * weight.to(codes.dtype)[:, None, None, None]


def _repeated(weight, labels):
    """The weight of each entry of label maps (n, h, w)."""
    return weight[:, None, None].expand(labels.shape).ravel()


def channel_scale(moments, n):
    """1 / standard deviation of each channel, given sums over `n` values; 1 for constants."""
    mean, mean_square = moments / n
    variance = mean_square - mean**2
    varies = variance > 1e-12 * mean_square
    return torch.where(varies, variance.clamp(min=0).rsqrt(), 1.0)


class ClassSums:
    """The sum of the codes of each class, (n_classes, positions, n_channels) in float64.

    They are all that the gradient of the linear loss needs of the data. Counting is exact
    for label maps; dense codes are summed in their dtype, a thousand at a time.
    """

    _N_RECENT = 1024

    def __init__(self, code_shape, n_classes, dtype, device):
        self._shape = n_classes, prod(code_shape[:2]), code_shape[2]
        n_cells = prod(code_shape)
        self._total = torch.zeros(n_classes, n_cells, dtype=torch.float64, device=device)
        self._recent = torch.zeros(n_classes, n_cells, dtype=dtype, device=device)
        self._n_recent = 0

    def add(self, codes, labels, weight=None):
        """Add the codes of some images, whose classes are `labels`, times their weights."""
        if codes.is_floating_point():
            codes = codes if weight is None else per_image(weight, codes)
            self._recent.index_add_(0, labels, codes.flatten(1))
            self._n_recent += len(codes)
            if self._n_recent >= self._N_RECENT:
                self._flush()
            return
        _, positions, n_channels = self._shape
        first = torch.arange(positions, device=codes.device) * n_channels
        cells = codes.flatten(1) + first + labels[:, None] * (positions * n_channels)
        if weight is None:
            weight = self._total.new_ones(len(codes))
        self._total.view(-1).scatter_add_(0, cells.ravel(), _repeated(weight, codes))

    def _flush(self):
        self._total += self._recent
        self._recent.zero_()
        self._n_recent = 0

    def value(self):
        """The sums so far."""
        self._flush()
        return self._total.reshape(self._shape)
