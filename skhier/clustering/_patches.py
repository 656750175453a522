"""The grid of patches of an image, and samples of patches."""

from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from sklearn.utils.random import sample_without_replacement
from torch.nn import functional as F

from .._base._device import as_tensor
from .._base._images import is_plain_vectors
from .._base._params import as_pair, is_auto
from .._base._rows import Sums
from ._auto import auto_patch_size
from ._border import subtract_border


@dataclass(frozen=True)
class PatchGrid:
    """Where the patches of an image lie.

    Attributes
    ----------
    image_shape : tuple of int
        (H, W, C).
    patch_size, stride : tuple of int
        (vertical, horizontal), in pixels.
    padding : tuple of int
        Zero pixels added at (top, bottom, left, right).
    """

    image_shape: tuple
    patch_size: tuple
    stride: tuple
    padding: tuple

    @classmethod
    def from_params(cls, image_shape, patch_size, stride, padding):
        """Resolve and check the parameters of that name against an image shape.

        Raises
        ------
        ValueError
            If a patch is larger than the padded image, or patches leave pixels out.
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
            if (size + total - p) % s:
                raise ValueError(
                    f"patch_size={patch_size!r} with stride={stride!r} does not tile "
                    f"the {image_shape[0]}x{image_shape[1]} image with padding="
                    f"{padding!r}: {(size + total - p) % s} rows or columns of pixels "
                    "would be left out. Change one of them, or use padding='same'."
                )
            pads += [total // 2, total - total // 2]
        return cls(tuple(image_shape), patch, step, tuple(pads))

    @staticmethod
    def _total_padding(image_shape, patch, step, padding):
        """Zeros added to each axis, both sides together."""
        if isinstance(padding, str):
            if padding == "valid":
                return 0, 0
            if padding == "same":  # as many patches as steps begin inside the image
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
        """Padding before the convolution (left, right, top, bottom), and by it.

        A convolution pads both sides alike, (vertical, horizontal); what is not alike is
        padded before. One of the two is all zeros.
        """
        top, bottom, left, right = self.padding
        if (top, left) == (bottom, right):
            return (0, 0, 0, 0), (top, left)
        return (left, right, top, bottom), (0, 0)

    @property
    def map_shape(self):
        """(rows, columns) of patches."""
        top, bottom, left, right = self.padding
        height, width, _ = self.image_shape
        (p, q), (s, t) = self.patch_size, self.stride
        return (height + top + bottom - p) // s + 1, (width + left + right - q) // t + 1

    @property
    def patch_shape(self):
        """(height, width, channels) of a patch."""
        return (*self.patch_size, self.image_shape[2])

    def windows(self, images):
        """A view (n, rows, columns, patch height, patch width, channels) of patches.

        `images` is a tensor (n, H, W, C).
        """
        top, bottom, left, right = self.padding
        if any(self.padding):
            images = F.pad(images, (0, 0, left, right, top, bottom))
        images = images.contiguous()
        image, row, column, channel = images.stride()
        s, t = self.stride
        return images.as_strided(
            (len(images), *self.map_shape, *self.patch_shape),
            (image, s * row, t * column, row, column, channel),
        )


def refuse_patches_of_vectors(estimator, X, patch_size, padding):
    """Raise ValueError if patches or padding are asked of X that holds plain vectors.

    With padding patches would fit; but who asks for them forgot `image_shape`.
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


def sample_patches(images, grid, border, n_patches, rng):
    """Draw patches uniformly without replacement, as rows.

    Parameters
    ----------
    images : Rows of shape (n, H, W, C)
        Images.
    grid : PatchGrid
        Where patches lie.
    border : ndarray of shape (C,)
        Subtracted from pixels; its dtype is that of the rows.
    n_patches : int or None
        At most this many; all if None.
    rng : RandomState
        Source of randomness.

    Returns
    -------
    patches : ndarray of shape (min(n_patches, all), patch height * width * channels)
        In the order of images and positions.
    owners : ndarray of shape (min(n_patches, all),)
        The index of the image that each patch is of.
    """
    per_image = prod(grid.map_shape)
    total = len(images) * per_image
    if n_patches is None or n_patches >= total:
        chosen = np.arange(total)
    else:
        chosen = np.sort(sample_without_replacement(total, n_patches, random_state=rng))
    owners, positions = np.divmod(chosen, per_image)
    chosen_images, first = np.unique(owners, return_index=True)
    positions = np.split(positions, first[1:])
    patches = _Patches(grid, as_tensor(border))
    patches = images.subset(chosen_images).accumulate(patches, positions)
    return np.concatenate(patches.rows), owners


class _Patches(Sums):
    """Patches at some positions of each image, as rows in order."""

    summed = ("rows",)

    def __init__(self, grid, border):
        self._grid, self._border = grid, border
        self.rows = []

    def add(self, images, positions):
        windows = self._grid.windows(subtract_border(as_tensor(images), self._border))
        n_positions = np.prod(windows.shape[1:3])
        inside = np.concatenate([i * n_positions + at for i, at in enumerate(positions)])
        at = torch.unravel_index(torch.from_numpy(inside), windows.shape[:3])
        rows = windows[at].reshape(len(inside), -1)
        self.rows.append(rows.to(self._border.dtype).cpu().numpy())
