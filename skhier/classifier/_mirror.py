"""Mirror images: features that are averaged over an image and its mirror image."""

from math import prod
from typing import NamedTuple

from .._base._device import as_tensor
from .._base._params import is_auto
from .._base._rows import Chain, Operator, compose
from ._choosing import is_smaller, pixels_of

_STANDARD_ERRORS = 1  # by which errors of averages must be smaller


class MirrorAverage(NamedTuple):
    """Map from images to the mean of the outputs for them and for their mirror images."""

    chain: Chain

    def __call__(self, images):
        return self.chain(images).add_(self.chain(_flip(images))).mul_(0.5)


def _flip(images):
    return as_tensor(images).flip(2)


def of_mirror_images(images, network):
    """Return rows of the outputs of an operator for the mirror images of rows."""
    flip = Operator(_flip, images.shape[1:], images.dtype, network.batch_size)
    return images.map(compose((flip, network), network.batch_size))


def can_mirror(mirror, images):
    """Return `mirror`, a boolean or 'auto'; images of one column are their mirror images."""
    if is_auto(mirror):
        return "auto" if images.shape[2] > 1 else False
    return bool(mirror)


def choose_mirror(features, mirrored, choosers, n_copies, task):
    """Return whether averages with the features of mirror images have smaller errors.

    Parameters
    ----------
    features, mirrored : Rows of shape (n * n_copies, h, w, channels)
        Features of images, each with copies in successive rows, and of their mirror images.
    choosers : Choosers
        Images that choose.
    n_copies : int
        Number of rows of an image. The first one is the image.
    task : Task
        Logs the choice.
    """
    errors = mirror_errors(
        *(choosers.take(rows, n_copies) for rows in (features, mirrored)), choosers
    )
    is_better = is_smaller(*errors, _STANDARD_ERRORS)
    before, after = map(choosers.mean, errors)
    verb = "are averaged" if is_better else "are not averaged"
    task.log(f"mirror images {verb}: left-out error {before:.4f}, averaged {after:.4f}")
    return is_better


def mirror_errors(features, mirrored, choosers):
    """Return the squared errors of sets of choosers, without and with mirror images.

    Equal images are duplicates, and so are an image and its mirror image of the same label.

    Parameters
    ----------
    features, mirrored : Tensor of shape (n, h, w, channels)
        Features of the images and of their mirror images.
    choosers : Choosers
        The images.
    """
    pairs = zip(pixels_of(features), pixels_of(mirrored))
    plain = choosers.gram(pixels_of(features))
    averaged = choosers.gram((x.to(plain) + y.to(plain)) / 2 for x, y in pairs)
    sets = choosers.sets(plain, averaged)
    n_features = prod(features.shape[1:])
    return tuple(choosers.errors(gram, n_features, sets) for gram in (plain, averaged))
