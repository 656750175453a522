"""Choice of the penalty of ridge regression by the scores of samples that are left out.

The penalty is the variance of noise over that of coefficients, which does not depend on the number
of samples. So a part of the samples can choose it.
"""

import torch

from ._calibration import lowest_loss, per_class

AUTO_ALPHAS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  # values of alpha for 'auto'
_ROUNDING = 1 + 1e-5  # errors are equal if all penalties are far above the eigenvalues


def best_penalty(left_out, penalties, offset, size):
    """Return the index of the penalty whose scores of left-out samples have the lowest log loss.

    It is the loss at the best temperature, since probabilities are calibrated. The squared error
    would choose too large a penalty: scores near the mean of the targets have small squared errors
    even if their order is worse.

    Parameters
    ----------
    left_out : LeftOut
        The samples.
    penalties : sequence of float
        Positive penalties, in ascending order.
    offset : Tensor of shape (n_outputs,)
        Mean of the targets.
    size : float
        Divisor of the weights of samples, which are numbers of copies.
    """
    shares = _class_shares((left_out.targets + offset).double())
    weight = left_out.weight.double() * size
    samples = shares.numpy(), weight.numpy()
    scores = (per_class((scores + offset).numpy()) for scores in left_out.scores(penalties))
    return minimum_at_largest_penalty([lowest_loss(s, *samples) for s in scores])


def _class_shares(targets):
    """Return the shares of classes whose mean target is given: one-hot, or -1 and 1."""
    return torch.cat([1 - targets, 1 + targets], dim=1) / 2 if targets.shape[1] == 1 else targets


def minimum_at_largest_penalty(errors):
    """Return the index of the local minimum at the largest penalty.

    The layers have learned from the labels of the samples that are left out. With the smallest
    penalties these labels are found again in many fine features, and errors are too small.
    """
    best = len(errors) - 1
    while best > 0 and errors[best - 1] <= _ROUNDING * errors[best]:
        best -= 1
    return best
