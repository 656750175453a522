"""The plain convolutional network that a fitted classifier is."""

from functools import partial
from math import prod

import numpy as np
import torch
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional as F

from .._base._device import as_tensor, torch_dtype
from ..clustering._encoder import NORM_EPS
from ..clustering._pooling import tents
from ._kernel_head import KernelRidgeHead

_ACTIVATIONS = {
    "identity": nn.Identity,
    "logistic": nn.Sigmoid,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
}
# Nothing is padded; but before opset 19, ONNX takes what ceil_mode adds at the edge for padding.
_POOLS = {"max": nn.MaxPool2d, "average": partial(nn.AvgPool2d, count_include_pad=False)}

# Where layers get no random weights, which would be drawn from torch's global generator.
_NOWHERE = "meta"


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
        """What the module prints of itself."""
        return f"{len(self.weight)}, eps={self.eps}"


class OneHot(nn.Module):
    """1 in the channel that is the largest at a pixel (the first of them), else 0.

    It has no gradient: what comes before it stays as it is when the network is trained on.
    """

    def forward(self, x):
        """Code images (n, C, H, W)."""
        return F.one_hot(x.argmax(dim=1), x.shape[1]).permute(0, 3, 1, 2).to(x.dtype)


class WeightedPool2d(nn.Module):
    """Averages of windows of images (n, C, H, W) that overlap, with weights.

    Parameters
    ----------
    rows : Tensor of shape (n_rows, H)
        The weights of rows of pixels in each row of windows.

    columns : Tensor of shape (n_columns, W)
        Likewise of columns; the weight of a pixel is the product.
    """

    def __init__(self, rows, columns):
        super().__init__()
        self.register_buffer("rows", rows)
        self.register_buffer("columns", columns)

    def forward(self, x):
        """Pool images (n, C, H, W)."""
        return self.rows @ x @ self.columns.T

    def extra_repr(self):
        """What the module prints of itself."""
        return f"output_size=({len(self.rows)}, {len(self.columns)})"


class GaussianKernel(nn.Module):
    """exp(-gamma |a - c|^2) of centers c and of a = (sign(x) |x|^power - mean) / scale.

    Parameters
    ----------
    centers : Tensor of shape (n_centers, n_features)
        The c.

    mean, scale : Tensor of shape (n_features,)
        Of features.

    gamma, power : float
        See above.
    """

    def __init__(self, centers, mean, scale, gamma, power):
        super().__init__()
        self.gamma, self.power = gamma, power
        self.centers = nn.Parameter(centers)
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    def forward(self, x):
        """The kernel of features (n, n_features) and centers, (n, n_centers)."""
        if self.power != 1:
            x = x.sign() * x.abs() ** self.power
        x = (x - self.mean) / self.scale
        square = (x * x).sum(dim=1, keepdim=True) + (self.centers * self.centers).sum(dim=1)
        return torch.exp(-self.gamma * (square - 2 * x @ self.centers.T).clamp(min=0))

    def extra_repr(self):
        """What the module prints of itself."""
        return f"{len(self.centers)}, gamma={self.gamma}, power={self.power}"


class MirrorAverage(nn.Module):
    """The average of a network's outputs for images and for their mirror images.

    Parameters
    ----------
    body : torch.nn.Module
        From images (n, C, H, W) to features.
    """

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, x):
        """Features of images (n, C, H, W)."""
        return (self.body(x) + self.body(x.flip(3))) / 2


def build_network(blocks, head, feature_shape, mirror):
    """Return blocks and head as a :class:`torch.nn.Sequential`; see `to_torch`."""
    modules = [module for block in blocks for module in _block_modules(block)]
    dtype = blocks[0].orthogonalizer.kernels_.dtype
    if mirror:
        modules = [MirrorAverage(nn.Sequential(*modules))]
    modules += [nn.Flatten(), *_head_modules(head, feature_shape, dtype)]
    return nn.Sequential(*modules).to(torch_dtype(dtype)).eval()


