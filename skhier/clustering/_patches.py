"""Patches of images: their grid, the color beyond the borders, and random samples."""

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
import torch
from sklearn.utils.random import sample_without_replacement
from torch.nn import functional as F

from .._base._device import as_tensor
from .._base._images import INVERTIBLE, is_plain_vectors
from .._base._moments import Moments
from .._base._params import as_pair, is_auto
from .._base._rows import Accumulator

_DEVIATIONS = 3
_ROUNDING_ULPS = 8
MAX_COLORS = 4  # images of more channels are codes


def auto_patch_size(image_shape):
    """Return 6 for photographs and the like, 3 for small images and codes, 1 for vectors."""
    height, width, channels = image_shape
    if height == width == 1:
        return 1
    return 6 if min(height, width) >= 16 and channels <= MAX_COLORS else 3


@dataclass(frozen=True)
class PatchGrid:
    """Grid of the patches of an image.

    Attributes
    ----------
    image_shape : tuple of int
        (H, W, C).
    patch_size, stride : tuple of int
        (vertical, horizontal), in pixels.
    padding : tuple of int
        Pixels added at (top, bottom, left, right).
    """

    image_shape: tuple
    patch_size: tuple
    stride: tuple
    padding: tuple

    @classmethod
    def from_params(cls, image_shape, patch_size, stride, padding):
        """Return the grid for the parameters of these names and an image shape.

        Raises
        ------
        ValueError
            If a patch is larger than the padded image, or more than twice as large as the image,
            or if patches leave pixels out.
        """
        if is_auto(patch_size):
            patch_size = auto_patch_size(image_shape)
        patch = as_pair(patch_size, "patch_size", 1, or_else=", or 'auto'")
        step = patch if stride is None else as_pair(stride, "stride", 1)
        pads = []
        for size, p, s, total in zip(
            image_shape, patch, step, cls._total_padding(image_shape, patch, step, padding)
        ):
            if p > size + total:
                raise ValueError(
                    f"patch_size={patch_size!r} is larger than the {image_shape[0]}x"
                    f"{image_shape[1]} image with padding={padding!r}."
                )
            if p > 2 * size + 1:
                raise ValueError(
                    f"patch_size={patch_size!r} is more than twice as large as the "
                    f"{image_shape[0]}x{image_shape[1]} image: most of a patch would lie beyond "
                    "the border. Lower it."
                )
            if (size + total - p) % s:
                advice = "" if padding == "same" else ", or use padding='same'"
                raise ValueError(
                    f"patch_size={patch_size!r} with stride={stride!r} does not tile "
                    f"the {image_shape[0]}x{image_shape[1]} image with padding="
                    f"{padding!r}: {(size + total - p) % s} rows or columns of pixels "
                    f"would be left out. Change one of them{advice}."
                )
            pads += [total // 2, total - total // 2]
        return cls(tuple(image_shape), patch, step, tuple(pads))

    @staticmethod
    def _total_padding(image_shape, patch, step, padding):
        """Return the number of pixels added to each axis, both sides together."""
        if isinstance(padding, str):
            if padding == "valid":
                return 0, 0
            if padding == "same":  # ceil(size / step) patches
                return tuple(
                    max((-(-size // s) - 1) * s + p - size, 0)
                    for size, p, s in zip(image_shape, patch, step)
                )
            raise ValueError(
                f"padding={padding!r} is not valid: it takes 'valid', 'same', an int or "
                "a pair of ints."
            )
        return tuple(2 * p for p in as_pair(padding, "padding", 0))

    @property
    def split_padding(self):
        """Padding before a convolution (left, right, top, bottom), and by the convolution.

        A convolution pads both sides equally, (vertical, horizontal). Unequal sides are padded
        before it. One of the two paddings is all zeros.
        """
        top, bottom, left, right = self.padding
        if (top, left) == (bottom, right):
            return (0, 0, 0, 0), (top, left)
        return (left, right, top, bottom), (0, 0)

    @cached_property
    def map_shape(self):
        """(rows, columns) of patches."""
        top, bottom, left, right = self.padding
        height, width, _ = self.image_shape
        (p, q), (s, t) = self.patch_size, self.stride
        return (height + top + bottom - p) // s + 1, (width + left + right - q) // t + 1

    @cached_property
    def patch_shape(self):
        """(height, width, channels) of a patch."""
        return (*self.patch_size, self.image_shape[2])

    def padded(self, images, border, dtype):
        """Return images minus the border's color, padded by zeros: (n, height, width, C).

        Parameters
        ----------
        images : Tensor of shape (n, H, W, C)
            Images.
        border : Tensor of shape (C,)
            Color that is subtracted from the images; padding has this color.
        dtype : torch.dtype
            Dtype of the result.
        """
        if border.any():  # in the images' precision: an offset would take the digits of contrast
            images = images - border
        images = images.to(dtype)
        top, bottom, left, right = self.padding
        if any(self.padding):
            images = F.pad(images, (0, 0, left, right, top, bottom))
        return images.contiguous()

    def windows(self, images, border):
        """Return a view (n, rows, columns, patch height, patch width, channels) of patches.

        The parameters are those of :meth:`padded`; patches have the dtype of the border.
        """
        images = self.padded(images, border, border.dtype)
        image, row, column, channel = images.stride()
        s, t = self.stride
        return images.as_strided(
            (len(images), *self.map_shape, *self.patch_size, images.shape[3]),
            (image, s * row, t * column, row, column, channel),
        )


def refuse_patches_of_vectors(estimator, X, patch_size, padding, contrast):
    """Raise ValueError if X holds plain vectors but parameters ask for what only images have.

    With padding the patches would fit, but the user has probably forgotten `image_shape`.
    """
    if not is_plain_vectors(estimator, X):
        return
    vectors = "flat X without image_shape holds plain vectors, images of one pixel"
    if not is_auto(patch_size) and as_pair(patch_size, "patch_size", 1) != (1, 1):
        raise ValueError(
            f"patch_size={patch_size!r} is larger than the images: {vectors}. Give "
            "image_shape=(H, W, C)."
        )
    if not isinstance(padding, str) and as_pair(padding, "padding", 0) != (0, 0):
        raise ValueError(
            f"padding={padding!r} is for images: {vectors}. Give image_shape=(H, W, C), or "
            "padding='valid'."
        )
    if contrast is not None and not is_auto(contrast):
        raise ValueError(
            f"contrast={contrast!r} is for images: {vectors}. Give image_shape=(H, W, C), or "
            "contrast=None."
        )


def border_color(border, is_whitened, n_channels, dtype, colors):
    """Return the color (C,) beyond the borders of images.

    Patches are differences to it: then padding is with zeros, and an offset of all pixels
    changes nothing and costs no digits.

    Parameters
    ----------
    border : float, 'dark' or 'auto'
        The parameter. 'auto' is 'dark' for images, 0 for codes and for raw patches.
    is_whitened : bool
        Whether patches are whitened.
    n_channels : int
        C.
    dtype : dtype
        NumPy dtype of the color.
    colors : callable
        Returns the :class:`Colors` of the images; they are read only if the color depends on them.
    """
    if is_auto(border):
        border = "dark" if is_whitened and n_channels <= MAX_COLORS else 0
    if border == "dark":
        return colors().dark().numpy().astype(dtype)
    smallest, largest = (2.0**e for e in INVERTIBLE[dtype])
    if border and not smallest <= abs(float(border)) <= largest:
        raise ValueError(f"border={border!r} is too large or too small for pixels in {dtype}.")
    return np.full(n_channels, border, dtype)


class Colors(Accumulator):
    """Accumulator of the moments and the range of each channel of images.

    Attributes
    ----------
    low, high : Tensor of shape (n_channels,)
        Smallest and largest pixel of a channel.
    """

    summed = ("_moments",)

    def __init__(self, n_channels):
        self._moments = Moments(n_channels)
        self.low = torch.full((n_channels,), torch.inf, dtype=torch.float64)
        self.high = -self.low

    def add(self, images, weight):
        """Add images (n, H, W, C) with weights (n,), all 1 for None."""
        pixels = as_tensor(images).double().flatten(1, 2)
        if weight is not None:
            weight = as_tensor(weight)[:, None].expand(pixels.shape[:2]).ravel()
        self._moments.add(pixels.flatten(0, 1), weight)
        self.low = torch.minimum(self.low, pixels.amin(dim=(0, 1)))
        self.high = torch.maximum(self.high, pixels.amax(dim=(0, 1)))

    def __add__(self, other):
        both = super().__add__(other)
        both.low = torch.minimum(self.low, other.low)
        both.high = torch.maximum(self.high, other.high)
        return both

    def dark(self):
        """Return three standard deviations below the mean of a channel, at least its minimum.

        It is black for photographs and drawings with values from 0.
        """
        deviation = self._moments.variance.sqrt()
        return torch.maximum(self.low, self._moments.mean - _DEVIATIONS * deviation)

    def deviation(self, dtype):
        """Return the standard deviation of pixels around the mean of their channel.

        Channels that vary by rounding errors of images in `dtype` are constant. The result is
        infinity if all of them are.
        """
        variance, mean = self._moments.variance, self._moments.mean
        rounding = _ROUNDING_ULPS * np.finfo(dtype).eps * (mean.square() + variance).sqrt()
        variance = torch.where(variance.sqrt() > rounding, variance, 0)
        return float(variance.mean().sqrt()) or np.inf

    def pixel_range(self, border):
        """Return the largest minus the smallest difference of a pixel to a color, 0 included."""
        border = torch.from_numpy(border).double()
        high, low = (self.high - border).amax(), (self.low - border).amin()
        return float(high.clamp(min=0) - low.clamp(max=0))


def sample_patches(images, grid, border, n_patches, rng):
    """Draw patches uniformly without replacement, as rows.

    Parameters
    ----------
    images : Rows of shape (n, H, W, C)
        Images.
    grid : PatchGrid
        Positions of patches.
    border : ndarray of shape (C,)
        Subtracted from pixels; the rows have its dtype.
    n_patches : int
        Number of patches, at most the number of all.
    rng : RandomState
        Source of randomness.

    Returns
    -------
    patches : ndarray of shape (n_patches, patch height * width * channels)
        In the order of images and positions.
    owners : ndarray of shape (n_patches,)
        Number of the image of each patch.
    """
    per_image = prod(grid.map_shape)
    total = len(images) * per_image
    if n_patches >= total:
        chosen = np.arange(total)
    else:
        chosen = np.sort(sample_without_replacement(total, n_patches, random_state=rng))
    owners, positions = np.divmod(chosen, per_image)
    chosen_images, first = np.unique(owners, return_index=True)
    positions = np.split(positions, first[1:])
    patches = _Patches(grid, as_tensor(border))
    patches = images.subset(chosen_images).accumulate(patches, positions)
    return np.concatenate(patches.rows), owners


class _Patches(Accumulator):
    """Accumulator of the patches at chosen positions of each image, as rows in order."""

    summed = ("rows",)

    def __init__(self, grid, border):
        self._grid, self._border = grid, border
        self.rows = []

    def add(self, images, positions):
        """Add images (n, H, W, C) with the positions of patches of each."""
        windows = self._grid.windows(as_tensor(images), self._border)
        n_positions = prod(self._grid.map_shape)
        inside = np.concatenate([i * n_positions + at for i, at in enumerate(positions)])
        # torch.unravel_index imports sympy, which takes a second.
        at = map(torch.from_numpy, np.unravel_index(inside, windows.shape[:3]))
        self.rows.append(windows[tuple(at)].reshape(len(inside), -1).cpu().numpy())
