"""Faults at a chosen moment of a fit, and what must be the same after one."""

import gc
import random
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
import sklearn
import torch
from hypothesis import settings

import skhier

# 4 moments of a kind in the short profile, 104 in the long one.
N_MOMENTS = 4 + settings.default.max_examples // 50
_TRACED = tuple(str(Path(module.__file__).parent) for module in (skhier, sklearn, torch))


def random_source():
    """The same moments at each short run, others at each long one."""
    return random.Random(0 if settings.default.derandomize else None)


class Moments:
    """Counts the lines of the package, and of what it calls, that run; acts before one of them.

    Attributes
    ----------
    count : int
        The number of lines.
    place : str or None
        The file and line before which it acted.
    """

    def __init__(self, moment=None, act=None):
        self.count, self.place = 0, None
        self._moment, self._act = moment, act

    def _on_call(self, frame, event, arg):
        return self._on_line if frame.f_code.co_filename.startswith(_TRACED) else None

    def _on_line(self, frame, event, arg):
        self.count += event == "line"
        if self.count == self._moment and self.place is None:
            self.place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
            self._act()
        return self._on_line

    def __enter__(self):
        self._before = sys.gettrace()
        sys.settrace(self._on_call)
        return self

    def __exit__(self, *error):
        sys.settrace(self._before)


@contextmanager
def signals(delay, function, n_signals=3):
    """Interrupt the main thread after `delay` seconds, and again, while it is in `function`."""
    left = n_signals

    def interrupt(signum, frame):
        nonlocal left
        while frame is not None and frame.f_code is not function.__code__:
            frame = frame.f_back
        if frame is None or left == 0:
            signal.setitimer(signal.ITIMER_REAL, 0)
        else:
            left -= 1
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    # What a finalizer makes of an interrupt is printed by a hook that may be interrupted too.
    hook, sys.unraisablehook = sys.unraisablehook, lambda unraisable: None
    signal.setitimer(signal.ITIMER_REAL, delay, 1e-4)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = hook
        signal.signal(signal.SIGALRM, before)


@contextmanager
def settings_put_back():
    """Undo what other packages leave where a second interrupt comes while they undo it."""
    with sklearn.config_context(), np.errstate(), torch.enable_grad():
        yield
        gc.collect()  # scikit-learn's generators that were broken off set what they found


class Before:
    """The state of an estimator, and of what fits share with the rest of the process."""

    def __init__(self, estimator):
        self._estimator, self._attributes = estimator, dict(vars(estimator))
        self._digest, self._process = joblib.hash(self._attributes), _process_state()

    def assert_same_estimator(self, place):
        """Assert that attributes are the same objects and hold the same."""
        now = vars(self._estimator)
        assert now.keys() == self._attributes.keys(), place
        assert all(now[name] is value for name, value in self._attributes.items()), place
        assert joblib.hash(self._attributes) == self._digest, place

    def assert_same_process(self, place):
        """Assert that all else is the same."""
        process = _process_state()
        changed = [name for name in process if process[name] != self._process[name]]
        assert not changed, (place, changed)


def _process_state():
    return {
        "numpy's generator": joblib.hash(np.random.get_state()),  # noqa: NPY002
        "random's generator": random.getstate(),
        "torch's generator": torch.get_rng_state().tolist(),
        "torch's threads": torch.get_num_threads(),
        "threads": threading.active_count(),
        "gradients": torch.is_grad_enabled(),
        "dtype": torch.get_default_dtype(),
        "scikit-learn": sklearn.get_config(),
        "floating-point errors": np.geterr(),
        "files": mapped_files(),
    }


def mapped_files(process="self", folder=""):
    """The deleted files in a folder that a process still maps."""
    maps = Path(f"/proc/{process}/maps")
    lines = maps.read_text().splitlines() if maps.exists() else []
    return [line for line in lines if line.endswith("(deleted)") and f" {folder}" in line]
