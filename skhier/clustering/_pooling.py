"""Pooling: what windows of codes become."""

import torch
from torch.nn import functional as F

# How far the weights of 'tent' pooling reach from the center of a window, in windows: chosen on
# photographs, where 1.3 windows are 1.5 points better than windows with edges.
_REACH = 1.3


def tent_weights(side, window):
    """The weights of pixels along one side of a map in windows that overlap.

    Windows are as many as `window` pixels need, and equal; weights fall linearly from the
    center of each.

    Parameters
    ----------
    side : int
        Pixels of the map.
    window : int
        Of a window, if it had edges.

    Returns
    -------
    weights : Tensor of shape (n_windows, side)
        Their sum is 1 for each window.
    """
    n = -(-side // window)
    width = side / n
    center = (torch.arange(n, dtype=torch.float64) + 0.5) * width - 0.5
    distance = (torch.arange(side) - center[:, None]).abs() / width
    weights = (1 - distance / _REACH).clamp(min=0)
    return weights / weights.sum(dim=1, keepdim=True)


def tents(map_shape, pool_size):
    """The weights along the rows and the columns of a map, see `tent_weights`."""
    return tuple(map(tent_weights, map_shape, pool_size))


def pool(codes, pooling, pool_size):
    """Codes (n, h, w, channels) in windows of `pool_size`, which is their distance too.

    `pooling` is 'max', 'average' or 'tent'. Windows that the border cuts count.
    """
    if pool_size == (1, 1):
        return codes
    if pooling == "tent":
        n, height, width, channels = codes.shape
        rows, columns = tents((height, width), pool_size)
        weights = torch.kron(rows, columns).to(codes.device, codes.dtype)
        pooled = weights @ codes.reshape(n, height * width, channels)
        return pooled.reshape(n, len(rows), len(columns), channels)
    function = {"max": F.max_pool2d, "average": F.avg_pool2d}[pooling]
    return function(codes.permute(0, 3, 1, 2), pool_size, ceil_mode=True).permute(0, 2, 3, 1)
