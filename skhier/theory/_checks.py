"""Checks of the arguments of bounds. A check returns its argument as a Python number."""

from collections.abc import Callable
from functools import wraps
from inspect import signature
from math import inf
from typing import TypeVar

import numpy as np

from .._base._params import check_count, check_real

F = TypeVar("F", bound=Callable)


def within_floats(bound: F, may_be_infinite: bool = False) -> F:
    """Decorate a bound: numbers beyond the range of floats raise ValueError.

    An infinite result is one too, unless it `may_be_infinite`: then the bound calls
    `check_overflow` itself.
    """

    @wraps(bound)
    def checked(*args, **kwargs):
        try:
            with np.errstate(all="raise", under="ignore"):
                result = bound(*args, **kwargs)
                return result if may_be_infinite else check_overflow(result)
        except ArithmeticError as error:
            arguments = signature(bound).bind(*args, **kwargs).arguments
            raise ValueError(
                f"{', '.join(f'{name}={value!r}' for name, value in arguments.items())} are not "
                f"valid for {bound.__name__}: a number is beyond the range of floats ({error})."
            ) from error

    return checked  # type: ignore[return-value]


def check_overflow(result):
    """Return a result; OverflowError if it is the float infinity.

    Products and quotients of Python floats overflow without an error.
    """
    if isinstance(result, float) and result == inf:
        raise OverflowError("the result is infinite")
    return result


def check_positive(**values):
    """Return the values; ValueError unless all are finite numbers > 0."""
    return [check_real(value, name, 0, or_equal=False) for name, value in values.items()]


def check_counts(**values):
    """Return the values; ValueError unless all are ints >= 1."""
    return [check_count(value, name, 1) for name, value in values.items()]


def check_probability(value, name):
    """Return the value; ValueError unless 0 < value < 1."""
    value = check_real(value, name, 0, maximum=1, or_equal=False)
    if value == 1:
        raise ValueError(f"{name}={value!r} is not valid: it takes a number between 0 and 1.")
    return value


def check_required(reason, **values):
    """Return the values, in order; ValueError if one is None or not positive."""
    missing = [name for name, value in values.items() if value is None]
    if missing:
        raise ValueError(f"{reason} needs {' and '.join(missing)}.")
    return check_positive(**values)


def n_pairs(n_classes):
    """Return the number of pairs of classes; ValueError unless there are at least two classes."""
    n_classes = check_count(n_classes, "n_classes", 2)
    return n_classes * (n_classes - 1) // 2


def check_width(n_components):
    """Return the width of the network or None; ValueError unless it is None or an int >= 1."""
    return None if n_components is None else check_count(n_components, "n_components", 1)
