"""A Gaussian kernel of standardized features."""

from math import prod
from typing import Any, NamedTuple

import torch
from sklearn.utils import gen_batches

from .._base._device import as_tensor, in_batches, torch_dtype
from ._standardized import Moments, Standardized

_ROWS = 512  # of features in float32 or float64
_DEPTH = 1800  # features whose products are rounded, where they are of bfloat16, at a time
_FEW = 200  # features: products of bfloat16 are of order 1 / root of their number, as is rounding
# Of the kernel's values at the centers themselves, relative to 1: duplicates make them singular.
_JITTER = 1e-4


class Coordinates(NamedTuple):
    """The map from features as they are to those that distances are of.

    They are sign(x) |x|^power, with mean 0 and variance 1 (constants are 0), divided by the
    root of their number: so the mean of |a - b|^2 is 2.

    Attributes
    ----------
    power : float
        Of features.
    mean, scale : Tensor of shape (n_features,)
        Of powers, the number of features included.
    dtype : torch.dtype
        Of what it gives.
    """

    power: float
    mean: Any
    scale: Any
    dtype: Any

    @classmethod
    def of(cls, rows, weight, power):
        """Those of rows (n, ...) of features with weights."""
        n_features = prod(rows.shape[1:])
        powers = rows.derived(_Power(power, weight.dtype), (n_features,), weight.dtype, _ROWS)
        moments = powers.accumulate(Moments(n_features, weight.dtype), weight)
        mean, scale = moments.mean_and_scale(float(weight.sum()))
        n_varying = max(1, int(scale.isfinite().sum()))
        return cls(power, mean, scale * n_varying**0.5, torch_dtype(rows.dtype))

    def __call__(self, batch):
        powers = _Power(self.power, self.mean.dtype)(batch)
        return Standardized(self.mean, self.scale)(powers).to(self.dtype)


class _Power(NamedTuple):
    power: float
    dtype: Any

    def __call__(self, batch):
        x = as_tensor(batch).flatten(1).to(self.dtype)
        return x if self.power == 1 else x.sign() * x.abs().pow_(self.power)


class Kernel:
    """exp(-gamma |a - c|^2) of points a and centers c.

    Parameters
    ----------
    centers : Tensor of shape (n_centers, n_features)
        In :class:`Coordinates`.
    gamma : float
        See above.
    squares : Tensor of shape (n_centers,) or torch.dtype
        |c|^2, or the precision to compute it, and the kernel, in.
    """

    def __init__(self, centers, gamma, squares):
        self.centers, self.gamma = centers, gamma
        self.dtype = getattr(squares, "dtype", squares)
        is_known = isinstance(squares, torch.Tensor)
        self.squares = squares if is_known else self._squares_of(centers)

    def __len__(self):
        return len(self.centers)

    def _squares_of(self, points):
        def squares(rows):
            return rows.to(self.dtype).square().sum(dim=1)

        return in_batches(squares, points, _ROWS)

    def __call__(self, points):
        """The kernel of points (n, n_features) and the centers, (n, n_centers)."""
        return self._values(points, self._squares_of(points), slice(None))

    def between(self, rows, columns, exact=False):
        """The kernel of some of the centers and some others of them.

        Products of bfloat16 are rounded to it unless they are `exact`.
        """
        return self._values(self.centers[rows], self.squares[rows], columns, exact)

    def among_centers(self, which):
        """The kernel of some of the centers with each other: 1 + a jitter on the diagonal."""
        values = self.between(which, which, exact=True)
        values.fill_diagonal_(1 + _JITTER)
        return values

    def _values(self, points, squares, which, exact=False):
        centers, products = self.centers[which], 0
        dtype = self.dtype if exact or centers.shape[1] < _FEW else centers.dtype
        for part in gen_batches(centers.shape[1], _DEPTH):
            a, c = points[:, part].to(dtype), centers[:, part].to(dtype)
            products += (a @ c.T).to(self.dtype)
        distances = products.mul_(-2).add_(self.squares[which]).add_(squares[:, None])
        return distances.clamp_(min=0).mul_(-self.gamma).exp_()
