"""The plain convolutional network that a fitted classifier is."""

import numpy as np
import torch
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

_ACTIVATIONS = {
    "identity": nn.Identity,
    "logistic": nn.Sigmoid,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
}


def build_network(blocks, head, feature_shape):
    """Return blocks and head as a :class:`torch.nn.Sequential`; see `to_torch`."""
    modules = [module for block in blocks for module in _block_modules(block)]
    dtype = blocks[0].orthogonalizer.kernels_.dtype
    modules += [nn.Flatten(), *_head_modules(head, feature_shape, dtype)]
    return nn.Sequential(*modules).eval()


def _block_modules(block):
    if block.orthogonalizer.encoding != "relu":
        raise ValueError(
            f"encoding={block.orthogonalizer.encoding!r} has no standard layer: to_torch "
            "needs encoding='relu' in every layer."
        )
    encoder = block.orthogonalizer._encoder()
    grid = encoder.grid
    before, padding = grid.split_padding
    modules = [nn.ZeroPad2d(before)] if any(before) else []
    conv = nn.Conv2d(grid.image_shape[2], encoder.n_clusters, grid.patch_size, grid.stride, padding)
    conv.weight = nn.Parameter(encoder.kernels.cpu().contiguous())
    conv.bias = nn.Parameter(encoder.intercepts.cpu() + encoder.bias)
    modules += [conv, nn.ReLU()]
    if encoder.pool_size != (1, 1):
        modules.append(nn.MaxPool2d(encoder.pool_size, ceil_mode=True))
    if block.embedder is not None:
        K = torch.from_numpy(block.embedder.kernels_)
        conv1x1 = nn.Conv2d(*K.shape, 1, bias=False)
        conv1x1.weight = nn.Parameter(K.T[:, :, None, None].contiguous())
        modules.append(conv1x1)
    return modules


def _head_modules(head, feature_shape, dtype):
    """Linear layers equal to a head on features flattened channels first."""
    scale, shift = 1.0, 0.0
    steps = [step for _, step in head.steps] if isinstance(head, Pipeline) else [head]
    *scalers, final = steps
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
            f"head={head!r} is neither linear nor an MLPClassifier: to_torch cannot express it."
        )
    (weight, bias), *rest = layers
    bias = bias + np.broadcast_to(shift, len(weight)) @ weight
    weight = weight * np.broadcast_to(scale, len(weight))[:, None]
    # scikit-learn's features are flattened channels last, torch's channels first.
    weight = weight.reshape(*feature_shape, -1).transpose(2, 0, 1, 3).reshape(weight.shape)
    modules = [_linear(weight, bias, dtype)]
    for weight, bias in rest:
        modules += [activation(), _linear(weight, bias, dtype)]
    return modules


def _or(array, default):
    return default if array is None else array


def _linear(weight, bias, dtype):
    linear = nn.Linear(*weight.shape)
    linear.weight = nn.Parameter(torch.from_numpy(weight.T.astype(dtype)))
    linear.bias = nn.Parameter(torch.from_numpy(bias.astype(dtype)))
    return linear
