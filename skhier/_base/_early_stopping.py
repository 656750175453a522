"""Early stopping: a validation split, and the state with the best validation score."""

from copy import deepcopy

import numpy as np
from sklearn.model_selection import train_test_split


def n_validation_samples(n_samples, validation_fraction):
    """Return the size of the validation part."""
    return int(np.ceil(n_samples * float(validation_fraction)))


def split_validation(n_samples, validation_fraction, rng):
    """Return the indices of a training and a validation part; ValueError if one is empty."""
    n_validation = n_validation_samples(n_samples, validation_fraction)
    if n_validation >= n_samples:
        raise ValueError(
            f"validation_fraction={validation_fraction!r} of {n_samples} samples is "
            f"{n_validation}: none would be left to learn from. Lower it."
        )
    return train_test_split(np.arange(n_samples), test_size=validation_fraction, random_state=rng)


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
