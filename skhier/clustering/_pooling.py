"""Pooling: what windows of codes become."""

from functools import partial

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


def make_pool(map_shape, pooling, pool_size, dtype):
    """The map from codes (n, h, w, channels) and a number to pooled windows plus that number.

    It may write into the codes.

    Parameters
    ----------
    map_shape : tuple of int
        (h, w).
    pooling : {'max', 'average', 'tent'}
        What a window becomes.
    pool_size : tuple of int
        Of windows, and their distance too; those that the border cuts count.
    dtype : torch.dtype
        Of codes.
    """
    if pool_size == (1, 1):
        return torch.Tensor.add_
    if pooling == "tent":
        rows, columns = tents(map_shape, pool_size)
        weights = torch.kron(rows, columns).to(dtype)
        return partial(_weighted, weights, (len(rows), len(columns)))
    return partial(_windows, pooling, pool_size)


def _weighted(weights, shape, codes, offset):
    # The offset has the weights of the codes, whose sum is not 1 once they are rounded; and it is
    # added inside the product, as what remains may be small beside it and would be rounded with it.
    n = len(codes)
    weights = weights.to(codes.device)
    offsets = offset * weights.sum(dim=1, keepdim=True)
    pooled = torch.baddbmm(
        offsets.expand(n, -1, codes.shape[3]), weights.expand(n, -1, -1), codes.flatten(1, 2)
    )
    return pooled.unflatten(1, shape)


def _windows(pooling, pool_size, codes, offset):
    function = {"max": F.max_pool2d, "average": F.avg_pool2d}[pooling]
    pooled = function(codes.permute(0, 3, 1, 2), pool_size, ceil_mode=True)
    return pooled.permute(0, 2, 3, 1).add_(offset)
