"""Choice between two representations of images by the errors of images that are left out.

Sets of images that depend on each other are left out. Of a set i of n, ridge regression on the
first representation has the squared error e_i, on the second one e'_i. The second is chosen if the
mean of d_i = e_i - e'_i is larger than a multiple of its standard error, the standard deviation of
d over the square root of n.
"""

from typing import Any, NamedTuple

import numpy as np
import torch

from .._base._device import as_tensor
from .._base._groups import draw_samples
from .._base._moments import Moments
from .._base._params import make_rng
from ._left_out import LeftOut, is_duplicate, sets_of
from ._regularization import AUTO_ALPHAS, minimum_at_largest_penalty
from ._standardized import standardize, sum_of_grams

MAX_CHOOSING = 500  # images that choose: half as many do not tell photographs from chance


class Choosers(NamedTuple):
    """Images that choose.

    Attributes
    ----------
    rows : ndarray of shape (n,)
        Their numbers among the images of the fit.
    labels : ndarray of shape (n,)
        Their labels.
    weight : Tensor of shape (n,)
        Positive weights, in float64.
    groups : ndarray of shape (n,) or None
        Their groups; None if every image is a group of its own.
    """

    rows: np.ndarray
    labels: np.ndarray
    weight: Any
    groups: np.ndarray | None

    @classmethod
    def draw(cls, labels, weight, groups, n, seed):
        """Draw up to n images from all of a fit; weight and groups may be None."""
        rows = draw_samples(np.arange(len(labels)), groups, n, make_rng(seed))
        weight = np.ones(len(rows)) if weight is None else weight[rows]
        groups = groups if groups is None else groups[rows]
        return cls(rows, labels[rows], torch.from_numpy(weight), groups)

    def take(self, features, n_copies=1):
        """Return the features of the images, of which each has successive rows."""
        return as_tensor(features.take(self.rows * n_copies)).cpu()

    def gram(self, pixels):
        """Return the products X X^T of standardized features.

        `pixels` has a tensor (n, channels) for each pixel: one at a time takes little memory.
        """
        return sum_of_grams(map(self._standardize, pixels))

    def _standardize(self, x):
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        moments = Moments(x.shape[1], x.dtype)
        moments.add(x, self.weight)
        return standardize(moments.mean.to(x), moments.deviation.to(x), x)

    def sets(self, gram, other=None):
        """Return the number of the set of each image: a group, joined with its duplicates.

        Duplicates are images of equal features, and those of equal `other` features and label.
        """
        is_same = is_duplicate(gram, self.weight)
        if other is not None:
            same_label = torch.from_numpy(self.labels[:, None] == self.labels)
            is_same |= is_duplicate(other, self.weight) & same_label
        return sets_of(is_same, self.groups)

    def count_distinct(self, features):
        """Return the number of images with different features, a tensor (n, ..., channels)."""
        return len(set(self._replace(groups=None).sets(self.gram(pixels_of(features)))))

    def errors(self, gram, n_features, sets):
        """Return the squared errors of sets that are left out, with the best penalty."""
        classes, index = np.unique(self.labels, return_inverse=True)
        targets = torch.eye(len(classes), dtype=torch.float64)[index]
        targets = targets - self.weight @ targets / self.weight.sum()
        penalties = [alpha * n_features for alpha in AUTO_ALPHAS]
        residuals = LeftOut(gram, targets, self.weight, sets).residuals(penalties)
        errors = self.weight * residuals.square().sum(dim=2)
        best = errors[minimum_at_largest_penalty(errors.sum(dim=1))]
        return np.bincount(sets, best.numpy())

    def mean(self, errors):
        """Return the mean error of an image."""
        return float(errors.sum() / self.weight.sum())


def is_smaller(before, after, n_standard_errors):
    """Return whether the second errors are smaller by more than chance."""
    difference = before - after
    n = len(difference)
    return bool(n > 1 and difference.mean() > n_standard_errors * difference.std(ddof=1) / n**0.5)


def pixels_of(features):
    """Return a tensor (n, channels) for each pixel of features (n, ..., channels)."""
    return features.flatten(1, -2).unbind(1)
