"""Heads: the classifier at the top of the layers, any of scikit-learn's."""

import numpy as np
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.validation import has_fit_parameter

from ._kernel_head import KernelRidgeHead
from ._least_squares import LeastSquaresHead
from ._preconditioner import n_preconditioning_rows
from ._ridge_head import RidgeHead

HEADS = ("ridge", "kernel", "svm", "linear", "mlp")


def named_head(head, verbose=False):
    """The unfitted head that a name in HEADS stands for; anything else as it is."""
    if not isinstance(head, str) or head not in HEADS:
        return head
    if head == "ridge":
        return RidgeHead(verbose=verbose)
    if head == "kernel":
        return KernelRidgeHead(power=0.5, verbose=verbose)
    if head == "svm":
        final = LinearSVC(C=0.01)
    elif head == "linear":
        final = LogisticRegression(C=0.01, max_iter=500, tol=1e-3)
    else:
        final = MLPClassifier((384, 192), tol=1e-3, n_iter_no_change=3, verbose=bool(verbose))
    # The features are made for the head alone, so it may scale them in place.
    return make_pipeline(StandardScaler(copy=False), final)


def make_head(head, random_state, class_weight=None, verbose=False):
    """A new unfitted head, with a `random_state` wherever it has one that is None.

    Raises
    ------
    ValueError
        If it has a weight of classes of its own beside `class_weight`.
    """
    head = clone(named_head(head, verbose))
    own = {
        name: value
        for name, value in head.get_params().items()
        if name.split("__")[-1] == "class_weight" and value is not None
    }
    if class_weight is not None and own:
        raise ValueError(
            f"class_weight is given twice, class_weight={class_weight!r} by the classifier and "
            f"{own} by head={head!r}: drop the one in head."
        )
    if isinstance(head, LeastSquaresHead) and class_weight is not None:
        head.set_params(class_weight=class_weight)
    unset = {
        name: random_state
        for name, value in head.get_params().items()
        if name.split("__")[-1] == "random_state" and value is None
    }
    return head.set_params(**unset)


def head_bytes(head, n_samples, n_features, n_classes):
    """About what fitting a head holds besides its features, in bytes."""
    if isinstance(head, RidgeHead):
        n_rows = n_preconditioning_rows(n_samples, n_features)
        return 4 * n_features * ((n_classes + 1) * (head.max_iter + 10) + 2 * n_rows)
    if isinstance(head, KernelRidgeHead):
        return head._n_bytes(n_samples, n_features)
    return 2 * 4 * n_samples * n_features  # features as float32, and standardized


def takes_weights(head):
    """Whether a head, or the last step of one that is a pipeline, takes `sample_weight`."""
    final = head.steps[-1][1] if isinstance(head, Pipeline) else head
    return has_fit_parameter(final, "sample_weight")


def fit_head(head, features, y, weights, task):
    """Fit a head on rows of features (n, ...), flattened, in their own precision if it can."""
    if isinstance(head, LeastSquaresHead):
        with task.delegate("head", head):
            head._fit_rows(features, y, weights.of_samples)
        return
    # What weights go where is said below, not by requests of metadata. The weighted variance of
    # features that are constant may round to less than 0; StandardScaler then divides by 1.
    routing = config_context(enable_metadata_routing=False)
    with task.subtask("head"), routing, np.errstate(invalid="ignore"):
        X = _without_noise(features.collect().reshape(len(features), -1))
        head.fit(X, y, **_weight_params(head, weights.of_all))


def _weight_params(head, weight):
    """The parameters of `fit` that give weights to a head, in a pipeline to all steps."""
    if weight is None:
        return {}
    if not isinstance(head, Pipeline):
        return {"sample_weight": weight}
    takes = [name for name, step in head.steps if has_fit_parameter(step, "sample_weight")]
    return {f"{name}__sample_weight": weight for name in takes}


def _without_noise(features):
    """The features (n, D), in place: one value where they are constant but for rounding.

    A scaler makes variance 1 of any, and knows what is constant by the digits of float64 only.
    """
    low, high = features.min(axis=0), features.max(axis=0)
    noise = 100 * np.finfo(features.dtype).eps * max(-low.min(), high.max())
    np.copyto(features, low, where=high - low <= noise)
    return features
