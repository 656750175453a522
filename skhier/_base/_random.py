"""Sources of randomness that leave NumPy's global generator alone."""

from numbers import Integral

import numpy as np


def make_rng(random_state):
    """A RandomState for the parameter `random_state`; None is seeded by the system."""
    if isinstance(random_state, np.random.RandomState):
        return random_state
    if random_state is None:
        return np.random.RandomState()
    if isinstance(random_state, Integral) and 0 <= random_state < 2**32:
        return np.random.RandomState(int(random_state))
    raise ValueError(
        f"random_state={random_state!r} is not valid: it takes None, an int from 0 to 2**32 - 1 "
        "or a RandomState instance."
    )
