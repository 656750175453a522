"""Checks of X and y: scikit-learn's, the ones that it leaves to torch and NumPy, and of blocks."""

from typing import Any

import numpy as np
import sklearn.utils
import sklearn.utils.validation
import torch
from scipy.sparse import issparse

from ._sklearn import is_pandas_na


def to_array(value: Any, name: str) -> np.ndarray:
    """Convert an argument to an array; ValueError if NumPy cannot, or if values are masked."""
    refuse_masked(value, name)
    try:
        return np.asarray(value)
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


def refuse_masked(values, name):
    """Raise ValueError if an argument has masked values."""
    if np.ma.isMaskedArray(values) and np.ma.is_masked(values):
        raise ValueError(
            f"{name} has masked values, which are not supported: pass {name}.filled(value)."
        )


def refuse_missing(y):
    """Raise ValueError if labels are missing: scikit-learn names NaN, and neither None nor NA.

    Masked labels are refused too, see `to_array`.
    """
    if (array := to_array(y, "y")).dtype == object:
        missing = [value is None or is_pandas_na(value) for value in array.flat]
        if any(missing):
            first = missing.index(True)
            raise ValueError(
                f"y has missing labels: label {first} is {array.flat[first]}. Drop these samples."
            )


def checked_rows(block, shape, row_shape, dtype):
    """Return a block of X as rows of a shape and dtype.

    Raises
    ------
    ValueError
        If the block is not as X declares (see `checked_block`), or holds NaN or infinity.
    """
    rows = checked_block(block, shape, dtype).reshape(-1, *row_shape)
    if rows.dtype.kind == "f" and not np.isfinite(rows).all():
        raise ValueError("Input X contains NaN or infinity.")
    return rows


def checked_block(block, shape, dtype):
    """Return a block of X as an array of a dtype.

    Raises
    ------
    ValueError
        If the block has another shape than `shape`, which X declares, masked values, or is not of
        real numbers.
    """
    refuse_masked(block, "X")
    if issparse(block):
        raise ValueError("A chunk of X is sparse, which is not supported: pass dense chunks.")
    block = np.asarray(block)
    if block.shape != tuple(shape):
        raise ValueError(
            f"A chunk of X has shape {block.shape}, but X declares {tuple(shape)}. Declare the "
            "shape that the chunks have, as by the argument chunks of map_blocks."
        )
    try:
        if block.dtype.kind in "buifO":
            return block.astype(dtype, copy=False)
    except (TypeError, ValueError):  # objects that are no numbers
        pass
    raise ValueError(
        f"A chunk of X has dtype {block.dtype} and holds {block.flat[0]!r}, but X declares numbers."
    )


def check_array(X, **options):
    """Call scikit-learn's function of the same name, with the changes of `validate_data`."""
    X = to_array(X, "X") if isinstance(X, torch.Tensor) else X
    with np.errstate(over="ignore", invalid="ignore"):
        X = sklearn.utils.check_array(X, **options)
    return X.astype(X.dtype.newbyteorder("="), copy=False)


def validate_data(estimator, X, y="no_validation", **options):
    """Call scikit-learn's function of the same name, with five changes.

    Tensors without an array's memory raise ValueError; torch would raise RuntimeError. Overflow is
    silent in the sums of the largest numbers, by which scikit-learn looks for infinity. X has the
    machine's byte order; scikit-learn keeps the order of the columns of a DataFrame. Dates raise
    ValueError; scikit-learn counts their days or seconds. Missing labels are named.
    """
    X, y = (
        to_array(value, name) if isinstance(value, torch.Tensor) else value
        for value, name in ((X, "X"), (y, "y"))
    )
    refuse_masked(X, "X")
    if not isinstance(y, str) and y is not None:
        refuse_missing(y)
    for dtype in getattr(X, "dtypes", [getattr(X, "dtype", None)]):  # of a DataFrame, an array
        if getattr(dtype, "kind", None) in ("m", "M"):
            raise ValueError(f"X has dtype {dtype}: it takes integers and real numbers.")
    with np.errstate(over="ignore", invalid="ignore"):
        checked = sklearn.utils.validation.validate_data(estimator, X, y, **options)
    X, *rest = checked if isinstance(checked, tuple) else (checked,)
    X = X.astype(X.dtype.newbyteorder("="), copy=False)
    return (X, *rest) if rest else X
