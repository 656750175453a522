"""scikit-learn's checks of X and y, and the errors that they leave to torch and NumPy."""

from typing import Any

import numpy as np
import sklearn.utils
import sklearn.utils.validation
import torch


def to_array(value: Any, name: str) -> np.ndarray:
    """Convert an argument to an array; ValueError if NumPy cannot, as for ragged lists."""
    try:
        return np.asanyarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name} is not an array, and cannot become one: {error}") from error


def to_floats(value: Any, name: str) -> np.ndarray:
    """Convert an argument to an array of finite float64 numbers; ValueError if it is none."""
    array = to_array(value, name)
    try:
        array = array.astype(np.float64, casting="unsafe" if array.dtype == object else "same_kind")
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name} is no array of numbers: {error}") from error
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinity; it takes finite numbers.")
    return array


def refuse_masked(X):
    """Raise ValueError if an array has masked values."""
    if isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):
        raise ValueError("X has masked values, which are not supported: pass X.filled(value).")


def check_array(X, **options):
    """Call scikit-learn's function of the same name, with the changes of `validate_data`."""
    X = to_array(X, "X") if isinstance(X, torch.Tensor) else X
    with np.errstate(over="ignore", invalid="ignore"):
        X = sklearn.utils.check_array(X, **options)
    return X.astype(X.dtype.newbyteorder("="), copy=False)


def validate_data(estimator, X, y="no_validation", **options):
    """Call scikit-learn's function of the same name, with four changes.

    Tensors without an array's memory raise ValueError; torch would raise RuntimeError. Overflow is
    silent in the sums of the largest numbers, by which scikit-learn looks for infinity. X has the
    machine's byte order; scikit-learn keeps the order of the columns of a DataFrame. Dates raise
    ValueError; scikit-learn counts their days or seconds.
    """
    X, y = (
        to_array(value, name) if isinstance(value, torch.Tensor) else value
        for value, name in ((X, "X"), (y, "y"))
    )
    if getattr(getattr(X, "dtype", None), "kind", None) in ("m", "M"):
        raise ValueError(f"X has dtype {X.dtype}: it takes integers and real numbers.")
    with np.errstate(over="ignore", invalid="ignore"):
        checked = sklearn.utils.validation.validate_data(estimator, X, y, **options)
    X, *rest = checked if isinstance(checked, tuple) else (checked,)
    X = X.astype(X.dtype.newbyteorder("="), copy=False)
    return (X, *rest) if rest else X