def _block_modules(block):
    part = block.orthogonalizer
    plan = part._plan(part.image_shape_)
    grid, coding = plan.grid, plan.coding
    weight = as_tensor(part.kernels_.transpose(0, 3, 1, 2))
    intercepts = as_tensor(part.intercepts_)
    if coding.encoding == "crelu":  # both polarities; they have the same mean square
        weight, intercepts = torch.cat([weight, -weight]), torch.cat([intercepts, -intercepts])
    modules = _subtract(part.border_) if part.border_.any() else []
    before, padding = grid.split_padding
    modules += [nn.ZeroPad2d(before)] if any(before) else []
    conv = nn.Conv2d(*weight.shape[1::-1], grid.patch_size, grid.stride, padding, device=_NOWHERE)
    conv.weight = nn.Parameter(weight)
    conv.bias = nn.Parameter(intercepts)
    modules += [conv, *_nonlinearity(conv, coding)]
    if coding.pool_size != (1, 1):
        modules.append(_pool(coding, grid.map_shape))
    if block.embedder is not None:
        K = as_tensor(block.embedder.kernels_)
        conv1x1 = nn.Conv2d(*K.shape, 1, bias=False, device=_NOWHERE)
        conv1x1.weight = nn.Parameter(K.T[:, :, None, None].contiguous())
        modules.append(conv1x1)
    return modules


def _pool(coding, map_shape):
    if coding.pooling == "tent":
        return WeightedPool2d(*tents(map_shape, coding.pool_size))
    return _POOLS[coding.pooling](coding.pool_size, ceil_mode=True)


def _nonlinearity(conv, coding):
    """What turns responses, the outputs of a convolution, into codes."""
    if coding.encoding == "one_hot":
        return [OneHot()]
    if not coding.normalize:
        conv.bias = nn.Parameter(conv.bias.detach() + coding.bias)
        return [nn.ReLU()]
    norm = ChannelRMSNorm(conv.out_channels, NORM_EPS).to(conv.weight.dtype)
    nn.init.constant_(norm.bias, coding.bias)
    return [norm, nn.ReLU()]


def _subtract(color):
    """A convolution that subtracts a color (C,): exactly, as its weights are 1."""
    conv = nn.Conv2d(len(color), len(color), 1, groups=len(color), device=_NOWHERE)
    conv.weight = nn.Parameter(torch.ones(len(color), 1, 1, 1, dtype=torch_dtype(color.dtype)))
    conv.bias = nn.Parameter(-as_tensor(color))
    return [conv]


def _head_modules(head, feature_shape, dtype):
    """Linear layers equal to a head on features flattened channels first."""
    scale, shift = 1.0, 0.0
    steps = [step for _, step in head.steps] if isinstance(head, Pipeline) else [head]
    *scalers, final = steps
    if isinstance(final, KernelRidgeHead) and not scalers:
        return _kernel_modules(final, feature_shape, dtype)
    for scaler in scalers:
        if not isinstance(scaler, StandardScaler):
            raise ValueError(f"to_torch cannot express the head's step {scaler!r}.")
        spread = _or(scaler.scale_, 1.0)
        scale, shift = scale / spread, (shift - _or(scaler.mean_, 0.0)) / spread
    if isinstance(final, MLPClassifier):
        layers = list(zip(final.coefs_, final.intercepts_))
        activation = _ACTIVATIONS[final.activation]
    elif hasattr(final, "coef_") and hasattr(final, "intercept_"):
        layers = [(final.coef_.T, np.broadcast_to(final.intercept_, len(final.coef_)))]
        activation = None
    else:
        raise ValueError(
            f"head={head!r} is neither linear, nor an MLPClassifier, nor a KernelRidgeHead: "
            "to_torch cannot express it."
        )
    (weight, bias), *rest = layers
    bias = bias + np.broadcast_to(shift, len(weight)) @ weight
    weight = weight * np.broadcast_to(scale, len(weight))[:, None]
    weight = weight[_channels_first(feature_shape)]
    modules = [_linear(weight, bias, dtype)]
    for weight, bias in rest:
        modules += [activation(), _linear(weight, bias, dtype)]
    return modules


def _kernel_modules(head, feature_shape, dtype):
    coordinates, kernel = head._stored()
    order = torch.from_numpy(_channels_first(feature_shape))
    along = kernel.centers[:, order], coordinates.mean[order], coordinates.scale[order]
    arrays = (tensor.to(torch_dtype(dtype)) for tensor in along)
    values = GaussianKernel(*arrays, kernel.gamma, coordinates.power)
    return [values, _linear(head.dual_coef_, head.intercept_, dtype)]


def _channels_first(feature_shape):
    """The place of each of torch's features in scikit-learn's, flattened channels last."""
    return np.arange(prod(feature_shape)).reshape(feature_shape).transpose(2, 0, 1).ravel()


def _or(array, default):
    return default if array is None else array


def _linear(weight, bias, dtype):
    linear = nn.Linear(*weight.shape, device=_NOWHERE)
    linear.weight = nn.Parameter(torch.from_numpy(weight.T.astype(dtype, order="C")))
    linear.bias = nn.Parameter(torch.from_numpy(bias.astype(dtype)))
    return linear
