"""Early stopping: samples set aside, and the state that did best on them."""

from copy import deepcopy

import numpy as np
from sklearn.model_selection import train_test_split


def number_set_aside(n_samples, validation_fraction):
    """How many samples are set aside."""
    return int(np.ceil(n_samples * float(validation_fraction)))


def set_aside(n_samples, validation_fraction, rng):
    """Indices of samples (to learn from, to score); ValueError if there is none of a kind."""
    n_held = number_set_aside(n_samples, validation_fraction)
    if n_held >= n_samples:
        raise ValueError(
            f"validation_fraction={validation_fraction!r} of {n_samples} samples is {n_held}: none "
            "would be left to learn from. Lower it."
        )
    return train_test_split(np.arange(n_samples), test_size=validation_fraction, random_state=rng)


class EarlyStopping:
    """Keeps the state of the best score so far, and says when to stop.

    Attributes
    ----------
    scores : list of float
        All scores.
    best_state : object
        A copy of the state that came with the best score.
    """

    def __init__(self, n_iter_no_change):
        self._n_iter_no_change = n_iter_no_change
        self._n_iter_best = 0
        self.scores = []
        self.best_state = None

    def update(self, score, state):
        """Note a score, larger is better; return whether it is time to stop."""
        self.scores.append(score)
        if score > max(self.scores[:-1], default=-np.inf):
            self._n_iter_best = len(self.scores)
            self.best_state = deepcopy(state)
        return len(self.scores) - self._n_iter_best >= self._n_iter_no_change
