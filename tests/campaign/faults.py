"""Faults at a chosen moment of a fit, and snapshots of the state that a fault must not change."""

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

# Faults of a kind for each case: 3 in the short profile, 103 in the long one.
N_FAULTS = 3 + settings.default.max_examples // 50
_TRACED = tuple(str(Path(module.__file__).parent) for module in (skhier, sklearn, torch))


def make_random():
    """Return a generator of moments: the same ones in each short run, new ones in a long run."""
    return random.Random(0 if settings.default.derandomize else None)


class LineCounter:
    """Counter of the executed lines of skhier, scikit-learn and torch.

    Parameters
    ----------
    line : int or None
        Number of the line before which to call `action`, or before the first later line at which
        no exception is handled; None is none.
    action : callable
        Function without arguments.

    Attributes
    ----------
    count : int
        Number of lines so far.
    place : str or None
        File and line before which `action` was called.
    """

    def __init__(self, line=None, action=None):
        self.count, self.place = 0, None
        self._line, self._action = line, action

    def _on_call(self, frame, event, arg):
        return self._on_line if frame.f_code.co_filename.startswith(_TRACED) else None

    def _on_line(self, frame, event, arg):
        self.count += event == "line"
        is_due = self._line is not None and self.count >= self._line and self.place is None
        # If a trace function raises at the end of an except clause, CPython 3.11 keeps the
        # exception of the clause, and with it all frames and their files.
        if is_due and sys.exception() is None:
            self.place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
            self._action()
        return self._on_line

    def __enter__(self):
        self._before = sys.gettrace()
        sys.settrace(self._on_call)
        return self

    def __exit__(self, *error):
        sys.settrace(self._before)


@contextmanager
def interrupts(delay, function, n_interrupts=3):
    """Interrupt the main thread after `delay` seconds, and again, while it is in `function`."""
    left = n_interrupts

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
    # An interrupt inside a finalizer is printed by a hook, which may be interrupted too.
    hook, sys.unraisablehook = sys.unraisablehook, lambda unraisable: None
    signal.setitimer(signal.ITIMER_REAL, delay, 1e-4)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = hook
        signal.signal(signal.SIGALRM, before)


@contextmanager
def settings_restored():
    """Restore settings of scikit-learn, NumPy and torch at the end.

    Their context managers leave a setting changed if an interrupt comes while they enter or exit.
    """
    with sklearn.config_context(), np.errstate(), torch.enable_grad():
        yield


def forget(error):
    """Drop the frames that an exception refers to, and with them the files that they map."""
    error.__traceback__ = error.__context__ = None


class Snapshot:
    """Snapshot of an estimator, and of the state of the process that fits share with others."""

    def __init__(self, estimator):
        self._estimator, self._attributes = estimator, dict(vars(estimator))
        self._digest = joblib.hash(self._attributes)
        self._process, self._settings = _process_state(), _settings()

    def assert_same_estimator(self, place):
        """Assert that the attributes are the same objects with the same contents."""
        now = vars(self._estimator)
        assert now.keys() == self._attributes.keys(), place
        assert all(now[name] is value for name, value in self._attributes.items()), place
        assert joblib.hash(self._attributes) == self._digest, place

    def assert_same_process(self, place):
        """Assert that generators, threads and mapped files are the same."""
        _assert_equal(_process_state(), self._process, place)

    def assert_same_settings(self, place):
        """Assert that the settings of scikit-learn, NumPy and torch are the same."""
        _assert_equal(_settings(), self._settings, place)


def _assert_equal(state, expected, place):
    changed = [name for name in state if state[name] != expected[name]]
    assert not changed, (place, changed)


def _process_state():
    return {
        "numpy's generator": joblib.hash(np.random.get_state()),  # noqa: NPY002
        "random's generator": random.getstate(),
        "torch's generator": torch.get_rng_state().tolist(),
        "torch's threads": torch.get_num_threads(),
        "torch's default dtype": torch.get_default_dtype(),
        "threads": threading.active_count(),
        "mapped files": mapped_files(),
    }


def _settings():
    return {
        "torch's gradient mode": torch.is_grad_enabled(),
        "scikit-learn's configuration": sklearn.get_config(),
        "numpy's error handling": np.geterr(),
    }


def mapped_files(process="self", folder=""):
    """Return the deleted files in a folder that a process still maps."""
    maps = Path(f"/proc/{process}/maps")
    lines = maps.read_text().splitlines() if maps.exists() else []
    return [line for line in lines if line.endswith("(deleted)") and f" {folder}" in line]
