"""The private parts of scikit-learn that skhier relies on, imported in one place."""

import numpy as np
import sklearn.base
import sklearn.utils._param_validation
from sklearn.base import _fit_context
from sklearn.utils._param_validation import HasMethods, Options, StrOptions
from sklearn.utils._repr_html.estimator import _VisualBlock as VisualBlock

__all__ = [
    "BaseEstimator",
    "HasMethods",
    "Interval",
    "Options",
    "StrOptions",
    "VisualBlock",
    "_fit_context",
]


class Interval(sklearn.utils._param_validation.Interval):
    """scikit-learn's, for ends that NumPy's small floats cannot hold too."""

    def __contains__(self, value):
        with np.errstate(over="ignore"):
            return super().__contains__(value)


class BaseEstimator(sklearn.base.BaseEstimator):
    """scikit-learn's, with links to skhier's documentation where notebooks show it."""

    _doc_link_module = "skhier"
    _doc_link_template = (
        "https://skhier.readthedocs.io/en/stable/generated/skhier.{estimator_name}.html"
    )
