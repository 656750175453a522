"""Shifted copies of the training images, from which the head learns."""

import numpy as np

from .._base._device import as_array
from .._base._params import is_auto
from .._base._rows import ArraySource, Rows

_MAX_IMAGES = 2000  # for which 'auto' shifts images: more images gain less, at the same cost each
_MAX_PIXELS = 2


class _ShiftedImages:
    """Array of images and their copies, shifted up, down, left and right.

    Five successive rows are an image and its copies. They are computed when they are read. Pixels
    of the border are repeated beyond it.
    """

    def __init__(self, images, pixels):
        self._images = images
        steps = [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)]
        self.offsets = [(pixels * down, pixels * right) for down, right in steps]
        self.shape = (len(images) * len(steps), *images.shape[1:])
        self.dtype = images.dtype

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        images, copies = np.divmod(np.arange(len(self))[index], len(self.offsets))
        images, inverse = np.unique(images, return_inverse=True)
        out = as_array(self._images.take(images))[inverse]
        for copy, offset in enumerate(self.offsets):
            rows = copies == copy
            out[rows] = _shift(out[rows], *offset)
        return out


def _shift(images, down, right):
    """Move images (n, height, width, channels) by pixels."""
    rows, columns = (
        (np.arange(size) - pixels).clip(0, size - 1)
        for size, pixels in zip(images.shape[1:3], (down, right))
    )
    return images[:, rows][:, :, columns]


def shift_pixels(shift, images):
    """Return the number of pixels by which rows of images are shifted, for `shift`.

    Raises
    ------
    ValueError
        If images on a cluster are to be shifted, or images are not larger than `shift`.
    """
    size, is_local = min(images.shape[1:3]), isinstance(images.source, ArraySource)
    if is_auto(shift):
        pixels = min(_MAX_PIXELS, size // 16)
        return pixels if is_local and len(images) <= _MAX_IMAGES else 0
    if shift > 0 and not is_local:
        raise ValueError(f"shift={shift!r} is not for Dask arrays: it takes 0 or 'auto' for them.")
    if shift >= size:
        raise ValueError(
            f"shift={shift!r} is not less than {size}, the size of the images in pixels."
        )
    return int(shift)


def with_shifts(images, pixels):
    """Return rows of images and their shifted copies, and the number of rows for each image."""
    if pixels == 0:
        return images, 1
    shifted = _ShiftedImages(images, pixels)
    return Rows.of_array(shifted), len(shifted.offsets)
