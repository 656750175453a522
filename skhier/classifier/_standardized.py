"""Implicitly standardized features: products for ridge regression without forming the matrix.

Each product is a sum over samples, one pass over the features.
"""

from functools import partial
from math import prod
from typing import NamedTuple

import torch
from sklearn.utils import gen_batches
from torch.nn import functional as F

from .._base._device import as_tensor, automatic_batch_size, dense_product, torch_dtype
from .._base._moments import Moments
from .._base._rows import Accumulator, Accumulators, Operator

_ROWS = 4096  # of the features, multiplied at a time
_GRAM_ROWS, _GRAM_COLUMNS = 512, 4096  # of the blocks of a product X X^T
# Features are centered before they are multiplied if the root mean square of mean / deviation is
# larger: in float32, digits of the products would be lost.
_MAX_OFFSET = 100


def _columns(batch):
    """Flatten a batch of features to a matrix."""
    return as_tensor(batch).flatten(1)


class Power(NamedTuple):
    """Map from features x to sign(x) |x|^power.

    Attributes
    ----------
    power : float
        The exponent.
    dtype : torch.dtype
        Dtype of the result.
    """

    power: float
    dtype: torch.dtype

    def __call__(self, batch):
        x = as_tensor(batch).to(self.dtype)
        return x if self.power == 1 else x.abs().pow_(self.power).copysign_(x)

    def operator(self, row_shape):
        """Return the map as an operator on rows of a shape."""
        size = automatic_batch_size(prod(row_shape) * self.dtype.itemsize)
        return Operator(self, row_shape, self.dtype, size)


class _Adjoint(Accumulator):
    """Accumulator of the products of columns with features.

    The columns are a function of a batch of features and labels.
    """

    summed = ("_products", "_total")

    def __init__(self, function, n_columns, n_features, dtype):
        self._function = function
        self._products = torch.zeros(n_columns, n_features, dtype=dtype)
        self._total = torch.zeros(n_columns, dtype=dtype)

    def add(self, batch, weight, *others):
        x = _columns(batch)
        columns = self._function(x, *others) * weight[:, None]
        narrow = columns.T.to(x.dtype).contiguous()
        self._products += narrow @ x
        self._total += narrow.to(columns.dtype).sum(dim=1)

    def standardized(self, mean, scale):
        """Return the products (n_features, n_columns) with standardized features."""
        return (self._products.T - torch.outer(mean, self._total)) / scale[:, None]


def _targets(table, x, labels, probes):
    """Return the targets of the classes of samples, then the columns of probes."""
    targets = table[labels]
    return targets if probes is None else torch.cat([targets, probes.to(targets)], dim=1)


def _products(coef, shift, batch, *others):
    """Return the products of features with coefficients, minus a shift."""
    x = _columns(batch)
    # The coefficients are few, for which `dense_product` is faster in float32 alone.
    multiply = dense_product if x.dtype == torch.float32 else F.linear
    return multiply(x, coef).to(shift.dtype) - shift


def standardize(mean, scale, batch, weight=None):
    """Subtract the mean of features and divide by their scale; multiply by roots of weights."""
    x = (_columns(batch).to(mean) - mean) / scale
    return x if weight is None else x.mul_(weight[:, None].sqrt())


def sum_of_grams(parts):
    """Return the sum of x x^T over matrices x with the same rows, such as parts of the columns."""
    total = None
    for x in parts:
        if total is None:
            total = x.new_zeros(len(x), len(x))
        for rows in gen_batches(len(x), _GRAM_ROWS):
            total[rows, : rows.stop] += dense_product(x[rows], x[: rows.stop])
    return total.tril() + total.tril(-1).T


def _center(center, batch):
    """Subtract a center, in the precision of the features."""
    x = _columns(batch)
    return x - center.to(x.dtype)


class _Gram(Accumulator):
    """Accumulator of X^T X, where a function maps features and weights to X."""

    summed = ("total",)

    def __init__(self, function, n_features, dtype):
        self._function = function
        self.total = torch.zeros(n_features, n_features, dtype=dtype)

    def add(self, batch, weight, *others):
        x = self._function(batch, weight)
        self.total += x.T @ x


