"""The color that images are continued with beyond their borders."""

import numpy as np
import torch

from .._base._device import as_array, as_tensor, computing_dtype
from .._base._images import INVERTIBLE
from .._base._params import is_auto
from .._base._rows import Sums

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
    to all pixels changes nothing and takes no digits.

    Parameters
    ----------
    images : Rows of shape (n, H, W, C)
        Images.
    border : float or 'dark'
        The border.
    weight : ndarray of shape (n,) or None
        Weights of images.
    """
    dtype = computing_dtype(images)
    if border == "dark":
        colors = Colors(as_tensor(images.take([0])).double()[0, 0, 0])
        return as_array(images.accumulate(colors, weight).dark()).astype(dtype)
    least, most = (2.0**e for e in INVERTIBLE[dtype])
    if border and not least <= abs(float(border)) <= most:
        raise ValueError(f"border={border!r} is too large or too small for pixels in {dtype}.")
    return np.full(images.shape[3], border, dtype)


def subtract_border(images, border):
    """The differences of images to a color, both tensors, in the wider of their dtypes."""
    return images - border if border.any() else images


class Colors(Sums):
    """The mean, variance and minimum of each channel of images.

    Parameters
    ----------
    pivot : Tensor of shape (C,)
        A color of the images: moments are those of differences to it, as of large values they
        would cancel.
    """

    summed = ("_n", "_total", "_square")

    def __init__(self, pivot):
        self._pivot = pivot
        self._n = 0.0
        self._total, self._square = torch.zeros(2, len(pivot)).to(pivot)
        self._least = torch.zeros_like(pivot)

    def add(self, images, weight):
        """Add images (n, H, W, C) with weights (n,), all 1 for None."""
        pixels = (as_tensor(images).double() - self._pivot).flatten(1, 2)
        w = pixels.new_ones(len(pixels)) if weight is None else as_tensor(weight).to(pixels)
        self._n += float(w.sum()) * pixels.shape[1]
        self._total = self._total + w @ pixels.sum(dim=1)
        self._square = self._square + w @ torch.linalg.vecdot(pixels, pixels, dim=1)
        self._least = torch.minimum(self._least, pixels.amin(dim=(0, 1)))

    def __add__(self, other):
        both = super().__add__(other)
        both._least = torch.minimum(self._least, other._least)
        return both

    def dark(self):
        """Three standard deviations below the mean of a channel, or its minimum if that is more.

        Black for photographs and drawings with values from 0.
        """
        mean = self._total / self._n
        deviation = (self._square / self._n - mean**2).clamp(min=0).sqrt()
        return self._pivot + torch.maximum(self._least, mean - _DEVIATIONS * deviation)
