"""Methods that are all or nothing, under interrupts."""

import sys

import numpy as np
import pytest
import torch
from sklearn import config_context, get_config, set_config

from skhier._base._fitting import all_or_nothing


class Interrupted:
    """An estimator whose fit is interrupted while other packages' settings are changed."""

    def __init__(self, again=False):
        self.again = again

    @all_or_nothing
    def fit(self):
        self.coef_ = 1
        set_config(skip_parameter_validation=True)
        torch.set_grad_enabled(False)
        np.seterr(over="raise")
        if self.again:
            sys.settrace(interrupt_call)
        raise KeyboardInterrupt


def interrupt_call(frame, event, arg):
    sys.settrace(None)
    raise KeyboardInterrupt


def test_settings_are_as_before():
    config, errors = get_config(), np.geterr()
    with pytest.raises(KeyboardInterrupt):
        Interrupted().fit()
    assert get_config() == config
    assert np.geterr() == errors
    assert torch.is_grad_enabled()


def test_a_second_interrupt_at_the_next_call_leaves_no_half_fitted_estimator():
    estimator = Interrupted(again=True)
    with config_context(), np.errstate(), torch.enable_grad():
        with pytest.raises(KeyboardInterrupt) as caught:
            estimator.fit()
        assert isinstance(caught.value.__context__, KeyboardInterrupt)  # all frames are alive
        assert vars(estimator) == {"again": True}
