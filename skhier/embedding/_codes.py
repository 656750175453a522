"""What the two-layer network needs of codes, dense or as label maps.

A batch of codes X is a floating tensor (n, h, w, C), or an integer tensor (n, h, w)
whose entries name the one channel that is 1. On a label map the 1x1 convolution is a
table lookup and the correlation with targets is a count.
"""

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


def channel_moments(codes, n_channels):
    """Sums over images and positions of each channel and of its square: (2, n_channels)."""
    if codes.is_floating_point():
        codes = codes.flatten(0, 2)
        return torch.stack([codes.sum(dim=0), (codes**2).sum(dim=0)]).double()
    return torch.bincount(codes.ravel(), minlength=n_channels).double().expand(2, -1)


def channel_scale(moments, n):
    """1 / standard deviation of each channel, given sums over `n` values; 1 for constants."""
    mean, mean_square = moments / n
    variance = mean_square - mean**2
    varies = variance > 1e-12 * mean_square
    return torch.where(varies, variance.clamp(min=0).rsqrt(), 1.0)


def correlate(codes, targets, n_channels):
    """Sum over images of target times code: (n_outputs, positions, n_channels), float64.

    This is the sum of y X in the gradient of the linear loss. Counting is exact for
    label maps; each dense batch is summed in the dtype of its targets.
    """
    n_outputs = targets.shape[1]
    positions = codes.shape[1] * codes.shape[2]
    if codes.is_floating_point():
        sums = targets.T @ codes.reshape(len(codes), -1)
        return sums.double().reshape(n_outputs, positions, n_channels)
    offsets = torch.arange(positions, device=codes.device) * n_channels
    cells = (codes.reshape(len(codes), -1) + offsets).ravel()
    sums = [
        torch.bincount(cells, t.repeat_interleave(positions), positions * n_channels)
        for t in targets.double().T
    ]
    return torch.stack(sums).reshape(n_outputs, positions, n_channels)
