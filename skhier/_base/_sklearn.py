"""Private parts of scikit-learn, imported in one place."""

import warnings
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata

import numpy as np
import sklearn.base
import sklearn.utils._param_validation
from sklearn.base import _fit_context
from sklearn.preprocessing._data import _is_constant_feature as is_constant_feature
from sklearn.utils._missing import is_pandas_na
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils._repr_html.estimator import _VisualBlock as VisualBlock
from sklearn.utils._set_output import _auto_wrap_is_configured, _get_output_config
from sklearn.utils.validation import _check_feature_names as check_feature_names
from sklearn.utils.validation import _check_sample_weight as check_sample_weight

__all__ = [
    "BaseEstimator",
    "HasMethods",
    "Interval",
    "StrOptions",
    "VisualBlock",
    "_fit_context",
    "check_feature_names",
    "check_sample_weight",
    "is_constant_feature",
    "is_pandas_na",
    "returns_frames",
]


def returns_frames(estimator):
    """Return whether scikit-learn makes data frames of what `transform` returns."""
    is_wrapped = _auto_wrap_is_configured(estimator)
    return is_wrapped and _get_output_config("transform", estimator)["dense"] != "default"


class Interval(sklearn.utils._param_validation.Interval):
    """Interval of scikit-learn, also for bounds that NumPy's small floats cannot hold."""

    def __contains__(self, value):
        with np.errstate(over="ignore"):
            return super().__contains__(value)


class BaseEstimator(sklearn.base.BaseEstimator):
    """Base class of scikit-learn, with links to skhier's documentation in notebooks."""

    def __getstate__(self):
        return super().__getstate__() | {"_skhier_version": _version()}

    def __setstate__(self, state):
        version = state.pop("_skhier_version", "of another time")
        if version != _version():
            warnings.warn(
                f"{type(self).__name__} was saved by skhier {version} and is loaded by skhier "
                f"{_version()}: its results may differ, or it may not work. Fit it again.",
                stacklevel=2,
            )
        super().__setstate__(state)

    _doc_link_module = "skhier"

    @property
    def _doc_link_template(self):
        from .. import __all__ as names

        room = "skhier" if type(self).__name__ in names else "{estimator_module}"
        site = _documentation_site()
        return f"{site.rstrip('/')}/generated/{room}.{{estimator_name}}.html" if site else ""


@cache
def _documentation_site():
    """Return the address of the documentation in the package's metadata, or '' without one."""
    try:
        urls = metadata("skhier").get_all("Project-URL", [])
    except PackageNotFoundError:  # a folder that was not installed
        return ""
    return dict(url.split(", ", 1) for url in urls).get("Documentation", "")


def _version():
    from .. import __version__

    return __version__
