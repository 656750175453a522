"""Shifted copies of the training images, from which the head learns."""

import numpy as np

from .._base._device import as_array
from .._base._params import is_auto
from .._base._rows import ArraySource, Rows

_MAX_IMAGES = 2000  # for which 'auto' shifts images: more images gain less, at the same cost each
_MAX_PIXELS = 2
_STEPS = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))  # down and right


class _ShiftedImages:
    """Array of images and their copies, shifted up, down, left and right.

    Five successive rows are an image and its copies. They are computed when they are read. Pixels
    of the border are repeated beyond it.
    """

    def __init__(self, images, pixels):
        self._images = images
        self._pixels = pixels
        self.shape = (len(images) * len(_STEPS), *images.shape[1:])
        self.dtype = images.dtype

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        images, copies = np.divmod(np.arange(len(self))[index], len(_STEPS))
        images, inverse = np.unique(images, return_inverse=True)
        out = as_array(self._images.take(images))[inverse]
        for copy, (down, right) in enumerate(_STEPS):
            rows = copies == copy
            out[rows] = _shift(out[rows], self._pixels * down, self._pixels * right)
        return out


def _shift(images, down, right):
    """Move images (n, height, width, channels) by pixels."""
    rows, columns = (
        (np.arange(size) - pixels).clip(0, size - 1)
        for size, pixels in zip(images.shape[1:3], (down, right))
    )
    return images[:, rows][:, :, columns]


def shift_pixels(shift, images, n_layers):
    """Return the number of pixels by which rows of images are shifted, for `shift`.

    'auto' shifts them for several layers: what one layer tells best is the places of details.

    Raises
    ------
    ValueError
        If images are not larger than `shift`.
    """
    size = min(images.shape[1:3])
    if is_auto(shift):
        is_worthwhile = n_layers > 1 and len(images) <= _MAX_IMAGES
        return min(_MAX_PIXELS, size // 16) if is_worthwhile else 0
    if shift >= size and shift > 0:
        raise ValueError(
            f"shift={shift!r} is not less than {size}, the size of the images in pixels."
        )
    return int(shift)


def n_copies(pixels):
    """Return the number of rows of each image: the image and its shifted copies."""
    return len(_STEPS) if pixels else 1


def with_shifts(images, pixels):
    """Return rows of images and their copies; images on a cluster are collected."""
    if not isinstance(images.source, ArraySource):
        images = Rows.of_array(images.collect())
    return Rows.of_array(_ShiftedImages(images, pixels))
