"""Assertion that a call changes neither its arguments nor the state of the process."""

import os
import pickle
import random
import tempfile
import warnings
from contextlib import contextmanager

import numpy as np
import pandas as pd
import polars as pl
import scipy.sparse as sp
import sklearn
import torch
from matplotlib.axes import Axes


@contextmanager
def unchanged(*arguments):
    """Assert that the block changes neither the arguments nor the state of the process.

    No other process may use the folder of temporary files and the working directory.
    """
    before, contents = process_state(), fingerprint(arguments)
    yield
    after = process_state()
    changed = {name: _difference(before[name], after[name]) for name in before}
    changed = {name: difference for name, difference in changed.items() if difference}
    assert not changed, f"the call changed {changed}"
    assert fingerprint(arguments) == contents, "the call changed its arguments"


def _difference(before, after):
    """Return (items before only, items after only), None if there are none."""
    if before == after:
        return None
    if isinstance(before, dict):
        before, after = before.items(), after.items()
    return [x for x in before if x not in after], [x for x in after if x not in before]


def process_state():
    """Return the global state that libraries could change."""
    return {
        "numpy's generator": pickle.dumps(np.random.get_state()),  # noqa: NPY002
        "random's generator": random.getstate(),
        "torch's generator": torch.get_rng_state().numpy().tobytes(),
        "torch's threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "torch's default dtype": torch.get_default_dtype(),
        "torch's gradient mode": torch.is_grad_enabled(),
        "torch's determinism": torch.are_deterministic_algorithms_enabled(),
        "numpy's error handling": np.geterr(),
        "numpy's printing": np.get_printoptions(),
        "scikit-learn's configuration": sklearn.get_config(),
        "warning filters": list(warnings.filters),
        "the environment": dict(os.environ),
        "files": (os.getcwd(), os.listdir(), os.listdir(tempfile.gettempdir())),
    }


def fingerprint(value):
    """Return a value that is equal for equal contents in equal memory layouts."""
    if isinstance(value, np.ma.MaskedArray):
        return "masked", fingerprint(value.data), fingerprint(np.ma.getmaskarray(value))
    if isinstance(value, np.ndarray):
        is_plain = value.dtype.kind not in "OV"
        values = value.tobytes() if is_plain else repr(value.tolist())
        layout = value.dtype.str, value.shape, value.strides, value.flags.writeable
        return type(value).__name__, layout, values
    if isinstance(value, torch.Tensor) and value.layout == torch.strided:
        raw = value.detach().double().numpy().tobytes()
        return value.dtype, value.shape, value.requires_grad, value.grad is None, raw
    if sp.issparse(value):
        return value.format, value.shape, fingerprint(value.tocoo().data)
    if isinstance(value, pd.DataFrame | pd.Series):
        return type(value).__name__, value.to_csv()
    if isinstance(value, pl.DataFrame | pl.Series):
        return type(value).__name__, repr(value.to_numpy().tolist())
    if isinstance(value, dict):
        return [(key, fingerprint(item)) for key, item in value.items()]
    if isinstance(value, list | tuple):
        return type(value).__name__, [fingerprint(item) for item in value]
    if isinstance(value, sklearn.base.BaseEstimator):
        return type(value).__name__, fingerprint(
            {name: v for name, v in vars(value).items() if not name.startswith("_")}
        )
    if isinstance(value, np.random.RandomState | np.random.Generator | Axes):
        return type(value).__name__  # calls draw from generators, and on axes
    return repr(value)
