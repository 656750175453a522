"""Parameters that hold a pair, or one value per level or layer."""

from numbers import Integral

import numpy as np


def is_sequence(value):
    """Whether a parameter holds several values."""
    return isinstance(value, (tuple, list, np.ndarray))


def is_auto(value):
    """Whether a parameter of any type is the string 'auto'."""
    return isinstance(value, str) and value == "auto"


def as_pair(value, name, minimum, or_else=""):
    """Return `value`, an int or two ints of at least `minimum`, as (vertical, horizontal).

    Raises
    ------
    ValueError
        If it is anything else; the message calls it `name`, and says what the caller
        takes `or_else`.
    """
    pair = tuple(value) if is_sequence(value) else (value, value)
    if len(pair) != 2 or not all(isinstance(v, Integral) and v >= minimum for v in pair):
        raise ValueError(
            f"{name}={value!r} is not valid: it takes an int or a pair of ints "
            f"(vertical, horizontal), at least {minimum}{or_else}."
        )
    return tuple(int(v) for v in pair)


def value_at(value, name, index, n_name, n, *, is_pair=False):
    """Entry `index` of a sequence `value`, which has `n` entries, or `value` itself.

    A tuple is such a sequence too, unless the parameter `is_pair`: then it is one
    (vertical, horizontal) for all.

    Raises
    ------
    ValueError
        If the sequence has another length; the message names it and `n_name`.
    """
    if not is_sequence(value) or (is_pair and isinstance(value, tuple)):
        return value
    if len(value) != n:
        raise ValueError(
            f"{name}={value!r} has {len(value)} entries, but {n_name}={n}: a sequence "
            "gives one value for each, any other value holds for all."
        )
    return value[index]


def check_count(value, name, minimum, maximum=None):
    """`value` as an int; ValueError unless it is one from `minimum` to `maximum`."""
    if isinstance(value, Integral) and minimum <= value and (maximum is None or value <= maximum):
        return int(value)
    allowed = f"an int >= {minimum}" if maximum is None else f"an int from {minimum} to {maximum}"
    raise ValueError(f"{name}={value!r} is not valid: it takes {allowed}.")
