"""Sources of randomness that leave NumPy's global generator alone."""

import numpy as np
from sklearn.utils import check_random_state


def make_rng(random_state):
    """A RandomState for the parameter `random_state`; None is seeded by the system."""
    return np.random.RandomState() if random_state is None else check_random_state(random_state)
