"""Features with mean 0 and variance 1 that are never made: what ridge regression needs of them.

All of it is sums over samples, which are gone over for each product.
"""

from math import prod

import torch
from torch.nn import functional as F

from .._base._device import as_tensor, torch_dtype
from .._base._rows import Sums, Together

_ROWS = 4096  # of the features, multiplied at a time
_WIDE_ROWS = 512  # where they are made float32 or float64 for it


def _columns(batch):
    """A batch of features as a matrix."""
    return as_tensor(batch).flatten(1)


class Moments(Sums):
    """Sums of features and of their squares."""

    summed = ("_total", "_square")

    def __init__(self, n_features, dtype):
        self._dtype = dtype
        self._total, self._square = torch.zeros(2, n_features, dtype=torch.float64)

    def add(self, batch, weight, *others):
        x = _columns(batch).to(self._dtype)
        self._total += weight @ x
        self._square += weight @ (x * x)

    def mean_and_scale(self, n):
        """The mean, and the standard deviation or infinity for constants."""
        mean = self._total / n
        variance = self._square / n - mean**2
        varies = variance > 1e-10 * self._square / n
        scale = torch.where(varies, variance.clamp(min=0).sqrt(), torch.inf)
        return mean.to(self._dtype), scale.to(self._dtype)


class _Adjoint(Sums):
    """The products of columns, what a function makes of features and labels, with features."""

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
        """The products (n_features, n_columns) with the features less their mean, scaled."""
        return (self._products.T - torch.outer(mean, self._total)) / scale[:, None]


class _Targets:
    """Targets of samples, those of their classes and others."""

    def __init__(self, table):
        self._table = table

    def __call__(self, x, labels, probes):
        targets = self._table[labels]
        return targets if probes is None else torch.cat([targets, probes.to(targets)], dim=1)


class _Product:
    """The products of features with coefficients, less that of their mean."""

    def __init__(self, narrow, shift):
        self._narrow, self._shift = narrow, shift

    def __call__(self, batch, *others):
        return F.linear(_columns(batch), self._narrow).to(self._shift.dtype) - self._shift


class Standardized:
    """The map from features as they are to those with mean 0 and variance 1, or 0."""

    def __init__(self, mean, scale):
        self._mean, self._scale = mean, scale

    def __call__(self, batch):
        return (_columns(batch).to(self._mean) - self._mean) / self._scale


class _Weighted(Standardized):
    """Likewise, times the roots of weights."""

    def __call__(self, batch, weight):
        return super().__call__(batch).mul_(weight[:, None].sqrt())


class _Gram(Sums):
    """The products with each other of what a function makes of features and weights."""

    summed = ("total",)

    def __init__(self, function, n_features, dtype):
        self._function = function
        self.total = torch.zeros(n_features, n_features, dtype=dtype)

    def add(self, batch, weight, *others):
        x = self._function(batch, weight)
        self.total += x.T @ x


class StandardizedFeatures:
    """The matrix X of standardized features, with weights of samples. Constant ones are 0.

    Parameters
    ----------
    rows : Rows of shape (n_samples, ...)
        The features as they are.
    weight : Tensor of shape (n_samples,)
        Weights of samples; those with 0 do not count.
    table : Tensor of shape (n_classes, n_outputs)
        The target of each class; their weighted mean over samples is 0.
    labels : Tensor of shape (n_samples,)
        The classes of samples.
    probes : Tensor of shape (n_samples, n_probes) or None
        More targets.

    Attributes
    ----------
    mean, scale : Tensor of shape (n_features,)
        Of the features.
    right_side : Tensor of shape (n_features, n_outputs + n_probes)
        The weighted products of X and the targets.
    """

    def __init__(self, rows, weight, table, labels, probes):
        self._rows, self._weight, self._n = rows, weight, float(weight.sum())
        self._n_features = prod(rows.shape[1:])
        self._narrow = torch_dtype(rows.dtype)
        sums = Together(Moments(self._n_features, weight.dtype), self._targets(table, probes))
        along = self._weight, labels, probes
        moments, targets = rows.accumulate(sums, *along, batch_size=_WIDE_ROWS).parts
        self.mean, self.scale = moments.mean_and_scale(self._n)
        self.right_side = targets.standardized(self.mean, self.scale)

    def _targets(self, table, probes):
        """Sums of the products of targets with features as they are."""
        n_columns = table.shape[1] + (0 if probes is None else probes.shape[1])
        return _Adjoint(_Targets(table), n_columns, self._n_features, table.dtype)

    def normal(self, W):
        """The weighted product X^T X W, for coefficients (n_features, n_columns)."""
        sums = _Adjoint(self._product(W), *W.T.shape, W.dtype)
        sums = self._rows.accumulate(sums, self._weight, batch_size=_ROWS)
        return sums.standardized(self.mean, self.scale)

    def _product(self, W):
        """The map from features as they are to X W."""
        narrow = (W / self.scale[:, None]).T.to(self._narrow).contiguous()
        # The mean is multiplied by the rounded coefficients too, so that it cancels.
        return _Product(narrow, self.mean @ narrow.T.to(W.dtype))

    def scores(self, W, index):
        """X W of the samples that a sorted index array selects, (n, n_columns)."""
        some = self._rows.subset(index)
        made = some.derived(self._product(W), (W.shape[1],), W.dtype, _ROWS)
        return torch.from_numpy(made.collect())

    def sample(self, index):
        """The rows of X that an index array selects, scaled so that their X^T X is that of all."""
        weight = self._weight[index]
        some = self._rows.take(index)
        return _Weighted(self.mean, self.scale)(some, weight * (self._n / weight.sum()))

    def eigenvalues(self):
        """Those of the weighted product X^T X, of n_samples or n_features the fewer."""
        weighted = _Weighted(self.mean, self.scale)
        if len(self._rows) > self._n_features:
            sums = _Gram(weighted, self._n_features, self.mean.dtype)
            products = self._rows.accumulate(sums, self._weight).total
        else:
            x = weighted(self._rows.collect(), self._weight)
            products = x @ x.T
        return torch.linalg.eigvalsh(products.double()).clamp(min=0)
