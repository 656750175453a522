"""Unit of pixels: images to encode are compared with those of `fit`."""

from functools import partial

import numpy as np

from .._base._images import ValueRange
from .._base._rows import Operator
from .._base._warnings import warn

# Far below numbers whose squares overflow in float32, far above offsets of images.
_MAX_CONTRASTS = 1e15
# Images of one unit have ranges within this factor, if there are enough of them.
_MAX_RATIO, _MIN_IMAGES = 50, 10
# Images are first compared in this many places, by this number of images.
_N_PLACES, _PLACE_SIZE = 4, 64


def in_unit_of_fit(X, orthogonalizer):
    """Compare the range of images with that of `fit`, without reading them all once more.

    Parameters
    ----------
    X : Rows
        Images.
    orthogonalizer : PatchKMeansOrthogonalizer
        Fitted on the first images.

    Returns
    -------
    X : Rows
        The images. Reading a batch raises ValueError if products with the kernels, about 1 in
        `fit`, would overflow.

    Warns
    -----
    UserWarning
        If the range of many images is so different that they must have another unit.
    """
    border, gain = orthogonalizer.border_, orthogonalizer._gain
    border = border if np.ptp(border) else float(border[0])
    found = _valid_range(border, gain, X.take(_sample(len(X))))
    _doubt_unit(X, found, border, orthogonalizer.pixel_range_)
    check = partial(_checked, border, gain)
    return X.map(Operator(check, X.shape[1:], X.dtype, len(X)))  # batches stay as they are


def _doubt_unit(X, found, border, expected):
    """Warn if the range of many images, `found` in some, is not about the expected one."""
    if len(X) < _MIN_IMAGES or not expected:
        return
    if found.size < expected / _MAX_RATIO:  # others may be brighter
        found = X.accumulate(ValueRange(border))
    if found.low < found.high and not 1 / _MAX_RATIO <= found.size / expected <= _MAX_RATIO:
        warn(
            f"The pixels of X range over {found.size:.3g}, those of the images of fit over "
            f"{expected:.3g}: X seems to have another unit. Pass images in the unit of fit."
        )


def _sample(n_rows):
    """Return the index of rows in a few places: rows far apart would be in all blocks of a file."""
    if n_rows <= _N_PLACES * _PLACE_SIZE:
        return slice(None)
    starts = np.linspace(0, n_rows - _PLACE_SIZE, _N_PLACES).astype(int)
    return np.unique(starts[:, None] + np.arange(_PLACE_SIZE))


def _valid_range(border, gain, images):
    """Return the range of images less the border; ValueError if it is extreme, times `gain`."""
    found = ValueRange(border)
    found.add(images)
    largest = max(found.high, -found.low)
    if largest * gain > _MAX_CONTRASTS:
        raise ValueError(
            f"X has values of up to {largest:.2g}, {largest * gain:.0e} times the "
            "contrast of the images of fit: it must have the unit of the images of fit."
        )
    return found


def _checked(border, gain, images):
    """Return images; ValueError as in `_valid_range`."""
    _valid_range(border, gain, images)
    return images
