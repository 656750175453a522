"""Coordinates in which conjugate gradients need a third of the iterations."""

import numpy as np
import torch

_MOST_ROWS = 4000
_ROWS_PER_SAMPLE, _ROWS_PER_FEATURE = 1 / 20, 1 / 4
_LEAST_ROWS = 50


def preconditioning_sample(weight, n_features, rng):
    """The indices of samples, sorted, that :class:`InverseRoot` is made of; None if none pays.

    `weight` is an array of the weights of all samples, of which some may be 0.
    """
    candidates = np.flatnonzero(weight)
    n_rows = n_preconditioning_rows(len(candidates), n_features)
    if not n_rows:
        return None
    return np.sort(rng.choice(candidates, n_rows, replace=False))


def n_preconditioning_rows(n_samples, n_features):
    """The number of samples that it is made of."""
    n_rows = int(min(n_samples * _ROWS_PER_SAMPLE, n_features * _ROWS_PER_FEATURE, _MOST_ROWS))
    return n_rows if n_rows >= _LEAST_ROWS else 0


class InverseRoot:
    """P^(-1/2) of a matrix P near X^T X, of which a sample of the rows of X is known.

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
        self._middle = ((vectors * g) @ vectors.T).to(sample.dtype)
        self._scale = float(rest) ** -0.5

    def __call__(self, columns):
        """P^(-1/2) times columns (n_features, n)."""
        # Rows are long and columns few: products of rows, transposed, run twice as fast.
        rows = columns.T.contiguous()
        along = rows @ self._sample.T @ self._middle
        return torch.addmm(rows, along, self._sample).mul_(self._scale).T
