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

AUTO_ALPHAS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  # values of alpha for 'auto'
_MAX_SAMPLES = 1500  # inverses of their matrix take a quarter of a second each
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


def best_penalty(gram, targets, weight, penalties):
    """Return the index of the penalty with the smallest squared leave-one-out error.

    Duplicates are left out together: otherwise each would be predicted from the other ones.

    Parameters
    ----------
    gram : Tensor of shape (n, n)
        X X^T.
    targets : Tensor of shape (n, n_outputs)
        Targets minus their mean.
    weight : Tensor of shape (n,)
        Positive weights.
    penalties : sequence of float
        Positive penalties.
    """
    eps = torch.finfo(gram.dtype).eps
    gram, targets, weight = (x.double() for x in (gram, targets, weight))
    gram, targets, weight = _merge_duplicates(gram, targets, weight)
    root = weight.sqrt()[:, None]
    gram, targets = root * gram * root.T, root * targets
    gram.diagonal().add_(eps * gram.diagonal().sum())  # negative eigenvalues are rounding errors
    return int(np.argmin([_error(gram, targets, penalty) for penalty in penalties]))


def _error(gram, targets, penalty):
    """Return the sum of squared residuals of samples that are left out, one at a time."""
    G = gram.clone()
    G.diagonal().add_(penalty)
    # G^(-1) = R^T R. torch.cholesky_inverse takes many times as long if threads share the cores.
    eye = torch.eye(len(G), dtype=G.dtype, device=G.device)
    R = torch.linalg.solve_triangular(torch.linalg.cholesky(G), eye, upper=False)
    residuals = R.T @ (R @ targets) / R.square().sum(dim=0)[:, None]
    return float(residuals.square().sum())


def _merge_duplicates(gram, targets, weight):
    """Replace duplicates by one sample with their total weight and their mean target."""
    squares = gram.diagonal()
    distances = squares[:, None] + squares - 2 * gram
    n, group = connected_components((distances <= _SAME * squares.mean()).numpy(), directed=False)
    if n == len(weight):
        return gram, targets, weight
    _, first = np.unique(group, return_index=True)
    member = torch.from_numpy(np.eye(n)[group].T)
    total = member @ weight
    targets = member @ (weight[:, None] * targets) / total[:, None]
    return gram[first][:, first], targets, total
