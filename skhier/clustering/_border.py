"""The color that images are continued with beyond their borders."""

import numpy as np
import torch
from sklearn.utils import gen_batches

from .._base._device import as_array, as_tensor, automatic_batch_size, computing_dtype
from .._base._images import INVERTIBLE
from .._base._params import is_auto

_DEVIATIONS = 3
_MOST_COLORS = 4  # images of more channels are taken for codes


def resolve_border(border, n_channels, is_whitened):
    """What 'auto' stands for: 'dark' for images, 0 for codes and for patches left as they are."""
    if is_auto(border):
        return "dark" if is_whitened and n_channels <= _MOST_COLORS else 0
    return border


def border_color(images, border, weight=None):
    """The color (C,) that a resolved border is.

    Patches are differences to it: then padding is with zeros, and a constant that is added
    to all pixels changes nothing and takes no digits. `weight` is that of images, or None.
    """
    dtype = computing_dtype(images)
    if border == "dark":
        return as_array(_dark_color(images, weight)).astype(dtype)
    least, most = (2.0**e for e in INVERTIBLE[dtype])
    if border and not least <= abs(float(border)) <= most:
        raise ValueError(f"border={border!r} is too large or too small for pixels in {dtype}.")
    return np.full(images.shape[3], border, dtype)


def subtract_border(images, border):
    """The differences of images to a color, both tensors, in the wider of their dtypes."""
    return images - border if border.any() else images


def _dark_color(images, weight):
    """Three standard deviations below the mean of a channel, or its minimum if that is more.

    Black for photographs and drawings with values from 0.
    """
    if weight is None:
        weight = np.ones(len(images))
    # Moments are those of differences to one pixel: of large values they would cancel.
    pivot = as_tensor(images[:1]).double()[0, 0, 0]
    total, square, least = torch.zeros(3, images.shape[3], dtype=torch.float64, device=pivot.device)
    for batch in gen_batches(len(images), automatic_batch_size(images[:1].nbytes)):
        pixels = (as_tensor(images[batch]).double() - pivot).flatten(1, 2)
        w = as_tensor(weight[batch]).to(pixels)
        total += w @ pixels.sum(dim=1)
        square += w @ torch.linalg.vecdot(pixels, pixels, dim=1)
        least = torch.minimum(least, pixels.amin(dim=(0, 1)))
    n_pixels = weight.sum() * images.shape[1] * images.shape[2]
    mean = total / n_pixels
    deviation = (square / n_pixels - mean**2).clamp(min=0).sqrt()
    return pivot + torch.maximum(least, mean - _DEVIATIONS * deviation)
