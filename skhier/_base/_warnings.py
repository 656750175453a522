"""Warnings at the line of the user."""

import warnings
from inspect import currentframe

_PACKAGES = {"skhier", "sklearn", "contextlib"}


def warn(message, category=UserWarning):
    """Warn at the innermost line outside this package and scikit-learn.

    Decorators and meta-estimators stand between the user and the cause, so that a fixed stack level
    would name one of their lines, and filters by module would miss the warning.
    """
    frame, level = currentframe().f_back, 2
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in _PACKAGES:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