class StandardizedFeatures:
    """The matrix X of standardized features, with weights of samples. Constants are 0.

    Parameters
    ----------
    rows : Rows of shape (n_samples, ...)
        Raw features.
    weight : Tensor of shape (n_samples,)
        Weights of samples.
    table : Tensor of shape (n_classes, n_outputs)
        Target of each class; their weighted mean over samples is 0.
    labels : Tensor of shape (n_samples,)
        Classes of samples.
    probes : Tensor of shape (n_samples, n_probes) or None
        More columns of targets.

    Attributes
    ----------
    center : Tensor of shape (n_features,)
        Subtracted from the raw features; 0 unless their means are large beside their deviations.
    mean, scale : Tensor of shape (n_features,)
        Moments of the features minus `center`.
    right_side : Tensor of shape (n_features, n_outputs + n_probes)
        Weighted products of X and the targets.
    """

    def __init__(self, rows, weight, table, labels, probes):
        self._rows, self._weight, self._n = rows, weight, float(weight.sum())
        self._n_features = prod(rows.shape[1:])
        self._narrow, self._wide = torch_dtype(rows.dtype), weight.dtype
        self.center = torch.zeros(self._n_features, dtype=self._wide)
        self._n_channels, self.scale = rows.shape[-1], torch.zeros(())
        self._measure(table, labels, probes)
        offsets = self.mean / self.scale
        if offsets.square().mean() > _MAX_OFFSET**2:
            self.center, shape = self.mean, (self._n_features,)
            size = automatic_batch_size(self._n_features * self._narrow.itemsize)
            center = Operator(partial(_center, self.center), shape, self._narrow, size)
            self._rows = rows.map(center)
            self._measure(table, labels, probes)

    def _measure(self, table, labels, probes):
        """Compute mean, scale and right side in one pass; constants remain constants."""
        n_columns = table.shape[1] + (0 if probes is None else probes.shape[1])
        moments = Moments(self._n_features, self._wide, self._n_channels)
        targets = _Adjoint(partial(_targets, table), n_columns, self._n_features, self._wide)
        sums, aligned = Accumulators(moments, targets), (self._weight, labels, probes)
        size = automatic_batch_size(2 * self._n_features * self._wide.itemsize)  # x and x^2
        moments, targets = self._rows.accumulate(sums, *aligned, batch_size=size).parts
        deviation = moments.deviation.to(self._wide)
        # Without their mean, rounding errors of constants are not told from features.
        self.scale = torch.where(self.scale.isinf(), torch.inf, deviation)
        self.mean = moments.mean.to(self._wide)
        self.right_side = targets.standardized(self.mean, self.scale)

    def normal(self, W, penalty=0.0):
        """Return the weighted product (X^T X + penalty) W, for W (n_features, n_columns)."""
        sums = _Adjoint(self._product(W), *W.T.shape, W.dtype)
        sums = self._rows.accumulate(sums, self._weight, batch_size=_ROWS)
        return sums.standardized(self.mean, self.scale) + penalty * W

    def _product(self, W):
        """Return the map from features to X W."""
        coef = (W / self.scale[:, None]).T.to(self._narrow).contiguous()
        # The mean is multiplied by the rounded coefficients too, so that it cancels.
        return partial(_products, coef, self.mean @ coef.T.to(W.dtype))

    def scores(self, W, index):
        """Return X W, (n, n_columns), for the samples of a sorted index array."""
        product = Operator(self._product(W), (W.shape[1],), W.dtype, _ROWS)
        return torch.from_numpy(self._rows.subset(index).map(product).collect())

    def sample(self, index):
        """Return the rows of X of an index array, scaled to estimate X^T X of all rows."""
        weight, rows = self._weight[index], self._rows.take(index)
        return standardize(self.mean, self.scale, rows, weight * (self._n / weight.sum()))

    def gram(self, index):
        """Return X X^T of the rows of an index array, without weights."""
        x = _columns(self._rows.take(index))
        parts = zip(*(a.split(_GRAM_COLUMNS, dim=-1) for a in (self.mean, self.scale, x)))
        return sum_of_grams(standardize(*part) for part in parts)

    def eigenvalues(self):
        """Return the min(n_samples, n_features) largest eigenvalues of the weighted X^T X."""
        weighted = partial(standardize, self.mean, self.scale)
        if len(self._rows) > self._n_features:
            sums = _Gram(weighted, self._n_features, self._wide)
            products = self._rows.accumulate(sums, self._weight).total
        else:
            x = weighted(self._rows.collect(), self._weight)
            products = x @ x.T
        return torch.linalg.eigvalsh(products.double()).clamp(min=0)
