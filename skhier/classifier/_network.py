"""The plain convolutional network that is equal to a fitted classifier."""

from math import prod

import numpy as np
import torch
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from .._base._device import as_tensor, torch_dtype
from ..clustering._export import NO_DEVICE, code_modules
from ._kernel_head import KernelRidgeHead
from ._ridge_head import RidgeHead

_ACTIVATIONS = {
    "identity": nn.Identity,
    "logistic": nn.Sigmoid,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
}


class SignedPower(nn.Module):
    """Map from x to sign(x) |x|^power. Its gradient is 0 where x is 0.

    Parameters
    ----------
    power : float
        The exponent.
    """

    def __init__(self, power):
        super().__init__()
        self.power = power

    def forward(self, x):
        """Compute the powers."""
        return x.sign() * x.abs().clamp(min=torch.finfo(x.dtype).tiny) ** self.power

    def extra_repr(self):
        """Return the arguments that the module prints."""
        return f"{self.power:g}"


class GaussianKernel(nn.Module):
    """Gaussian kernel exp(-gamma |a - c|^2) of a = (x - mean) / scale.

    Parameters
    ----------
    centers : Tensor of shape (n_centers, n_features)
        The centers c.

    mean, scale : Tensor of shape (n_features,)
        Moments of features.

    gamma : float
        Parameter of the kernel.
    """

    def __init__(self, centers, mean, scale, gamma):
        super().__init__()
        self.gamma = gamma
        self.centers = nn.Parameter(centers)
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    def forward(self, x):
        """Compute the kernel of features (n, n_features) and centers, (n, n_centers)."""
        x = (x - self.mean) / self.scale
        square = (x * x).sum(dim=1, keepdim=True) + (self.centers * self.centers).sum(dim=1)
        return torch.exp(-self.gamma * (square - 2 * x @ self.centers.T).clamp(min=0))

    def extra_repr(self):
        """Return the arguments that the module prints."""
        return f"{len(self.centers)}, gamma={self.gamma}"


class ToFloat(nn.Module):
    """Convert images to the dtype of the network: bytes become floats of the same values.

    Parameters
    ----------
    dtype : torch.dtype
        Dtype of the network. Methods that convert the network, such as `double`, convert it too.
    """

    def __init__(self, dtype):
        super().__init__()
        self.register_buffer("zero", torch.zeros((), dtype=dtype), persistent=False)

    def forward(self, x):
        """Convert images (n, C, H, W)."""
        return x.to(self.zero.dtype)

    def extra_repr(self):
        """Return the dtype."""
        return str(self.zero.dtype)


class MirrorAverage(nn.Module):
    """Average a network's outputs for images and for their mirror images.

    Parameters
    ----------
    body : torch.nn.Module
        Maps images (n, C, H, W) to features.
    """

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, x):
        """Compute the features of images (n, C, H, W)."""
        return (self.body(x) + self.body(x.flip(3))) / 2


def build_network(blocks, head, feature_shape, mirror):
    """Return blocks and head as a :class:`torch.nn.Sequential`; see `to_torch`."""
    modules = []
    for block in blocks:
        modules += code_modules(block.orthogonalizer)
        if block.embedder is not None:
            K = as_tensor(block.embedder.kernels_)
            conv1x1 = nn.Conv2d(*K.shape, 1, bias=False, device=NO_DEVICE)
            conv1x1.weight = nn.Parameter(K.T[:, :, None, None].contiguous())
            modules.append(conv1x1)
    dtype = blocks[0].orthogonalizer.kernels_.dtype
    if mirror:
        modules = [MirrorAverage(nn.Sequential(*modules))]
    modules += [nn.Flatten(), *_head_modules(head, feature_shape, dtype)]
    return nn.Sequential(ToFloat(torch_dtype(dtype)), *modules).to(torch_dtype(dtype)).eval()


def _head_modules(head, feature_shape, dtype):
    """Return modules equal to a head, for features flattened channels first."""
    scale, shift, power = 1.0, 0.0, 1.0
    steps = [step for _, step in head.steps] if isinstance(head, Pipeline) else [head]
    *scalers, final = steps
    if isinstance(final, KernelRidgeHead) and not scalers:
        return _kernel_modules(final, feature_shape, dtype)
    for scaler in scalers:
        if not isinstance(scaler, StandardScaler):
            raise ValueError(f"to_torch cannot express the head's step {scaler!r}.")
        mean = scaler.mean_ if scaler.with_mean else 0.0
        spread = scaler.scale_ if scaler.with_std else 1.0
        scale, shift = scale / spread, (shift - mean) / spread
    if isinstance(final, MLPClassifier):
        layers = list(zip(final.coefs_, final.intercepts_))
        activation = _ACTIVATIONS[final.activation]
    elif hasattr(final, "coef_") and hasattr(final, "intercept_"):
        coef = np.atleast_2d(final.coef_)  # a vector for two classes in RidgeClassifier
        layers = [(coef.T, np.broadcast_to(final.intercept_, len(coef)))]
        activation = None
        power = final._power if isinstance(final, RidgeHead) else power
    else:
        raise ValueError(
            f"head={head!r} is neither linear, nor an MLPClassifier, nor a KernelRidgeHead: "
            "to_torch cannot express it."
        )
    (weight, bias), *rest = layers
    bias = bias + np.broadcast_to(shift, len(weight)) @ weight
    weight = weight * np.broadcast_to(scale, len(weight))[:, None]
    if activation is None:
        _check_scores(head, power, weight, bias)
    weight = weight[_channels_first(feature_shape)]
    modules = [*_power_modules(power), _linear(weight, bias, dtype)]
    for weight, bias in rest:
        modules += [activation(), _linear(weight, bias, dtype)]
    return modules


def _check_scores(head, power, weight, bias):
    """Raise ValueError unless the linear map of powers is the head's decision function.

    Coefficients of a support vector machine with one score for each pair of classes are not, nor
    are those of powers of scaled features.
    """
    X = np.random.default_rng(0).standard_normal((8, len(weight))).astype(weight.dtype)
    scores = SignedPower(power)(torch.from_numpy(X)).numpy() @ weight + bias
    expected = head.decision_function(X).reshape(len(X), -1)
    if scores.shape != expected.shape or not np.allclose(scores, expected, rtol=1e-3, atol=1e-3):
        raise ValueError(
            f"to_torch cannot express head={head!r}: its coefficients do not give one score for "
            "each class, or it scales features before it takes their powers. Use a head such as "
            "LinearSVC or 'ridge'."
        )


def _kernel_modules(head, feature_shape, dtype):
    coordinates, kernel = head._stored()
    order = torch.from_numpy(_channels_first(feature_shape))
    tensors = kernel.centers[:, order], coordinates.mean[order], coordinates.scale[order]
    tensors = (tensor.to(torch_dtype(dtype)) for tensor in tensors)
    values = GaussianKernel(*tensors, kernel.gamma)
    linear = _linear(head.dual_coef_, head.intercept_, dtype)
    return [*_power_modules(coordinates.power), values, linear]


def _power_modules(power):
    return [] if power == 1 else [SignedPower(power)]


def _channels_first(feature_shape):
    """Return the index, channels last, of each feature in torch's order, channels first."""
    return np.arange(prod(feature_shape)).reshape(feature_shape).transpose(2, 0, 1).ravel()


def _linear(weight, bias, dtype):
    linear = nn.Linear(*weight.shape, device=NO_DEVICE)
    linear.weight = nn.Parameter(torch.from_numpy(weight.T.astype(dtype, order="C")))
    linear.bias = nn.Parameter(torch.from_numpy(bias.astype(dtype)))
    return linear
