"""A Gaussian kernel of standardized features."""

from math import prod
from typing import Any, NamedTuple

import torch
from sklearn.utils import gen_batches

from .._base._device import torch_dtype
from .._base._moments import Moments
from .._base._rows import Operator
from ._standardized import Power, standardize

ROWS = 512  # rows of features at a time, in float32 or float64
_DEPTH = 1800  # features whose products are rounded at once, in bfloat16
# With fewer features bfloat16 is not used: products are of order 1 / root of their number, as
# rounding errors are.
_MIN_FEATURES = 200
# Added to the kernel's values of 1 on the diagonal: duplicates would make it singular.
_JITTER = 1e-4


class Coordinates(NamedTuple):
    """Map from raw features to coordinates, whose distances the kernel is a function of.

    Coordinates are sign(x) |x|^power, with mean 0 and variance 1 (constants are 0), divided by
    the root of their number: the mean of |a - b|^2 is 2.

    Attributes
    ----------
    power : float
        Exponent of features.
    mean, scale : Tensor of shape (n_features,)
        Moments of powers; the scale includes the root of the number of features.
    dtype : torch.dtype
        Dtype of the coordinates.
    """

    power: float
    mean: Any
    scale: Any
    dtype: Any

    @classmethod
    def from_rows(cls, rows, weight, power):
        """Return the coordinates that standardize rows (n, ...) of features with weights."""
        n_features = prod(rows.shape[1:])
        moments = Moments(n_features, weight.dtype, rows.shape[-1])
        powers = rows.map(Power(power, weight.dtype).operator(rows.shape[1:]))
        moments = powers.accumulate(moments, weight)
        mean, scale = (x.to(weight.dtype) for x in (moments.mean, moments.deviation))
        n_varying = max(1, int(scale.isfinite().sum()))
        return cls(power, mean, scale * n_varying**0.5, torch_dtype(rows.dtype))

    def __call__(self, batch):
        powers = Power(self.power, self.mean.dtype)(batch)
        return standardize(self.mean, self.scale, powers).to(self.dtype)

    @property
    def operator(self):
        """The map as an operator."""
        return Operator(self, self.mean.shape, self.dtype, ROWS)


class Kernel:
    """Gaussian kernel exp(-gamma |a - c|^2) of points a and centers c.

    Parameters
    ----------
    centers : Tensor of shape (n_centers, n_features)
        Centers in :class:`Coordinates`.
    gamma : float
        Inverse of a squared distance.
    squares : Tensor of shape (n_centers,) or torch.dtype
        |c|^2, or the precision in which it and the kernel are computed.
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

        return Operator(squares, (), self.dtype, ROWS)(points)

    def __call__(self, points):
        """Return the kernel of points (n, n_features) and the centers, (n, n_centers)."""
        return self._values(points, self._squares_of(points), slice(None))

    @property
    def operator(self):
        """The kernel as an operator on points."""
        return Operator(self, (len(self),), self.dtype, ROWS)

    def between(self, rows, columns, exact=False):
        """Return the kernel of the centers in `rows` and the centers in `columns`.

        Products of bfloat16 are rounded to bfloat16 unless they are `exact`.
        """
        return self._values(self.centers[rows], self.squares[rows], columns, exact)

    def among_centers(self, which):
        """Return the kernel of chosen centers with each other; the diagonal is 1 + a jitter."""
        values = self.between(which, which, exact=True)
        values.fill_diagonal_(1 + _JITTER)
        return values

    def _values(self, points, squares, which, exact=False):
        centers, products = self.centers[which], 0
        dtype = self.dtype if exact or centers.shape[1] < _MIN_FEATURES else centers.dtype
        for part in gen_batches(centers.shape[1], _DEPTH):
            a, c = points[:, part].to(dtype), centers[:, part].to(dtype)
            products += (a @ c.T).to(self.dtype)
        distances = products.mul_(-2).add_(self.squares[which]).add_(squares[:, None])
        return distances.clamp_(min=0).mul_(-self.gamma).exp_()
