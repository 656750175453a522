"""Soft normalization of local contrast: a map of images, before patches are cut.

Light that changes from image to image, or within one, changes the mean and the contrast of a
neighbourhood of pixels, and says little about the label. The map removes most of both. It follows
Jarrett et al., "What is the best multi-stage architecture for object recognition?" (2009), and
keeps a part of the level, which may tell the label, and flat neighbourhoods flat.
"""

import math

import numpy as np
import torch

from .._base._device import as_tensor, automatic_batch_size, torch_dtype
from .._base._rows import Operator

DEFAULT_CONTRAST = 0.7
_LEVEL = 0.25  # part of the local mean that stays
_RADIUS = 1 / 8  # of the shorter side of images, or the only side of more than one pixel


def contrast_radius(image_shape):
    """Return the standard deviation, in pixels, of the Gaussian neighbourhood of a pixel."""
    return _RADIUS * min([side for side in image_shape[:2] if side > 1], default=1)


def gaussian_weights(side, radius):
    """Return the weights (side, side) of the pixels of one side in the mean around each of them.

    The weights of a mean sum to 1 at the border too: nothing beyond it counts.
    """
    distance = torch.arange(side, dtype=torch.float64) - torch.arange(side)[:, None]
    weights = torch.exp(-0.5 * (distance / radius) ** 2)
    return weights / weights.sum(dim=1, keepdim=True)


def normalize_contrast(x, rows, columns, k):
    """Normalize the contrast of images.

    With m the local mean of a channel, and v the local mean of (x - m)^2 over all channels,
    the result is (x - 3/4 m) / sqrt(v + k^2).

    Parameters
    ----------
    x : Tensor of shape (n, C, H, W)
        Images, in units of the standard deviation of all pixels.
    rows, columns : Tensor of shape (H, H) and (W, W)
        Weights of a local mean; the weight of a pixel is their product.
    k : float
        Contrast that counts as flat.
    """
    mean = _local_mean(x, rows, columns)
    variance = _local_mean((x - mean).square().mean(dim=1, keepdim=True), rows, columns)
    return (x - (1 - _LEVEL) * mean) * torch.rsqrt(variance + k**2)


def _local_mean(x, rows, columns):
    """Compute rows x columns^T of each image.

    Products of one image each are the same for any number of threads, unlike x @ columns^T, which
    is one product for all.
    """
    return (columns @ (rows @ x).mT).mT


def before_patches(image_shape, border, contrast, dtype, device):
    """Return (operators on images, their border): contrast is normalized before patches are cut.

    The parameters are those of :func:`contrast_operator`, of which `contrast` has the constants;
    None is no normalization.
    """
    if contrast is None:
        return (), border
    operator = contrast_operator(image_shape, border, **contrast, dtype=dtype, device=device)
    return (operator,), np.zeros_like(border)


def contrast_operator(image_shape, border, *, k, deviation, radius, dtype, device):
    """Return the operator from images to images of normalized contrast.

    Parameters
    ----------
    image_shape : tuple of int
        (H, W, C).
    border : ndarray of shape (C,)
        Subtracted from pixels; it becomes 0.
    k : float
        See :func:`normalize_contrast`.
    deviation : float
        Standard deviation of all pixels; infinity for constant images, which become 0.
    radius : float
        See :func:`gaussian_weights`.
    dtype : dtype
        NumPy dtype of the result.
    device : torch.device
        Where to compute.
    """
    function = _ContrastMap(image_shape, border, k, deviation, radius, torch_dtype(dtype), device)
    batch_size = automatic_batch_size(4 * math.prod(image_shape) * dtype.itemsize)
    return Operator(function, image_shape, function.dtype, batch_size)


class _ContrastMap:
    def __init__(self, image_shape, border, k, deviation, radius, dtype, device):
        self.border = as_tensor(border).to(device)
        self.weights = [gaussian_weights(s, radius).to(device, dtype) for s in image_shape[:2]]
        self.k, self.deviation, self.dtype, self.device = k, deviation, dtype, device

    def __call__(self, images):
        # In the images' precision: an offset would take the digits of contrast.
        x = (as_tensor(images).to(self.device) - self.border).to(self.dtype) / self.deviation
        n = len(x)
        if n == 1:  # threads would share its products, which rounds otherwise; see `batch_product`
            x = x.repeat(2, 1, 1, 1)
        x = normalize_contrast(x.permute(0, 3, 1, 2).contiguous(), *self.weights, self.k)
        return x[:n].permute(0, 2, 3, 1)
