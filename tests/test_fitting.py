"""Methods that change all of an estimator or nothing, under interrupts."""

import sys

import pytest

from skhier._base._fitting import all_or_nothing


class InterruptedTwice:
    """Estimator whose fit is interrupted, and once more at the next call of a function."""

    def __init__(self):
        self.alpha = 1.0

    @all_or_nothing
    def fit(self):
        self.coef_ = 1
        sys.settrace(interrupt_call)
        raise KeyboardInterrupt


def interrupt_call(frame, event, arg):
    """Interrupt the call of a function, the first one only."""
    sys.settrace(None)
    raise KeyboardInterrupt


def do_nothing():
    pass


def fit_and_call(estimator):
    """Fit an estimator, and call a function although the fit is interrupted."""
    try:
        estimator.fit()
    finally:
        do_nothing()


def test_a_second_interrupt_at_the_next_call_leaves_no_half_fitted_estimator():
    estimator = InterruptedTwice()
    with pytest.raises(KeyboardInterrupt) as caught:
        fit_and_call(estimator)
    assert isinstance(caught.value.__context__, KeyboardInterrupt)
    assert vars(estimator) == {"alpha": 1.0}
