"""Mirror images: features that are averaged over an image and its mirror image.

Sets of images that depend on each other are left out. Of a set i of n, ridge regression on features
has the squared error e_i, on averages with the features of mirror images e'_i. Averages are chosen
if the mean of d_i = e_i - e'_i is larger than its standard error, the standard deviation of d over
the square root of n.
"""

from math import prod
from typing import NamedTuple

import numpy as np
import torch

from .._base._device import as_tensor
from .._base._groups import draw_samples
from .._base._moments import Moments
from .._base._params import is_auto, make_rng
from .._base._rows import Chain, Operator, compose
from ._left_out import LeftOut, is_duplicate, sets_of
from ._regularization import AUTO_ALPHAS, first_minimum
from ._standardized import standardize

MAX_CHOOSING = 500  # images that choose: half as many do not tell photographs from chance
_MIN_Z = 1.0  # standard errors of the difference


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


class MirrorChoice(NamedTuple):
    """Parameter `mirror` of a classifier, and the seed of the images that choose.

    Attributes
    ----------
    mirror : bool or 'auto'
        Whether features are averaged.
    seed : int
        Determines the images that choose if it is 'auto'.
    """

    mirror: bool | str
    seed: int

    @classmethod
    def of_images(cls, mirror, images, rng):
        """Return the choice for rows of images; images of one column are their mirror images."""
        if not is_auto(mirror):
            return cls(bool(mirror), 0)
        return cls("auto" if images.shape[2] > 1 else False, rng.randint(2**31 - 1))

    def resolve(self, features, mirrored, labels, weight, groups, n_copies, task):
        """Return whether features are averaged.

        Parameters
        ----------
        features, mirrored : Rows of shape (n * n_copies, h, w, channels)
            Features of images, each with copies in successive rows, and of their mirror images.
        labels : ndarray of shape (n,)
            Labels of the images.
        weight : ndarray of shape (n,) or None
            Weights of the images.
        groups : ndarray of shape (n,) or None
            Groups of the images; None if every image is a group of its own.
        n_copies : int
            Number of rows of an image. The first one is the image.
        task : Task
            Logs the choice.
        """
        if not is_auto(self.mirror):
            return bool(self.mirror)
        n = len(labels)
        chosen = draw_samples(np.arange(n), groups, MAX_CHOOSING, make_rng(self.seed))
        pair = (as_tensor(rows.take(chosen * n_copies)).cpu() for rows in (features, mirrored))
        weight = np.ones(n) if weight is None else weight
        groups = groups if groups is None else groups[chosen]
        errors = mirror_errors(*pair, labels[chosen], torch.from_numpy(weight[chosen]), groups)
        is_better = _is_smaller(*errors)
        before, after = (float(e.sum()) / weight[chosen].sum() for e in errors)
        verb = "are averaged" if is_better else "are not averaged"
        task.log(f"mirror images {verb}: left-out error {before:.4f}, averaged {after:.4f}")
        return is_better


def mirror_errors(features, mirrored, labels, weight, groups=None):
    """Return the squared errors of sets that are left out, without and with mirror images.

    Each is a tensor with one entry for each set of images: a group, joined with its duplicates.
    Equal images are duplicates, and so are an image and its mirror image of the same label.

    Parameters
    ----------
    features, mirrored : Tensor of shape (n, h, w, channels)
        Features of images and of their mirror images.
    labels : ndarray of shape (n,)
        Labels of the images.
    weight : Tensor of shape (n,)
        Positive weights, in float64.
    groups : ndarray of shape (n,) or None
        Groups of the images; None if every image is a group of its own.
    """
    grams = _grams(features, mirrored, weight)
    classes, index = np.unique(labels, return_inverse=True)
    targets = torch.eye(len(classes), dtype=torch.float64)[index]
    targets = targets - weight @ targets / weight.sum()
    same_label = torch.from_numpy(index[:, None] == index)
    is_same = is_duplicate(grams[0], weight) | (is_duplicate(grams[1], weight) & same_label)
    sets = sets_of(is_same, groups)
    penalties = [alpha * prod(features.shape[1:]) for alpha in AUTO_ALPHAS]
    return tuple(_errors(LeftOut(gram, targets, weight, sets), penalties) for gram in grams)


def _errors(left_out, penalties):
    """Return the squared errors of sets that are left out, with the best penalty."""
    errors = left_out.weight * left_out.residuals(penalties).square().sum(dim=2)
    best = errors[first_minimum(errors.sum(dim=1))]
    return torch.from_numpy(np.bincount(left_out.sets, best.numpy()))


def _grams(features, mirrored, weight):
    """Return X X^T of standardized features, and of standardized averages with mirror images."""
    wide = torch.promote_types(features.dtype, torch.float32)
    grams = torch.zeros(2, len(features), len(features), dtype=torch.float64)
    pixels = (x.flatten(1, -2).unbind(1) for x in (features, mirrored))
    for plain, flipped in zip(*pixels):  # a pixel at a time takes little memory
        plain, flipped = plain.to(wide), flipped.to(wide)
        for gram, x in zip(grams, (plain, (plain + flipped) / 2)):
            moments = Moments(x.shape[1], wide)
            moments.add(x, weight)
            x = standardize(moments.mean.to(wide), moments.deviation.to(wide), x)
            gram += x @ x.T
    return grams.to(wide)  # its dtype tells the size of rounding errors


def _is_smaller(before, after):
    """Return whether errors are smaller by more than chance."""
    difference = before - after
    n = len(difference)
    return n > 1 and float(difference.mean()) > _MIN_Z * float(difference.std()) / n**0.5
