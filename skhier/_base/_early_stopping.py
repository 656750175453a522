"""Early stopping: a validation split, and the state with the best validation score."""

from copy import deepcopy

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, train_test_split


def split_validation(n_samples, validation_fraction, rng, groups):
    """Return the indices of a training and a validation part, which share no group.

    `validation_fraction` is of the groups, if there are groups.

    Raises
    ------
    ValueError
        If no sample would be left to learn from.
    """
    n_units = n_samples if groups is None else len(np.unique(groups))
    n_validation = int(np.ceil(n_units * float(validation_fraction)))
    if n_validation >= n_units:
        raise ValueError(
            f"validation_fraction={validation_fraction!r} of {n_units} "
            f"{'samples' if groups is None else 'groups'} is {n_validation}: none would be left "
            "to learn from. Lower it."
        )
    options = {"test_size": validation_fraction, "random_state": rng}
    samples = np.arange(n_samples)
    if groups is None:
        return train_test_split(samples, **options)
    return next(GroupShuffleSplit(1, **options).split(samples, groups=groups))


class EarlyStopping:
    """Monitor of validation scores.

    Attributes
    ----------
    scores : list of float
        All scores.
    best_state : object
        Copy of the state with the best score.
    """

    def __init__(self, n_iter_no_change):
        self._n_iter_no_change = n_iter_no_change
        self._n_iter_best = 0
        self.scores = []
        self.best_state = None

    def update(self, score, state):
        """Record a score, larger is better; return whether to stop."""
        self.scores.append(score)
        if score > max(self.scores[:-1], default=-np.inf):
            self._n_iter_best = len(self.scores)
            self.best_state = deepcopy(state)
        return len(self.scores) - self._n_iter_best >= self._n_iter_no_change
