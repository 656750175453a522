"""Weights of samples: a weight of 2 is the same as two copies, 0 as no such sample."""

import numpy as np
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import _check_sample_weight


def weighted_samples(sample_weight, X, y=None):
    """The samples that count: X, y and their weights in float64, None if all have weight 1.

    Raises
    ------
    ValueError
        If weights are not finite, negative, all zero or not one for each sample.
    """
    if sample_weight is None:
        return X, y, None
    rows = np.broadcast_to(0.0, len(X))  # X has been checked, its length is what counts
    weight = _check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
    counts = weight > 0
    if not counts.all():
        X, y, weight = X[counts], y if y is None else y[counts], weight[counts]
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
        If a weight of a class is not a positive number.
    """
    if class_weight is None:
        return np.ones(len(y))
    weight = compute_class_weight(class_weight, classes=classes, y=y, sample_weight=sample_weight)
    if not (np.isfinite(weight).all() and (weight > 0).all()):
        raise ValueError(f"class_weight={class_weight!r} is not valid: it takes positive weights.")
    return weight[np.searchsorted(classes, y)]


def mean_one(weight):
    """Weights divided by their mean, for what averages over samples."""
    return None if weight is None else weight / weight.mean()
