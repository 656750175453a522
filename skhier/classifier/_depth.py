"""The number of layers: one instead of two, where its errors are smaller.

The second layer averages over large windows. Where the places of details tell the label, as on
traffic signs, codes of the first layer tell more. From a few small images a second layer cannot
learn, and errors do not show it: with one image of a class there is none to be classified without
it. On one to five images of each digit, of 8x8 pixels, one layer has an accuracy of 0.66 to 0.91,
and two have 0.22 to 0.86.
"""

from math import prod

from ._choosing import MAX_CHOOSING, is_smaller, pixels_of

_STANDARD_ERRORS = 2  # by which errors of one layer must be smaller: two are better on most images
_SMALL_MAP, _FEW_PATCHES = 16, 400  # pixels between the layers, and patches of all images
_FEWEST, _SIZE = 100, 64  # images that choose, and the size up to which the most of them do


def n_choosing(image_shape):
    """Return the number of images that choose: fewer large ones, which are encoded once more."""
    n = MAX_CHOOSING * _SIZE**2 // prod(image_shape[:2])
    return min(max(n, _FEWEST), MAX_CHOOSING)


def choose_one_layer(one, two, n_positions, choosers, task):
    """Return whether one layer has smaller errors than two, or two have few patches.

    Parameters
    ----------
    one, two : Rows of shape (n, h, w, channels)
        Output of one layer, and of two, for all images.
    n_positions : int
        Number of patches of an image in the second layer.
    choosers : Choosers
        Images that choose.
    task : Task
        Logs the choice.
    """
    features = [choosers.take(rows) for rows in (two, one)]
    if n_positions <= _SMALL_MAP:
        n_patches = n_positions * choosers.count_distinct(features[0])
        if n_patches < _FEW_PATCHES:
            task.log(f"one layer is used: the images have {n_patches} patches for a second one")
            return True
    before, after = depth_errors(*features, choosers)
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
