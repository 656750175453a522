"""What the two-layer network needs of codes, dense or as label maps.

A batch of codes X is a floating tensor (n, h, w, C), or an integer tensor (n, h, w)
whose entries name the one channel that is 1. On a label map the 1x1 convolution is a
table lookup and the sum over a class is a count. The shape of codes as rows is (n, h, w, C),
whatever stands for them.
"""

from functools import partial
from math import prod

import torch

from .._base._device import automatic_batch_size, to_tensor, torch_dtype
from .._base._rows import Sums


def code_rows(codes, dtype, device):
    """Rows of codes that are already there, (n, h, w, C), as rows of tensors."""
    dtype = torch_dtype(dtype)
    made = partial(to_tensor, dtype=dtype, device=device), codes.shape[1:], dtype
    return codes.derived(*made, automatic_batch_size(prod(codes.shape[1:]) * dtype.itemsize))


def widened(codes, dtype):
    """Rows of codes, of which dense ones are in the precision of sums."""
    return codes.derived(partial(_widen, dtype=dtype), codes.shape[1:], dtype)


def _widen(codes, dtype):
    return codes.to(dtype) if codes.is_floating_point() else codes


def conv1x1(codes, K):
    """K^T x at every position: (n, h, w, n_components), in the dtype of dense codes."""
    return codes @ K.to(codes.dtype) if codes.is_floating_point() else K[codes]


def per_image(weight, codes):
    """Dense codes times the weight of their image."""
    return codes * weight.to(codes.dtype)[:, None, None, None]


def _repeated(weight, labels):
    """The weight of each entry of label maps (n, h, w)."""
    return weight[:, None, None].expand(labels.shape).ravel()


class ChannelMoments(Sums):
    """Sums over images and positions of each channel and of its square.

    Parameters
    ----------
    code_shape : tuple of int
        (h, w, C) of codes.
    """

    summed = ("_n", "_moments")

    def __init__(self, code_shape):
        self._code_shape = code_shape
        self._n = 0
        self._moments = torch.zeros(2, code_shape[2], dtype=torch.float64)

    def add(self, codes, labels, weight=None):
        """Add the codes of some images times their weights; labels make no difference."""
        self._n += len(codes)
        self._moments = self._moments.to(codes.device) + self._of(codes, weight)

    def _of(self, codes, weight):
        if codes.is_floating_point():
            flat = codes.flatten(0, 2)
            weighted = flat if weight is None else per_image(weight, codes).flatten(0, 2)
            return torch.stack([weighted.sum(dim=0), (weighted * flat).sum(dim=0)]).double()
        weights = None if weight is None else _repeated(weight, codes)
        return torch.bincount(codes.ravel(), weights, self._code_shape[2]).double().expand(2, -1)

    def scale(self):
        """1 / standard deviation of each channel; 1 for constants."""
        mean, mean_square = self._moments / (self._n * prod(self._code_shape[:2]))
        variance = mean_square - mean**2
        varies = variance > 1e-12 * mean_square
        return torch.where(varies, variance.clamp(min=0).rsqrt(), 1.0)


class ClassSums(Sums):
    """The sum of the codes of each class, (n_classes, positions, n_channels) in float64.

    They are all that the gradient of the linear loss needs of the data. Counting is exact
    for label maps; dense codes are summed in their dtype, a thousand at a time.
    """

    summed = ("_total",)
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
        """The sums so far."""
        self._flush()
        return self._total.reshape(self._shape)
