"""The number of layers: one instead of two, where its errors are smaller.

The second layer averages over large windows. Where the places of details tell the label, as on
traffic signs, codes of the first layer tell more.
"""

from math import prod

from ._choosing import MAX_CHOOSING, is_smaller, pixels_of

_STANDARD_ERRORS = 2  # by which errors of one layer must be smaller: two are better on most images
_FEWEST, _SIZE = 100, 64  # images that choose, and the size up to which the most of them do


def n_choosing(image_shape):
    """Return the number of images that choose: fewer large ones, which are encoded once more."""
    n = MAX_CHOOSING * _SIZE**2 // prod(image_shape[:2])
    return min(max(n, _FEWEST), MAX_CHOOSING)


def choose_one_layer(one, two, choosers, task):
    """Return whether one layer has smaller errors than two.

    Parameters
    ----------
    one, two : Rows of shape (n, h, w, channels)
        Output of one layer, and of two, for all images.
    choosers : Choosers
        Images that choose.
    task : Task
        Logs the choice.
    """
    before, after = depth_errors(*(choosers.take(rows) for rows in (two, one)), choosers)
    is_better = is_smaller(before, after, _STANDARD_ERRORS)
    means = f"of one layer {choosers.mean(after):.4f}, of two {choosers.mean(before):.4f}"
    task.log(f"{'one layer is' if is_better else 'two layers are'} used: left-out error {means}")
    return is_better


def depth_errors(two, one, choosers):
    """Return the squared errors of sets of choosers, of two layers and of one.

    Parameters
    ----------
    two, one : Tensor of shape (n, h, w, channels)
        Features of the images. Images of equal features from two layers are duplicates.
    choosers : Choosers
        The images.
    """
    grams = [choosers.gram(pixels_of(features)) for features in (two, one)]
    sizes = (prod(features.shape[1:]) for features in (two, one))
    sets = choosers.sets(grams[0])
    return tuple(choosers.errors(gram, size, sets) for gram, size in zip(grams, sizes))
