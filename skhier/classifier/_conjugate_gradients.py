"""Ridge regression by conjugate gradients."""

import torch


class ConjugateGradients:
    """Conjugate gradients on (X^T X + penalty) W = B, one run per column of B.

    Residuals are orthogonal in exact arithmetic. Here each is made so to all before it:
    otherwise rounding errors grow by many orders of magnitude in some twenty steps, and
    steps are spent on directions that were solved.

    Parameters
    ----------
    normal : callable
        The product of X^T X with a matrix of shape (n_features, n_outputs).
    right_side : Tensor of shape (n_features, n_outputs)
        B.
    penalty : float
        Of the coefficients.
    n_watched : int
        `residuals` are those of so many outputs, the first.

    Attributes
    ----------
    W : Tensor of shape (n_features, n_outputs)
        The solution so far.
    residuals : list of float
        After each step the largest residual, as a fraction of the right side.
    """

    def __init__(self, normal, right_side, penalty, n_watched):
        self._normal, self._penalty, self._n_watched = normal, penalty, n_watched
        self._residual = right_side.clone()
        self._direction = right_side.clone()
        self._basis = right_side.new_empty(right_side.shape[1], 8, len(right_side))
        self._square = self._square_0 = (self._residual**2).sum(dim=0)
        self.W = torch.zeros_like(self._residual)
        self.residuals = []

    def step(self):
        """One iteration: one product with X^T X."""
        p = self._direction
        n_steps = len(self.residuals)
        if n_steps == self._basis.shape[1]:
            self._basis = torch.cat([self._basis, torch.empty_like(self._basis)], dim=1)
        self._basis[:, n_steps] = _ratio(self._residual, self._residual.norm(dim=0)).T
        basis = self._basis[:, : n_steps + 1]
        Ap = self._normal(p) + self._penalty * p
        length = _ratio(self._square, (p * Ap).sum(dim=0))
        self.W += length * p
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
