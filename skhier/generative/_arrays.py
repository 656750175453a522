"""Conversion of arguments to plain arrays, in which no mask is lost and `*` is by entries."""

from typing import Any

import numpy as np

from .._base._validation import to_array, to_floats


def plain_array(value: Any, name: str) -> np.ndarray:
    """Convert an argument to an array that is no subclass; ValueError for masked values."""
    array = to_array(value, name)
    if np.ma.is_masked(array):
        raise ValueError(
            f"{name} has masked values, which are not supported: pass {name}.filled(value)."
        )
    return np.asarray(array)


def plain_floats(value: Any, name: str) -> np.ndarray:
    """Convert an argument to a plain array of finite float64 numbers; ValueError if it is none."""
    return to_floats(plain_array(value, name), name)
