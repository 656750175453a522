"""Ridge regression by conjugate gradients."""

import torch


class ConjugateGradients:
    """Conjugate gradients on A W = B, one run per column of B.

    Residuals are orthogonal in exact arithmetic. Here each is made so to all before it:
    otherwise rounding errors grow by many orders of magnitude in some twenty steps, and
    steps are spent on directions that were solved.

    Parameters
    ----------
    operator : callable
        The product of A with a matrix of shape (n_features, n_outputs).
    right_side : Tensor of shape (n_features, n_outputs)
        B.
    n_watched : int
        `residuals` are those of so many outputs, the first.
    root : callable or None
        The product of P^(-1/2) with such a matrix, for a P near A: steps are those on
        P^(-1/2) A P^(-1/2) V = P^(-1/2) B, where W = P^(-1/2) V. None is P = 1.

    Attributes
    ----------
    residuals : list of float
        After each step the largest residual of that system, as a fraction of its right side.
    is_positive : bool
        Whether A has been positive along all directions, as it must be: rounding errors of its
        products may be larger than its least eigenvalue.
    """

    def __init__(self, operator, right_side, n_watched, root=None):
        self._operator, self._n_watched, self._root = operator, n_watched, root or _unchanged
        right_side = self._root(right_side)
        self._residual = right_side.clone()
        self._direction = right_side.clone()
        self._basis = right_side.new_empty(right_side.shape[1], 8, len(right_side))
        self._square = self._square_0 = (self._residual**2).sum(dim=0)
        self._V = torch.zeros_like(self._residual)
        self.residuals, self.is_positive = [], True

    @property
    def W(self):
        """The solution so far, of shape (n_features, n_outputs)."""
        return self._root(self._V)

    def step(self):
        """One iteration: one product with A."""
        p = self._direction
        n_steps = len(self.residuals)
        if n_steps == self._basis.shape[1]:
            self._basis = torch.cat([self._basis, torch.empty_like(self._basis)], dim=1)
        self._basis[:, n_steps] = _ratio(self._residual, self._residual.norm(dim=0)).T
        basis = self._basis[:, : n_steps + 1]
        Ap = self._root(self._operator(self._root(p)))
        curvature = (p * Ap).sum(dim=0)
        self.is_positive &= bool((curvature >= 0).all())
        length = _ratio(self._square, curvature)
        self._V += length * p
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


def _unchanged(columns):
    return columns


def _ratio(numerator, denominator):
    """numerator / denominator, 0 where a column has nothing left to solve."""
    return torch.where(denominator > 0, numerator / denominator, 0.0)
