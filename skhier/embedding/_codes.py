"""Codes, dense or as label maps: their 1x1 convolution and their sums.

A batch of codes X is a floating tensor (n, h, w, C), or an integer tensor (n, h, w)
whose entries name the one channel that is 1. On a label map the 1x1 convolution is a
table lookup, and the sum over a class is a count. Rows of codes have the shape
(n, h, w, C) in both forms.
"""

from functools import partial
from math import prod

import torch

from .._base._device import as_tensor, automatic_batch_size, batch_product, torch_dtype
from .._base._moments import Moments
from .._base._rows import Accumulator, Operator


def code_rows(codes, dtype, device):
    """Map rows of arrays of codes to tensors of a dtype on a device."""
    dtype = torch_dtype(dtype)
    size = automatic_batch_size(prod(codes.shape[1:]) * dtype.itemsize)
    to_tensor = partial(_to_tensor, dtype=dtype, device=device)
    return codes.map(Operator(to_tensor, codes.shape[1:], dtype, size))


def _to_tensor(codes, dtype, device):
    return as_tensor(codes).to(device, dtype)


def widened(codes, dtype):
    """Map rows of codes to the precision of sums; label maps stay as they are."""
    widen = Operator(partial(_widen, dtype=dtype), codes.shape[1:], dtype, codes.batch_size)
    return codes.map(widen)


def _widen(codes, dtype):
    return codes.to(dtype) if codes.is_floating_point() else codes


def conv1x1(codes, K):
    """Compute K^T x at every position: (n, h, w, n_components), in the dtype of dense codes."""
    if not codes.is_floating_point():
        return K[codes]
    K = K.to(codes.dtype)
    if K.requires_grad:  # gradients of a copy for each image would take memory
        return codes @ K
    products = batch_product(codes.flatten(1, 2), K.expand(len(codes), -1, -1))
    return products.unflatten(1, codes.shape[1:3])


def _repeat(weight, codes):
    """Repeat the weights of images for all their positions."""
    return weight[:, None, None].expand(codes.shape[:3]).ravel()


class ChannelMoments(Accumulator):
    """Accumulator of the mean and variance of each channel, over images and positions.

    Parameters
    ----------
    n_channels : int
        C.
    dtype : torch.dtype
        Precision of the network.
    """

    summed = ("_moments",)

    def __init__(self, n_channels, dtype):
        self._n_channels, self._moments = n_channels, Moments(n_channels, dtype)

    def add(self, codes, labels, weight=None):
        """Add a batch of codes with the weights of its images; labels are ignored."""
        weight = None if weight is None else _repeat(weight, codes)
        if codes.is_floating_point():
            self._moments.add(codes.flatten(0, 2), weight)
            return
        # A channel is 1 with frequency p: its squared deviations from p sum to n p (1 - p).
        counts = torch.bincount(codes.ravel(), weight, self._n_channels).double()
        total = float(counts.sum())
        mean = counts / total
        self._moments.merge(codes.numel(), total, mean, counts * (1 - mean))

    def scale(self):
        """Return 1 / standard deviation of each channel; 0 for constants."""
        return 1 / self._moments.deviation


class ClassSums(Accumulator):
    """Accumulator of the codes of each class, (n_classes, positions, n_channels) in float64.

    The gradient of the linear loss needs no other statistic of the data. Counts of label maps
    are exact. Dense codes are summed in their dtype, a thousand images at a time.
    """

    summed = ("_total",)
    _MAX_RECENT = 1024

    def __init__(self, code_shape, n_classes, dtype, device):
        self._shape = n_classes, prod(code_shape[:2]), code_shape[2]
        n_cells = prod(code_shape)
        self._total = torch.zeros(n_classes, n_cells, dtype=torch.float64, device=device)
        self._recent = torch.zeros(n_classes, n_cells, dtype=dtype, device=device)
        self._n_recent = 0

    def add(self, codes, labels, weight=None):
        """Add a batch of codes with the classes and weights of its images."""
        if codes.is_floating_point():
            if weight is not None:
                codes = codes * weight.to(codes.dtype)[:, None, None, None]
            self._recent.index_add_(0, labels, codes.flatten(1))
            self._n_recent += len(codes)
            if self._n_recent >= self._MAX_RECENT:
                self._flush()
            return
        _, positions, n_channels = self._shape
        first = torch.arange(positions, device=codes.device) * n_channels
        cells = codes.flatten(1) + first + labels[:, None] * (positions * n_channels)
        if weight is None:
            weight = self._total.new_ones(len(codes))
        self._total.view(-1).scatter_add_(0, cells.ravel(), _repeat(weight, codes))

    def __add__(self, other):
        self._flush()
        other._flush()
        both = super().__add__(other)
        both._recent = torch.zeros_like(self._recent)
        return both

    def _flush(self):
        self._total += self._recent
        self._recent.zero_()
        self._n_recent = 0

    def value(self):
        """Return the sums so far."""
        self._flush()
        return self._total.reshape(self._shape)
