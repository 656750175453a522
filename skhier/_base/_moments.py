"""Means and variances of columns, without the cancellation that large means cause."""

import numpy as np
import torch

from ._device import as_tensor
from ._rows import Accumulator
from ._sklearn import is_constant_feature

# Values that differ by fewer units in the last place are equal up to rounding.
_ROUNDING_ULPS = 100


class Moments(Accumulator):
    """Accumulator of the weighted mean and variance of each column.

    A batch is shifted by its first row before it is squared. Sums of batches are merged as in
    Chan, Golub and LeVeque, "Algorithms for computing the sample variance" (1983).

    Parameters
    ----------
    n_columns : int
        Number of columns.
    dtype : torch.dtype
        Precision of the differences.
    n_channels : int or None
        Number of channels, the last axis of the columns; None if each column is its own channel.

    Attributes
    ----------
    mean, variance : Tensor of shape (n_columns,), float64
        Moments of the rows so far.
    """

    def __init__(self, n_columns, dtype=torch.float64, n_channels=None):
        self._n_rows, self._weight = 0, 0.0
        self._dtype, self._n_channels = dtype, n_channels or n_columns
        self.mean, self._squares = torch.zeros(2, n_columns, dtype=torch.float64)

    def add(self, x, weight=None, *others):
        """Add rows (n, ...), flattened to columns, with weights (n,), all 1 for None."""
        x = as_tensor(x).flatten(1).to(self._dtype)
        shift = x[0]
        x = x - shift
        if weight is None:
            total, sums, squares = len(x), x.sum(dim=0), x.square_().sum(dim=0)
        else:
            total, weight = float(weight.sum(dtype=torch.float64)), weight.to(x)
            sums, squares = weight @ x, weight @ x.square_()
        if total:
            sums = sums.double()
            mean = sums / total
            self.merge(len(x), total, shift.double() + mean, squares.double() - sums * mean)

    def merge(self, n_rows, weight, mean, squares):
        """Add rows of known weight, mean and weighted sum of squared deviations from the mean."""
        self._n_rows, total = self._n_rows + n_rows, self._weight + weight
        difference = mean.to(self.mean) - self.mean
        self.mean = self.mean + difference * (weight / total)
        between = difference.square() * (self._weight * weight / total)
        self._squares = self._squares + squares.to(self.mean) + between
        self._weight = total

    def __add__(self, other):
        both = Moments(len(self.mean), self._dtype, self._n_channels)
        for part in (self, other):
            if part._weight:
                both.merge(part._n_rows, part._weight, part.mean, part._squares)
        return both

    @property
    def variance(self):
        """Weighted variance of each column."""
        return (self._squares / self._weight).clamp(min=0)

    @property
    def deviation(self):
        """Standard deviation of each column, infinity for columns that are constant.

        A column is constant if scikit-learn finds it so, or if it varies by rounding errors only.
        """
        mean, variance = self.mean.cpu(), self.variance.cpu()
        is_constant = is_constant_feature(variance.numpy(), mean.numpy(), self._n_rows)
        size = (mean.square() + variance).sqrt().unflatten(0, (-1, self._n_channels)).amax(dim=0)
        deviation = variance.sqrt().unflatten(0, (-1, self._n_channels))
        is_constant |= _is_rounding(deviation, size, self._dtype).flatten().numpy()
        return torch.where(torch.from_numpy(is_constant), torch.inf, deviation.flatten())


def constant_columns(X):
    """Return which columns of an array (n, ..., n_channels) vary by rounding errors only."""
    low, high = X.min(axis=0), X.max(axis=0)
    size = np.maximum(-low, high).reshape(-1, X.shape[-1]).max(axis=0)
    return _is_rounding(high - low, size, torch.from_numpy(X[:0]).dtype)


def _is_rounding(spread, size, dtype):
    """Return which spreads (..., n_channels) are rounding errors.

    Rounding errors of a code have the size of its channel, not of the difference to the bias that
    is left of it at one position.
    """
    return spread <= _ROUNDING_ULPS * torch.finfo(dtype).eps * size
