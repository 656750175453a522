"""Groups of samples that depend on each other: photographs of one person, frames of one track."""

import numpy as np

from ._blocked import in_memory
from ._validation import to_array


def check_groups(groups, n_samples):
    """Return the number of the group of each sample; None if every sample is a group of its own.

    Parameters
    ----------
    groups : array-like of shape (n_samples,) or None
        Groups, of any type that can be sorted.
    n_samples : int
        Number of samples.

    Raises
    ------
    ValueError
        If there is not one value for each sample, if a value is missing, if values cannot be
        sorted, or if there is only one group.
    """
    if groups is None:
        return None
    groups = to_array(in_memory(groups), "groups")
    if groups.shape != (n_samples,):
        raise ValueError(
            f"groups has shape {groups.shape}, but there are {n_samples} samples: it takes one "
            "value for each sample."
        )
    try:
        values, numbers = np.unique(groups, return_inverse=True)
    except TypeError as error:
        raise ValueError(
            f"groups holds values that cannot be sorted, or missing ones ({error}); it takes "
            "numbers or strings."
        ) from error
    if (values != values).any():
        raise ValueError("groups has missing values (NaN); it takes one value for each sample.")
    if len(values) < 2:
        raise ValueError(
            "groups has one value for all samples, so that nothing is left to learn from when it "
            "is left out: it takes at least 2 groups, or None."
        )
    return None if len(values) == n_samples else numbers


def draw_samples(candidates, groups, n_samples, rng):
    """Draw samples without replacement: from all groups alike, as far as they have samples.

    Few whole groups would be worse. Where a class has some groups, most of its groups would not be
    in the draw, and the class would hardly be known without the one that is left out.

    Parameters
    ----------
    candidates : ndarray of int
        Sorted indices of samples.
    groups : ndarray of shape (n,) or None
        Group of each sample; None if every sample is a group of its own.
    n_samples : int
        Largest number of samples to draw.
    rng : RandomState
        Source of randomness.

    Returns
    -------
    index : ndarray of int
        Sorted indices of the samples.
    """
    if len(candidates) <= n_samples:
        return candidates
    if groups is None:
        return np.sort(rng.choice(candidates, n_samples, replace=False))
    order = rng.permutation(candidates)
    order = order[np.argsort(groups[order], kind="stable")]
    _, starts, sizes = np.unique(groups[order], return_index=True, return_counts=True)
    position = np.arange(len(order)) - np.repeat(starts, sizes)  # in the group
    first = np.lexsort((rng.permutation(len(order)), position))
    return np.sort(order[first[:n_samples]])
