"""Calls with up to two odd arguments, and assertions about their results and errors."""

import re
import traceback
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from _odd import huge_values, odd_values
from _unchanged import unchanged
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning


class Subject(NamedTuple):
    """Public callable, with strategies for its arguments.

    Attributes
    ----------
    function : callable
        The callable.
    table : dict
        Strategy for valid values of each argument.
    required : tuple of str
        Arguments without a default.
    unbounded : tuple of str
        Arguments that may be larger than memory.
    """

    function: Callable
    table: dict
    required: tuple = ()
    unbounded: tuple = ()


@st.composite
def arguments(draw, subject, odd=None):
    """Draw (arguments, names of the odd ones) of a subject; none, one or two are odd."""
    names = sorted(subject.table)
    if odd is None:
        n_odd = draw(st.sampled_from([0, 1, 1, 2])) if names else 0
        odd = draw(st.sets(st.sampled_from(names), max_size=n_odd)) if n_odd else set()
    optional = st.sets(st.sampled_from(names), max_size=6) if names else st.just(set())
    given = odd | set(subject.required) | draw(optional)
    values = {
        name: draw((odd_values | huge_values) if name in subject.unbounded else odd_values)
        if name in odd
        else draw(subject.table[name])
        for name in sorted(given)
    }
    return values, odd


# Warnings of scikit-learn's checks of X and y, and doubts of axes, units and chunks.
_WARNINGS = (
    "X does not have valid feature names|X has feature names, but|A column-vector y was passed|"
    "The number of unique classes is greater than 50%|If it has channels first|"
    "X seems to have another unit|X has chunks .* it is rechunked"
)


def is_allowed(warning):
    """Return whether the documentation names a warning, or scikit-learn gives it."""
    return issubclass(warning.category, ConvergenceWarning | DataConversionWarning) or re.search(
        _WARNINGS, str(warning.message)
    )


def call(function, args, names, errors=(), others=()):
    """Return the result of a call, or the error that it raises.

    Assert that the call changes neither its arguments nor the process, that it gives no
    undocumented warning, and that the message of a ValueError or TypeError names a parameter.

    Parameters
    ----------
    function : callable
        The function.
    args : dict
        Its arguments.
    names : set of str
        Names of parameters, one of which the message of an error must contain.
    errors : tuple of exceptions
        Documented exceptions other than ValueError and TypeError.
    others : dict
        Other objects that the call may not change.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with unchanged(args, others):
            try:
                result = function(**args)
            except (ValueError, TypeError, *errors) as error:
                result = error
    undocumented = [str(warning) for warning in caught if not is_allowed(warning)]
    assert not undocumented, undocumented
    if isinstance(result, Exception) and not isinstance(result, errors):
        any_name = "|".join(map(re.escape, names))
        named = re.search(rf"(?<!\w)({any_name})(?!\w)", str(result))
        if not named and not is_from_sklearn(result):
            raise AssertionError(f"{result!r} names none of {sorted(names)}") from result
    return result


def is_from_sklearn(error):
    """Return whether scikit-learn, or a library that it called, raised an error."""
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    files = [file for file in files if "/skhier/" in file or "/sklearn/" in file]
    return "/sklearn/" in files[-1]


def assert_no_nan(result, allow_infinite=True):
    """Assert that a result holds no NaN, and nothing infinite unless that is allowed."""
    if isinstance(result, torch.Tensor):
        result = result.detach().numpy()
    if isinstance(result, list | tuple):
        for part in result:
            assert_no_nan(part, allow_infinite)
    elif isinstance(result, np.ndarray | np.number | float):
        values = np.asarray(result)
        if values.dtype.kind == "f":
            assert not np.isnan(values).any()
            assert allow_infinite or np.isfinite(values).all()
