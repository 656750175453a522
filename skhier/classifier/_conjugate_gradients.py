"""Conjugate gradients, and their preconditioner from a sample of the rows."""

import numpy as np
import torch

from .._base._device import dense_product
from .._base._groups import draw_samples

_MIN_SAMPLES, _MIN_FEATURES = 1000, 200  # fewer take few steps, or little time for each
_MAX_ROWS, _ROWS_PER_FEATURE = 4000, 1 / 4
_ROWS_PER_ROOT = 10  # of the number of samples


class ConjugateGradients:
    """Conjugate gradients on A W = B, one run per column of B.

    Residuals are orthogonal in exact arithmetic. Each one is orthogonalized to all before it:
    otherwise rounding errors grow by many orders of magnitude in some twenty steps, and
    steps are spent on directions that were solved.

    Parameters
    ----------
    operator : callable
        Product of A with a matrix of shape (n_features, n_outputs).
    right_side : Tensor of shape (n_features, n_outputs)
        B.
    n_watched : int
        Number of columns, the first, that `residuals` are about.
    root : callable or None
        Product of P^(-1/2) with such a matrix, for a P near A: steps are those on
        P^(-1/2) A P^(-1/2) V = P^(-1/2) B, where W = P^(-1/2) V. None is P = 1.

    Attributes
    ----------
    residuals : list of float
        After each step the largest residual of that system, as a fraction of its right side.
    is_positive : bool
        Whether A has been positive in all directions so far. Rounding errors of its products
        may be larger than its smallest eigenvalue.
    """

    def __init__(self, operator, right_side, n_watched, root=None):
        self._operator, self._n_watched = operator, n_watched
        self._root = root or (lambda columns: columns)
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
        """Do one iteration: one product with A."""
        p = self._direction
        n_steps = len(self.residuals)
        if n_steps == self._basis.shape[1]:
            self._basis = torch.cat([self._basis, torch.empty_like(self._basis)], dim=1)
        self._basis[:, n_steps] = _ratio(self._residual, self._residual.norm(dim=0)).T
        Ap = self._root(self._operator(self._root(p)))
        curvature = (p * Ap).sum(dim=0)
        self.is_positive &= bool((curvature >= 0).all())
        length = _ratio(self._square, curvature)
        self._V += length * p
        self._residual -= length * Ap
        # The vectors of one column at a time: they stay in the cache.
        for basis, residual in zip(self._basis[:, : n_steps + 1], self._residual.T):
            for _ in range(2):  # once is not enough where cancellation is strong
                residual -= (basis @ residual) @ basis
        square = (self._residual**2).sum(dim=0)
        fraction = _ratio(square, self._square_0)[: self._n_watched]
        # Treat residuals at rounding level as zero; their squares would underflow.
        is_left = square > torch.finfo(square.dtype).eps ** 2 * self._square_0
        self._residual *= is_left
        square *= is_left
        self._direction = self._residual + _ratio(square, self._square) * p
        self._square = square
        self.residuals.append(float(fraction.max().sqrt()))


def _ratio(numerator, denominator):
    """Return numerator / denominator, 0 for columns that are solved."""
    return torch.where(denominator > 0, numerator / denominator, 0.0)


def preconditioning_sample(weight, n_features, rng):
    """Draw the samples, as a sorted index array, for :class:`InverseRoot`; None if none pays.

    `weight` is an array of the weights of all samples, which may be 0.
    """
    candidates = np.flatnonzero(weight)
    n_rows = n_preconditioning_rows(len(candidates), n_features)
    if not n_rows:
        return None
    return draw_samples(candidates, None, n_rows, rng)


def n_preconditioning_rows(n_samples, n_features):
    """Return the number of samples that `preconditioning_sample` draws."""
    if n_samples < _MIN_SAMPLES or n_features < _MIN_FEATURES:
        return 0
    n_rows = _ROWS_PER_ROOT * n_samples**0.5
    return int(min(n_rows, n_features * _ROWS_PER_FEATURE, _MAX_ROWS))


class InverseRoot:
    """P^(-1/2) of a matrix P near X^T X, estimated from a sample of the rows of X.

    With it, conjugate gradients need a third of the iterations.

    Parameters
    ----------
    sample : Tensor of shape (n_rows, n_features)
        The sample S, scaled so that S^T S estimates X^T X.
    rest : float
        P = S^T S + rest; the mean of the eigenvalues that the sample does not show.
    """

    def __init__(self, sample, rest):
        self._sample = sample
        values, vectors = torch.linalg.eigh((sample @ sample.T).double())
        values = values.clamp(min=0) / rest
        # (1 + v)^(-1/2) = 1 + v g(v), without cancellation where v is small
        root = (1 + values).sqrt()
        g = -1 / (root * (1 + root) * rest)
        self._transposed = sample.T.contiguous()
        # In double precision: its products cancel, and float32 would lose the solution beside a
        # large eigenvalue.
        self._middle = (vectors * g) @ vectors.T
        self._scale = float(rest) ** -0.5

    def __call__(self, columns):
        """Return P^(-1/2) times columns (n_features, n)."""
        rows = columns.T.contiguous()
        middle = dense_product(self._sample, rows).T.double() @ self._middle
        change = dense_product(self._transposed, middle.to(rows.dtype))
        return change.T.contiguous().add_(rows).mul_(self._scale).T
