"""Weights of samples: a weight of 2 is the same as two copies, 0 as no such sample."""

import numpy as np
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import _check_sample_weight

from ._params import check_real
from ._validation import to_floats

_LEAST, _MOST = 2.0**-40, 2.0**40  # far from the ends of float32
_MOST_OF_CLASS = 1e6


def check_weights(sample_weight, n_samples):
    """Weights of samples in float64, all 1 for None.

    Raises
    ------
    ValueError
        If weights are not finite, negative, all zero, not one for each sample, or if the largest
        is out of range.
    """
    if sample_weight is None:
        return np.ones(n_samples)
    weight = to_floats(sample_weight, "sample_weight")
    weight = weight if weight.ndim else float(weight)  # one for all
    rows = np.broadcast_to(0.0, n_samples)  # of the samples only their number counts
    weight = _check_sample_weight(weight, rows, dtype=np.float64, ensure_non_negative=True)
    if not _LEAST <= weight.max() <= _MOST:
        raise ValueError(
            f"sample_weight has values of up to {weight.max():.2g}; the largest may be from "
            f"{_LEAST:.0e} to {_MOST:.0e}."
        )
    return weight


def weighted_samples(sample_weight, X, y=None):
    """The samples that count: X (rows), y and their weights in float64, None if all are 1.

    Those with less than 1e-12 of the largest weight do not: alone they would be out of range.
    """
    if sample_weight is None:
        return X, y, None
    weight = check_weights(sample_weight, len(X))
    counts = weight > _LEAST * weight.max()
    if not counts.all():
        X, weight = X.subset(np.flatnonzero(counts)), weight[counts]
        y = y if y is None else y[counts]
    return X, y, None if (weight == 1).all() else weight


def class_weight_of(y, class_weight, classes, sample_weight=None):
    """The weight of the class of each sample.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        The labels of samples.
    class_weight : dict, 'balanced' or None
        As in scikit-learn.
    classes : ndarray of shape (n_classes,)
        The labels, sorted.
    sample_weight : ndarray of shape (n_samples,) or None
        Weights of samples, for 'balanced'.

    Raises
    ------
    ValueError
        If a weight of a class is not a positive number, or out of range.
    """
    if class_weight is None:
        return np.ones(len(y))
    if isinstance(class_weight, dict):
        class_weight = {
            label: check_real(
                weight, f"class_weight[{label!r}]", 1 / _MOST_OF_CLASS, maximum=_MOST_OF_CLASS
            )
            for label, weight in class_weight.items()
        }
    weight = compute_class_weight(class_weight, classes=classes, y=y, sample_weight=sample_weight)
    return weight[np.searchsorted(classes, y)]


def mean_one(weight):
    """Weights divided by their mean, for what averages over samples."""
    return None if weight is None else weight / weight.mean()
