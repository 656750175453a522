"""Checks of arguments: pairs, one value per level or layer, numbers, choices, random states."""

from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted


def is_sequence(value):
    """Return whether a parameter holds several values."""
    return isinstance(value, (tuple, list)) or (isinstance(value, np.ndarray) and value.ndim > 0)


def is_auto(value):
    """Return whether a parameter of any type is the string 'auto'."""
    return isinstance(value, str) and value == "auto"


def as_pair(value, name, minimum, or_else=""):
    """Return `value`, an int or two ints of at least `minimum`, as (vertical, horizontal).

    Raises
    ------
    ValueError
        If it is anything else. The message calls it `name` and lists what is allowed
        `or_else`.
    """
    pair = tuple(value) if is_sequence(value) else (value, value)
    if len(pair) != 2 or not all(isinstance(v, Integral) and v >= minimum for v in pair):
        raise ValueError(
            f"{name}={value!r} is not valid: it takes an int or a pair of ints "
            f"(vertical, horizontal), at least {minimum}{or_else}."
        )
    return tuple(int(v) for v in pair)


def is_one_for_each(value, is_pair):
    """Return whether a parameter is a sequence with one value for each level or layer.

    A tuple is one too, unless the parameter `is_pair`: then it is one (vertical, horizontal) for
    all.
    """
    return is_sequence(value) and not (is_pair and isinstance(value, tuple))


def value_at(value, name, index, n_name, n, *, is_pair=False):
    """Return entry `index` of a sequence `value` of `n` entries, or `value` itself.

    A tuple may be a pair, see :func:`is_one_for_each`.

    Raises
    ------
    ValueError
        If the sequence has another length; the message names it and `n_name`.
    """
    if not is_one_for_each(value, is_pair):
        return value
    if len(value) != n:
        raise ValueError(
            f"{name}={value!r} has {len(value)} entries, but {n_name}={n}: a sequence "
            "gives one value for each, any other value holds for all."
        )
    return value[index]


def check_count(value, name, minimum, maximum=None):
    """Return `value` as an int; ValueError unless it is one from `minimum` to `maximum`."""
    if isinstance(value, Integral) and minimum <= value and (maximum is None or value <= maximum):
        return int(value)
    allowed = f"an int >= {minimum}" if maximum is None else f"an int from {minimum} to {maximum}"
    raise ValueError(f"{name}={value!r} is not valid: it takes {allowed}.")


def check_real(value, name, minimum, *, maximum=np.inf, or_equal=True):
    """Return `value` as an int or a float; ValueError unless it is a finite number in a range.

    The range is from `minimum`, which is excluded if `or_equal` is False, to `maximum`.
    """
    is_finite = isinstance(value, Real) and abs(value) < np.inf
    if is_finite and minimum <= value <= maximum and (or_equal or value > minimum):
        return int(value) if isinstance(value, Integral) else float(value)
    allowed = f"a finite number {'>=' if or_equal else '>'} {minimum}"
    allowed += "" if maximum == np.inf else f" and <= {maximum}"
    raise ValueError(f"{name}={value!r} is not valid: it takes {allowed}.")


def check_flag(value, name):
    """Raise ValueError unless `value` is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name}={value!r} is not valid: it takes True or False.")


def check_choice(value, name, allowed, or_else=""):
    """Raise ValueError unless `value` is one of several strings.

    The message lists them, and what is allowed `or_else`.
    """
    if not (isinstance(value, str) and value in allowed):
        *others, last = map(repr, allowed)
        raise ValueError(
            f"{name}={value!r} is not valid: it takes {', '.join(others)} or {last}{or_else}."
        )


def check_fitted(estimator, name, *class_names):
    """Raise TypeError for an argument of another class, NotFittedError if it is not fitted."""
    if not {kind.__name__ for kind in type(estimator).__mro__}.intersection(class_names):
        allowed = " or ".join(class_names)
        raise TypeError(f"{name}={estimator!r} is not valid: it takes a fitted {allowed}.")
    check_is_fitted(estimator)


def as_path(value: Any, name: str) -> Path:
    """Return `value` as a Path; TypeError if it is none, ValueError for a null character."""
    try:
        path = Path(value)
    except TypeError as error:
        raise TypeError(f"{name}={value!r} is not valid: it takes a path.") from error
    if "\0" in str(path):
        raise ValueError(f"{name}={value!r} is not valid: a path has no null characters.")
    return path


def make_rng(random_state):
    """Return the RandomState of a parameter `random_state`; the system seeds that of None.

    The global generator of NumPy is never used.
    """
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
