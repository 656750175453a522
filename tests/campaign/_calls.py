"""A call with arguments of which up to two are odd, and what it owes whoever makes it."""

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
    """A public callable and strategies for right values of its arguments.

    Attributes
    ----------
    function : callable
        What is called.
    table : dict
        For each argument, a strategy for right values.
    required : tuple of str
        Arguments without a default.
    countable : tuple of str
        Arguments that may be larger than what memory could hold.
    errors : tuple of exceptions
        Those that its docstring documents besides ValueError and TypeError.
    """

    function: Callable
    table: dict
    required: tuple = ()
    countable: tuple = ()
    errors: tuple = ()


@st.composite
def arguments(draw, subject, odd=None):
    """(arguments, names of the odd ones) of a subject: none is odd, one, or two."""
    names = sorted(subject.table)
    if odd is None:
        n_odd = draw(st.sampled_from([0, 1, 1, 2])) if names else 0
        odd = draw(st.sets(st.sampled_from(names), max_size=n_odd)) if n_odd else set()
    some_names = st.sets(st.sampled_from(names), max_size=6) if names else st.just(set())
    given = odd | set(subject.required) | draw(some_names)
    values = {
        name: draw((odd_values | huge_values) if name in subject.countable else odd_values)
        if name in odd
        else draw(subject.table[name])
        for name in sorted(given)
    }
    return values, odd


# Warnings that are scikit-learn's to give.
_OF_SCIKIT_LEARN = (
    "X does not have valid feature names|X has feature names, but|A column-vector y was passed|"
    "The number of unique classes is greater than 50%"
)


def is_ours(warning):
    """Whether a warning is one that a docstring documents, or scikit-learn's to give."""
    return issubclass(warning.category, ConvergenceWarning | DataConversionWarning) or re.search(
        _OF_SCIKIT_LEARN, str(warning.message)
    )


def call(function, args, names, errors=(), others=()):
    """What the function returns for the arguments (a dict), or the error that it may raise.

    `names` are those that an error must name one of; `others`, what it may not change either.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with unchanged(args, others):
            try:
                result = function(**args)
            except (ValueError, TypeError, *errors) as error:
                result = error
    foreign = [str(warning) for warning in caught if not is_ours(warning)]
    assert not foreign, foreign
    if isinstance(result, Exception) and not isinstance(result, errors):
        any_name = "|".join(map(re.escape, names))
        named = re.search(rf"(?<!\w)({any_name})(?!\w)", str(result))
        if not named and not is_of_scikit_learn(result):
            raise AssertionError(f"{result!r} names none of {sorted(names)}") from result
    return result


def is_of_scikit_learn(error):
    """Whether an error comes from scikit-learn's checks, or from what they call."""
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    rooms = [file for file in files if "/skhier/" in file or "/sklearn/" in file]
    return "/sklearn/" in rooms[-1]


def assert_no_nan(result, allow_infinite=True):
    """A result is never NaN, nor infinite unless that is allowed."""
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
