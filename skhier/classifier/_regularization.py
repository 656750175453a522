"""Choice of the penalty of ridge regression by leave-one-out errors.

Let X be features of samples with weights R^2 and targets y (minus their mean), and
G = R X X^T R + penalty. Without sample i its residual is

    y_i - f_i = (G^-1 R y)_i / (R_i (G^-1)_ii)

(Allen, "The relationship between variable selection and data augmentation and a method for
prediction", Technometrics 1974). The penalty is the variance of noise over that of coefficients,
which does not depend on the number of samples. So a part of the samples can choose it.
"""

import numpy as np
import torch
from scipy.sparse.csgraph import connected_components

from ._calibration import lowest_loss, per_class

AUTO_ALPHAS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  # values of alpha for 'auto'
_MAX_SAMPLES = 1500  # inverses of their matrix take a quarter of a second each
_ROUNDING = 1 + 1e-5  # errors are equal if all penalties are far above the eigenvalues
_SAME = 1e-4  # squared distance of duplicates, relative to the mean square of samples


def n_penalty_samples(n_samples):
    """Return the number of samples that choose the penalty."""
    return min(n_samples, _MAX_SAMPLES)


def penalty_sample(weight, rng):
    """Draw the samples of positive weight that choose the penalty, as a sorted index array."""
    candidates = np.flatnonzero(weight)
    if len(candidates) <= _MAX_SAMPLES:
        return candidates
    return np.sort(rng.choice(candidates, _MAX_SAMPLES, replace=False))


def best_penalty(gram, targets, weight, penalties, offset):
    """Return the index of the penalty whose leave-one-out scores have the lowest log loss.

    It is the loss at the best temperature, since probabilities are calibrated. The squared error
    would choose too large a penalty: scores near the mean of the targets have small squared errors
    even if their order is worse. Duplicates are left out together: otherwise each would be
    predicted from the other ones.

    Parameters
    ----------
    gram : Tensor of shape (n, n)
        X X^T.
    targets : Tensor of shape (n, n_outputs)
        Targets minus their mean.
    weight : Tensor of shape (n,)
        Positive weights.
    penalties : sequence of float
        Positive penalties, in ascending order.
    offset : Tensor of shape (n_outputs,)
        Mean of the targets.
    """
    gram, targets, weight = merge_samples(is_duplicate(gram), gram, targets, weight)
    residuals = left_out_residuals(gram, targets, weight, penalties)
    targets = (targets + offset).double()
    weight = weight.double() / weight.double().mean()
    samples = _class_shares(targets).numpy(), weight.numpy()
    scores = (per_class((targets - residual).numpy()) for residual in residuals)
    return first_minimum([lowest_loss(s, *samples) for s in scores])


def _class_shares(targets):
    """Return the shares of classes whose mean target is given: one-hot, or -1 and 1."""
    return torch.cat([1 - targets, 1 + targets], dim=1) / 2 if targets.shape[1] == 1 else targets


def left_out_residuals(gram, targets, weight, penalties):
    """Return the residuals of samples that are left out, one at a time.

    Parameters are those of `best_penalty`.

    Returns
    -------
    residuals : Tensor of shape (n_penalties, n, n_outputs)
        In double precision.
    """
    eps = torch.finfo(gram.dtype).eps
    gram, targets, weight = (x.double() for x in (gram, targets, weight))
    root = weight.sqrt()[:, None]
    gram, targets = root * gram * root.T, root * targets
    gram.diagonal().add_(eps * gram.diagonal().sum())  # negative eigenvalues are rounding errors
    residuals = [_residuals(gram, targets, penalty) for penalty in penalties]
    return torch.stack(residuals) / root


def _residuals(gram, targets, penalty):
    G = gram.clone()
    G.diagonal().add_(penalty)
    # G^(-1) = R^T R. torch.cholesky_inverse takes many times as long if threads share the cores.
    eye = torch.eye(len(G), dtype=G.dtype, device=G.device)
    R = torch.linalg.solve_triangular(torch.linalg.cholesky(G), eye, upper=False)
    return R.T @ (R @ targets) / R.square().sum(dim=0)[:, None]


def first_minimum(errors):
    """Return the index of the local minimum at the largest penalty.

    The layers have learned from the labels of the samples that are left out. With the smallest
    penalties these labels are found again in many fine features, and errors are too small.
    """
    best = len(errors) - 1
    while best > 0 and errors[best - 1] <= _ROUNDING * errors[best]:
        best -= 1
    return best


def is_duplicate(gram):
    """Return a boolean matrix: which pairs of samples are equal."""
    squares = gram.diagonal()
    return squares[:, None] + squares - 2 * gram <= _SAME * squares.mean()


def merge_samples(is_same, gram, targets, weight):
    """Replace equal samples by the first one, with their total weight and their mean target."""
    n, group = connected_components(is_same.numpy(), directed=False)
    if n == len(weight):
        return gram, targets, weight
    _, first = np.unique(group, return_index=True)
    weight = weight.double()
    member = torch.from_numpy(np.eye(n)[group].T)
    total = member @ weight
    targets = member @ (weight[:, None] * targets.double()) / total[:, None]
    return gram[first][:, first], targets, total
