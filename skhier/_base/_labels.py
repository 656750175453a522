"""Class labels, checked once for every estimator that learns from them."""

import numpy as np
from sklearn.utils.multiclass import check_classification_targets


def encode_labels(estimator, y):
    """Return (classes, integer labels); ValueError unless y has two classes or more."""
    with np.errstate(invalid="ignore"):  # it converts the largest numbers to ints
        check_classification_targets(y)
    classes, labels = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"{type(estimator).__name__} needs y of at least 2 classes, but y holds one "
            f"class: {classes[0]!r}."
        )
    return classes, labels
