"""Labels, weights and groups of samples. A weight of 2 means two copies, 0 no such sample."""

import numpy as np
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from ._groups import check_groups
from ._params import check_real
from ._sklearn import check_sample_weight
from ._validation import to_floats

# Range of the largest weight, far from the bounds of float32.
_MIN_WEIGHT, _MAX_WEIGHT = 2.0**-40, 2.0**40
_MAX_CLASS_WEIGHT = 1e6


def encode_labels(estimator, y):
    """Return (classes, integer labels); ValueError unless y has two classes or more."""
    with np.errstate(invalid="ignore"):  # scikit-learn converts the largest numbers to ints
        check_classification_targets(y)
    classes, labels = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"{type(estimator).__name__} needs y of at least 2 classes, but y holds one "
            f"class: {classes.tolist()[0]!r}"
        )
    return classes, labels


def check_weights(sample_weight, n_samples):
    """Return weights of samples in float64, all 1 for None.

    Raises
    ------
    ValueError
        If weights are not finite, negative, all zero, not one for each sample, or if the largest
        is out of range.
    """
    if sample_weight is None:
        return np.ones(n_samples)
    weight = to_floats(sample_weight, "sample_weight")
    weight = weight if weight.ndim else float(weight)  # one number for all samples
    samples = np.broadcast_to(0.0, n_samples)  # scikit-learn asks for the number of samples only
    weight = check_sample_weight(weight, samples, dtype=np.float64, ensure_non_negative=True)
    if not _MIN_WEIGHT <= weight.max() <= _MAX_WEIGHT:
        raise ValueError(
            f"sample_weight has values of up to {weight.max():.2g}; the largest may be from "
            f"{_MIN_WEIGHT:.0e} to {_MAX_WEIGHT:.0e}."
        )
    return weight


def weighted_samples(sample_weight, X, y=None, groups=None):
    """Check weights and groups of samples, and drop samples of negligible weight.

    Samples of less than 1e-12 of the largest weight are dropped: if they were the only ones,
    their weights would be out of range.

    Returns
    -------
    X : Rows
        The samples that are left.
    y : ndarray or None
        Their labels.
    weight : ndarray of shape (n,) or None
        Their weights in float64; None if all are 1.
    groups : ndarray of shape (n,) or None
        Numbers of their groups; None if every sample is a group of its own.

    Raises
    ------
    ValueError
        See `check_weights` and `check_groups`.
    """
    groups = check_groups(groups, len(X))
    if sample_weight is None:
        return X, y, None, groups
    weight = check_weights(sample_weight, len(X))
    is_kept = weight > _MIN_WEIGHT * weight.max()
    if not is_kept.all():
        X, weight = X.subset(np.flatnonzero(is_kept)), weight[is_kept]
        y = y if y is None else y[is_kept]
        groups = groups if groups is None else check_groups(groups[is_kept], len(X))
    return X, y, None if (weight == 1).all() else weight, groups


def class_weights(y, class_weight, classes, sample_weight=None):
    """Return the weight of the class of each sample.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels of the samples.
    class_weight : dict, 'balanced' or None
        As in scikit-learn.
    classes : ndarray of shape (n_classes,)
        All labels, sorted.
    sample_weight : ndarray of shape (n_samples,) or None
        Weights of the samples, for 'balanced'.

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
                weight,
                f"class_weight[{label!r}]",
                1 / _MAX_CLASS_WEIGHT,
                maximum=_MAX_CLASS_WEIGHT,
            )
            for label, weight in class_weight.items()
        }
    weight = compute_class_weight(class_weight, classes=classes, y=y, sample_weight=sample_weight)
    return weight[np.searchsorted(classes, y)]


def mean_one(weight):
    """Divide weights by their mean; None stays None."""
    return None if weight is None else weight / weight.mean()
