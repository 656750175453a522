"""A fitted orthogonalizer as modules of torch."""

from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from .._base._device import as_tensor, torch_dtype
from ._contrast import gaussian_weights, normalize_contrast
from ._encoder import NORM_EPS, Coding, tent_weights

# Nothing is padded; but before opset 19, ONNX takes the pixels that ceil_mode adds for padding.
_POOLS = {"max": nn.MaxPool2d, "average": partial(nn.AvgPool2d, count_include_pad=False)}

# On this device layers draw no initial weights: torch's global generator is not touched.
NO_DEVICE = "meta"


class ChannelRMSNorm(nn.Module):
    """Divide the channels of a pixel by their root mean square; scale and shift them.

    It is :class:`torch.nn.RMSNorm` over the channels of images (n, C, H, W), with a bias.

    Parameters
    ----------
    n_channels : int
        C.

    eps : float
        Added to the mean square.
    """

    def __init__(self, n_channels, eps):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(n_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(n_channels, 1, 1))

    def forward(self, x):
        """Normalize images (n, C, H, W)."""
        mean_square = (x * x).mean(dim=1, keepdim=True)
        return x * torch.rsqrt(mean_square + self.eps) * self.weight + self.bias

    def extra_repr(self):
        """Return the arguments that the module prints."""
        return f"{len(self.weight)}, eps={self.eps}"


class OneHot(nn.Module):
    """Return 1 in the first of the largest channels of a pixel, and 0 in all others.

    It has no gradient: modules before it do not change when the network is trained further.
    """

    def forward(self, x):
        """Code images (n, C, H, W)."""
        return F.one_hot(x.argmax(dim=1), x.shape[1]).permute(0, 3, 1, 2).to(x.dtype)


class WeightedPool2d(nn.Module):
    """Weighted averages of overlapping windows of images (n, C, H, W).

    Parameters
    ----------
    rows : Tensor of shape (n_rows, H)
        Weights of the rows of pixels in each row of windows.

    columns : Tensor of shape (n_columns, W)
        Weights of the columns. The weight of a pixel is the product of both.
    """

    def __init__(self, rows, columns):
        super().__init__()
        self.register_buffer("rows", rows)
        self.register_buffer("columns", columns)

    def forward(self, x):
        """Pool images (n, C, H, W)."""
        return self.rows @ x @ self.columns.T

    def extra_repr(self):
        """Return the arguments that the module prints."""
        return f"output_size=({len(self.rows)}, {len(self.columns)})"


class LocalContrast(nn.Module):
    """Soft normalization of the local contrast of images (n, C, H, W).

    With images x in units of `deviation`, the local means m of each channel, and v of (x - m)^2
    over all channels, it returns (x - 3/4 m) / sqrt(v + k^2).

    Parameters
    ----------
    rows, columns : Tensor of shape (H, H) and (W, W)
        Weights of a local mean; the weight of a pixel is their product.

    k, deviation : float
        Contrast that counts as flat, and the unit of images.
    """

    def __init__(self, rows, columns, k, deviation):
        super().__init__()
        self.k, self.deviation = k, deviation
        self.register_buffer("rows", rows)
        self.register_buffer("columns", columns)

    def forward(self, x):
        """Normalize images (n, C, H, W)."""
        return normalize_contrast(x / self.deviation, self.rows, self.columns, self.k)

    def extra_repr(self):
        """Return the arguments that the module prints."""
        return f"k={self.k}, deviation={self.deviation:.3g}"


def code_modules(orthogonalizer):
    """Return the modules that map images (n, C, H, W) to codes, channels first."""
    grid, coding = orthogonalizer._grid, Coding(**orthogonalizer.coding_)
    factors = [as_tensor(factor) for factor in orthogonalizer._factors]
    intercepts = as_tensor(orthogonalizer.intercepts_)
    if coding.encoding == "crelu":  # both polarities; they have the same mean square
        factors[-1] = torch.cat([factors[-1], -factors[-1]])
        intercepts = torch.cat([intercepts, -intercepts])
    border = orthogonalizer.border_
    modules = _subtraction(border) if border.any() else []
    if orthogonalizer.contrast_ is not None:
        fitted = dict(orthogonalizer.contrast_)
        radius = fitted.pop("radius")
        weights = (gaussian_weights(side, radius) for side in grid.image_shape[:2])
        modules.append(LocalContrast(*weights, **fitted))
    before, padding = grid.split_padding
    modules += [nn.ZeroPad2d(before)] if any(before) else []
    convs = _convolutions(factors, grid, padding)
    convs[-1].bias = nn.Parameter(intercepts)
    modules += [*convs, *_nonlinearity(convs[-1], coding)]
    if coding.pooling == "tent" and coding.pool_size != (1, 1):
        modules.append(WeightedPool2d(*map(tent_weights, grid.map_shape, coding.pool_size)))
    elif coding.pool_size != (1, 1):
        modules.append(_POOLS[coding.pooling](coding.pool_size, ceil_mode=True))
    return modules


def _convolutions(factors, grid, padding):
    """Return the convolution with the first of the factors, and 1x1 convolutions with the others.

    They have no bias.
    """
    weights = [factors[0].unflatten(1, grid.patch_shape).permute(0, 3, 1, 2)]
    weights += [factor[:, :, None, None] for factor in factors[1:]]
    places = [(grid.stride, padding)] + [(1, 0)] * len(factors[1:])
    convs = []
    for weight, place in zip(weights, places):
        sizes = weight.shape[1], weight.shape[0], weight.shape[2:]
        convs.append(nn.Conv2d(*sizes, *place, bias=False, device=NO_DEVICE))
        convs[-1].weight = nn.Parameter(weight.contiguous())
    return convs


def _nonlinearity(conv, coding):
    """Return the modules that map responses, the output of a convolution, to codes."""
    if coding.encoding == "one_hot":
        return [OneHot()]
    if not coding.normalize:
        conv.bias = nn.Parameter(conv.bias.detach() + coding.bias)
        return [nn.ReLU()]
    norm = ChannelRMSNorm(conv.out_channels, NORM_EPS).to(conv.weight.dtype)
    nn.init.constant_(norm.bias, coding.bias)
    return [norm, nn.ReLU()]


def _subtraction(color):
    """Return a convolution that subtracts a color (C,): exactly, as its weights are 1."""
    conv = nn.Conv2d(len(color), len(color), 1, groups=len(color), device=NO_DEVICE)
    conv.weight = nn.Parameter(torch.ones(len(color), 1, 1, 1, dtype=torch_dtype(color.dtype)))
    conv.bias = nn.Parameter(-as_tensor(color))
    return [conv]
