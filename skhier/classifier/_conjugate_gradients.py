"""Ridge regression on standardized features that are never made, by conjugate gradients."""

import torch
from sklearn.utils import gen_batches
from torch.nn import functional as F

from .._base._device import automatic_batch_size

_ROWS = 4096  # of the features, multiplied at a time


class StandardizedFeatures:
    """The matrix of features with mean 0 and variance 1, never made.

    Constant features become 0.

    Parameters
    ----------
    X : Tensor of shape (n_samples, n_features)
        The features.
    weight : Tensor of shape (n_samples,)
        Weights of samples; those with 0 do not count, as targets they are ignored.
    """

    def __init__(self, X, weight):
        self._X, self._weight = X, weight
        self.n = float(weight.sum())
        total = torch.zeros(X.shape[1], dtype=torch.float64, device=X.device)
        square = torch.zeros_like(total)
        for rows in gen_batches(len(X), automatic_batch_size(X.shape[1] * weight.itemsize)):
            x, w = X[rows].to(weight.dtype), weight[rows]
            total += w @ x
            square += w @ (x * x)
        mean = total / self.n
        variance = square / self.n - mean**2
        varies = variance > 1e-10 * square / self.n
        self.mean = mean.to(weight.dtype)
        self.scale = torch.where(varies, variance.clamp(min=0).sqrt(), torch.inf).to(weight.dtype)

    def apply(self, W):
        """The product with (n_features, n_outputs) coefficients, for all samples."""
        V = W / self.scale[:, None]
        narrow = V.T.to(self._X.dtype).contiguous()
        out = W.new_empty(len(self._X), W.shape[1])
        for rows in gen_batches(len(self._X), _ROWS):
            out[rows] = F.linear(self._X[rows], narrow)
        # The mean is multiplied by the rounded coefficients too, so that it cancels.
        return out.sub_(self.mean @ narrow.T.to(W.dtype))

    def gram(self):
        """The weighted products of features, or of samples where these are fewer."""
        batches = gen_batches(len(self._X), _ROWS)
        parts = (
            (self._X[rows].to(self.mean) - self.mean) / self.scale * self._weight[rows, None].sqrt()
            for rows in batches
        )
        if len(self._X) > self._X.shape[1]:
            return sum(x.T @ x for x in parts)
        x = torch.cat(list(parts))
        return x @ x.T

    def adjoint(self, R):
        """The product of the transpose with (n_samples, n_outputs) residuals."""
        R = R * self._weight[:, None]
        narrow = R.T.to(self._X.dtype).contiguous()
        out = R.new_zeros(R.shape[1], self._X.shape[1])
        for rows in gen_batches(len(self._X), _ROWS):
            out += narrow[:, rows] @ self._X[rows]
        total = narrow.to(R.dtype).sum(dim=1)
        return (out.T - torch.outer(self.mean, total)) / self.scale[:, None]


class ConjugateGradients:
    """Conjugate gradients on (X^T X + penalty) W = X^T Y, one run per column of Y.

    Residuals are orthogonal in exact arithmetic. Here each is made so to all before it:
    otherwise rounding errors grow by many orders of magnitude in some twenty steps, and
    steps are spent on directions that were solved.

    Parameters
    ----------
    features : StandardizedFeatures
        X.
    targets : Tensor of shape (n_samples, n_outputs)
        Y.
    penalty : float
        Of the coefficients.
    n_watched : int
        `residuals` are those of so many outputs, the first.

    Attributes
    ----------
    W : Tensor of shape (n_features, n_outputs)
        The solution so far.
    outputs : Tensor of shape (n_samples, n_outputs)
        X W.
    residuals : list of float
        After each step the largest residual, as a fraction of the right side.
    """

    def __init__(self, features, targets, penalty, n_watched):
        self._features, self._penalty, self._n_watched = features, penalty, n_watched
        self._residual = features.adjoint(targets)
        self._direction = self._residual.clone()
        self._basis = self._residual.new_empty(targets.shape[1], 8, len(self._residual))
        self._square = self._square_0 = (self._residual**2).sum(dim=0)
        self.W = torch.zeros_like(self._residual)
        self.outputs = torch.zeros_like(targets)
        self.residuals = []

    def step(self):
        """One iteration: one product with the features and one with their transpose."""
        p = self._direction
        n_steps = len(self.residuals)
        if n_steps == self._basis.shape[1]:
            self._basis = torch.cat([self._basis, torch.empty_like(self._basis)], dim=1)
        self._basis[:, n_steps] = _ratio(self._residual, self._residual.norm(dim=0)).T
        basis = self._basis[:, : n_steps + 1]
        Xp = self._features.apply(p)
        Ap = self._features.adjoint(Xp) + self._penalty * p
        length = _ratio(self._square, (p * Ap).sum(dim=0))
        self.W += length * p
        self.outputs += length * Xp
        self._residual -= length * Ap
        for _ in range(2):  # once is not enough where cancellation is strong
            along = basis @ self._residual.T[:, :, None]
            self._residual -= (basis.mT @ along)[:, :, 0].T
        square = (self._residual**2).sum(dim=0)
        fraction = _ratio(square, self._square_0)[: self._n_watched]
        # A residual that is the rounding error of its right side is none; squares would underflow.
        is_left = square > torch.finfo(square.dtype).eps ** 2 * self._square_0
        self._residual *= is_left
        square *= is_left
        self._direction = self._residual + _ratio(square, self._square) * p
        self._square = square
        self.residuals.append(float(fraction.max().sqrt()))


def _ratio(numerator, denominator):
    """numerator / denominator, 0 where a column has nothing left to solve."""
    return torch.where(denominator > 0, numerator / denominator, 0.0)
