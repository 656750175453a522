"""Residuals of ridge regression on samples that it has not learned from, in closed form.

Let X be features of samples with weights R^2 and targets y (minus their mean), and
G = R X X^T R + penalty. Without the samples of a set s, their residuals are

    y_s - f_s = R_s^-1 ((G^-1)_ss)^-1 (G^-1 R y)_s

For a set of one sample (G^-1)_ss is a number (Allen, "The relationship between variable selection
and data augmentation and a method for prediction", Technometrics 1974). Sets are groups of samples
that depend on each other, and duplicates: otherwise each would be predicted from the other ones.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.sparse.csgraph import connected_components

from .._base._memory import Work

MAX_LEFT_OUT = 1500  # inverses of their matrix take a quarter of a second each
_SAME = 1e-4  # squared distance of duplicates, relative to the mean square of samples
# Added to the diagonal, relative to its sum: negative eigenvalues are rounding errors.
_MIN_ROUNDING = 1e-12
_MAX_RAISES = 12  # by factors of 10


def left_out_work(step, n_samples, n_features, advice):
    """Return the :class:`Work` of leaving out samples: features, as read and standardized."""
    return Work(step, 2 * 4 * n_samples * n_features, advice)


def is_duplicate(gram, weight):
    """Return a boolean matrix: which pairs of samples with the products `gram` are equal."""
    squares = gram.diagonal()
    mean = (weight.to(gram) @ squares) / weight.sum().to(gram)
    return squares[:, None] + squares - 2 * gram <= _SAME * mean


def sets_of(is_same, groups):
    """Return the number of the set of each sample: duplicates and groups, joined where they meet.

    Parameters
    ----------
    is_same : Tensor of shape (n, n)
        Which pairs of samples are duplicates.
    groups : ndarray of shape (n,) or None
        Group of each sample; None if every sample is a group of its own.
    """
    linked = is_same.numpy()
    if groups is not None:
        linked = linked | (groups[:, None] == groups)
    return connected_components(linked, directed=False)[1]


class LeftOut(NamedTuple):
    """Samples that are left out of ridge regression, one set at a time.

    Attributes
    ----------
    gram : Tensor of shape (n, n)
        X X^T.
    targets : Tensor of shape (n, n_outputs)
        Targets minus their mean.
    weight : Tensor of shape (n,)
        Positive weights.
    sets : ndarray of shape (n,)
        Number of the set of each sample.
    """

    gram: Any
    targets: Any
    weight: Any
    sets: np.ndarray

    @classmethod
    def in_sets(cls, gram, targets, weight, groups):
        """Return the samples with their sets: groups, which may be None, and duplicates."""
        return cls(gram, targets, weight, sets_of(is_duplicate(gram, weight), groups))

    def residuals(self, penalties):
        """Return the residuals (n_penalties, n, n_outputs) in double precision.

        Penalties are positive, or 0.
        """
        gram, targets, weight = (x.double() for x in self[:3])
        root = weight.sqrt()[:, None]
        gram, targets = root * gram * root.T, root * targets
        rounding = max(torch.finfo(self.gram.dtype).eps, _MIN_ROUNDING)
        # Any number will do if all features are constant: the scores are 0.
        gram.diagonal().add_(rounding * float(gram.diagonal().sum()) or 1.0)
        order = np.argsort(self.sets, kind="stable")
        sets = np.split(order, np.flatnonzero(np.diff(self.sets[order])) + 1)
        several = [members for members in sets if len(members) > 1]
        return torch.stack([_residuals(gram, targets, p, several) for p in penalties]) / root

    def scores(self, penalties):
        """Return the scores (n_penalties, n, n_outputs) minus the mean of the targets."""
        return self.targets - self.residuals(penalties)


def _residuals(gram, targets, penalty, several):
    G = gram.clone()
    G.diagonal().add_(penalty)
    # G^(-1) = R^T R. torch.cholesky_inverse takes many times as long if threads share the cores.
    eye = torch.eye(len(G), dtype=G.dtype, device=G.device)
    R = torch.linalg.solve_triangular(_cholesky(G), eye, upper=False)
    solved = R.T @ (R @ targets)
    residuals = solved / R.square().sum(dim=0)[:, None]
    for members in several:
        block = R[:, members]
        residuals[members] = torch.linalg.solve(block.T @ block, solved[members])
    return residuals


def _cholesky(G):
    """Return the Cholesky factor of a matrix whose negative eigenvalues are rounding errors.

    Its diagonal is raised, in place, until there are none: values of a kernel have larger rounding
    errors than products.
    """
    raised = _MIN_ROUNDING * G.diagonal().sum()
    for _ in range(_MAX_RAISES):
        root, failed = torch.linalg.cholesky_ex(G)
        if not failed:
            return root
        raised *= 10
        G.diagonal().add_(raised)
    return torch.linalg.cholesky(G)  # or an error: G is not finite
