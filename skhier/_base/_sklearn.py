"""The private parts of scikit-learn that skhier relies on, imported in one place."""

import sklearn.base
from sklearn.base import _fit_context
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
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


class BaseEstimator(sklearn.base.BaseEstimator):
    """scikit-learn's, with links to skhier's documentation where notebooks show it."""

    _doc_link_module = "skhier"
    _doc_link_template = (
        "https://skhier.readthedocs.io/en/stable/generated/skhier.{estimator_name}.html"
    )
