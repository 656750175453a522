"""Strategies for parameters: valid values in many types, and odd values of every type.

Mutable values are built for each case, so that a case that changes one does not affect others.
"""

from collections import UserList
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import scipy.sparse as sp
import torch
from hypothesis import strategies as st

seeds = st.integers(0, 2**32 - 1)


def built_by(*builders):
    """Return a strategy that draws a function without arguments and calls it."""
    return st.sampled_from(builders).map(lambda build: build())


def counts(low, high):
    """Return a strategy of integers from `low` to `high`, in types of Python and NumPy."""
    types = st.sampled_from([int, int, np.int64, np.uint8, np.int16])
    return st.builds(lambda n, as_type: as_type(n), st.integers(low, high), types)


def reals(*values):
    """Return a strategy of one of the values, in floating types of Python and NumPy."""
    types = st.sampled_from([float, float, np.float64, np.float32])
    return st.builds(lambda x, as_type: as_type(x), st.sampled_from(values), types)


_numbers = st.sampled_from(
    [
        *(-1, 0, 1, 2, 3, 7, True, False, -0.0, 0.5, 1.0, 2.5, -1.5, 5e-324, 1e-300, 1e300),
        *(np.nan, np.inf, -np.inf, 1j, Decimal("0.5"), Fraction(1, 2), np.int8(-1), np.uint64(2)),
        *(np.float16(0.5), np.float32(1e-45), np.float64(np.nan), np.longdouble(2), np.True_),
        *(np.complex64(1), np.datetime64("2020")),
    ]
)
_texts = st.sampled_from(
    ["", "auto", "same", "no such thing", "cpu", "cuda:9", "é\0", b"auto", np.str_("auto"), "2"]
)
_collections = built_by(
    *(list, tuple, dict, set, lambda: (2,), lambda: (2, 2), lambda: [2, 2], lambda: [1, 1]),
    *(lambda: (1, -1), lambda: (2, 2.5), lambda: [None], lambda: ["auto", "auto"]),
    *(lambda: (2, 2, 2), lambda: [[2, 2], [2, 2]], lambda: [0.5, "x"], lambda: [[1, 2], [3]]),
    *(lambda: {"a": 1}, lambda: {2}, lambda: range(2), lambda: UserList([2, 2])),
    *(lambda: np.array(2), lambda: np.array([2, 2]), lambda: np.array([])),
    *(lambda: np.array([0.5, np.nan]), lambda: np.array(["a", "b"]), lambda: np.array([None, 2])),
    *(lambda: np.zeros((2, 2), ">f8"), lambda: np.ma.array([1, 2], mask=[0, 1])),
    *(lambda: np.array([(1, 2.0)], "i4,f8"), lambda: np.array(["2020"], "M8[Y]")),
    *(lambda: np.ones((2, 2, 2, 2), int), lambda: np.zeros((1, 1, 2, 2))),
    *(lambda: sp.csr_array(np.eye(2)), lambda: pd.DataFrame({"a": [1, 2]})),
    *(lambda: pl.Series([1, 2]), lambda: torch.tensor(2), lambda: torch.tensor([0.5, np.nan])),
    *(lambda: torch.ones(2, requires_grad=True), lambda: torch.ones(2, dtype=torch.bfloat16)),
)
_objects = built_by(
    *(lambda: None, object, lambda: int, lambda: len, lambda: Path("nowhere"), lambda: slice(2)),
    *(lambda: date(2020, 1, 1), lambda: np.ma.masked, lambda: pd.NA, lambda: NotImplemented),
    *(lambda: np.random.default_rng(0), lambda: np.random, lambda: torch.float32),
    *(lambda: ..., lambda: iter([2, 2])),
)
odd_values = st.one_of(_numbers, _numbers, _texts, _collections, _objects)
# Numbers that no computer can count to: they are refused at once, or have no effect.
huge_values = st.sampled_from([2**31, 2**63, 10**30, np.uint64(2**64 - 1)])
