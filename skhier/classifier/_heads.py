"""Heads: the classifier on top of the layers, any of scikit-learn's."""

from contextlib import nullcontext
from dataclasses import replace
from math import prod

import numpy as np
from sklearn import config_context, get_config
from sklearn.base import clone, is_classifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from .._base._memory import Work
from .._base._moments import constant_columns
from .._base._part import Part, Plan
from ._kernel_head import KernelRidgeHead
from ._least_squares import LeastSquaresHead
from ._ridge_head import RidgeHead

HEADS = ("ridge", "kernel", "svm", "linear", "mlp")


def named_head(head, verbose=False):
    """Return the unfitted head of a name in HEADS; anything else as it is."""
    if not isinstance(head, str) or head not in HEADS:
        return head
    if head == "ridge":
        return RidgeHead(power=0.5, verbose=verbose)
    if head == "kernel":
        return KernelRidgeHead(0.01, gamma=0.15, power=0.5, verbose=verbose)
    if head == "svm":
        final = LinearSVC(C=0.01)
    elif head == "linear":
        final = LogisticRegression(C=0.01, max_iter=500, tol=1e-3)
    else:
        final = MLPClassifier((384, 192), tol=1e-3, n_iter_no_change=3, verbose=bool(verbose))
    # The head has the only reference to the features, so it may scale them in place.
    return make_pipeline(StandardScaler(copy=False), final)


def make_head(head, random_state, class_weight, verbose):
    """Return a new unfitted head, with a `random_state` wherever it has one that is None.

    Raises
    ------
    ValueError
        If it is no classifier, or if it has its own weights of classes and `class_weight` is given.
    """
    head = clone(named_head(head, verbose))
    if not is_classifier(head):
        raise ValueError(
            f"head={head!r} is not valid: it takes a classifier of scikit-learn, or one of {HEADS}."
        )
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
    head.set_params(**unset)  # its result is None for a FrozenEstimator
    return head


def plan_head(head, in_shape, n_images, n_copies, n_classes, dtype, device):
    """Return the plan of a head for features of copies of images."""
    n_samples = n_images * n_copies
    if isinstance(head, Part):
        plan = head._plan(in_shape, n_samples, n_classes, dtype, device)
        return replace(plan, n_copies=n_copies)
    n_bytes = 2 * 4 * n_samples * prod(in_shape)  # features as float32, and standardized
    work = Work("fitting the head", n_bytes, "Raise it, or use head='ridge'.")
    return Plan(in_shape, (n_classes,), dtype, device, (work,), n_copies=n_copies)


def takes_weights(head):
    """Return whether a head, or the last step of a pipeline, takes `sample_weight`."""
    return has_fit_parameter(_steps(head)[-1][1], "sample_weight")


def fit_head(head, features, y, weights, groups, plan, task):
    """Fit a head on rows of features, flattened, in their own precision if it can.

    Images have `plan.n_copies` rows each; labels, weights and groups one entry.
    """
    if plan.n_copies > 1:
        if groups is None and not isinstance(head, Part):  # a part knows of copies by its plan
            groups = np.arange(len(y))
        groups = groups if groups is None else np.repeat(groups, plan.n_copies)
        y = np.repeat(y, plan.n_copies)
        if takes_weights(head):
            weights = weights.of_copies(plan.n_copies, len(y))
    if isinstance(head, Part):
        with task.delegate("head", head):
            head._fit_rows(features, y, weights.given, groups, plan)
        return
    # Weights are passed to the steps here, not by metadata routing. Only a search by groups keeps
    # the user's setting: with routing on, it gives groups to an estimator that requests them too.
    is_search = any(_splits_by("groups", step) for _, step in _steps(head))
    routing = nullcontext() if is_search else config_context(enable_metadata_routing=False)
    # The weighted variance of constant features may round to less than 0; StandardScaler then
    # divides by 1.
    with task.subtask("head"), routing, np.errstate(invalid="ignore"):
        X = features.collect()
        is_constant = constant_columns(X)
        X[:, is_constant] = X[0, is_constant]  # rounding errors would be scaled to variance 1
        params = _fit_params(head, sample_weight=weights.total, groups=groups)
        head.fit(X.reshape(len(X), -1), y, **params)


def _fit_params(head, **metadata):
    """Return the parameters of `fit` of a head, or of the steps of a pipeline, that take metadata.

    None is no metadata.
    """
    is_routed = get_config()["enable_metadata_routing"]  # then a pipeline takes names of metadata
    return {
        name if is_routed or not step_name else f"{step_name}__{name}": values
        for name, values in metadata.items()
        for step_name, step in _steps(head)
        if values is not None and (has_fit_parameter(step, name) or _splits_by(name, step))
    }


def _steps(head):
    """Return (name, step) of the steps of a pipeline; ('', head) of another head."""
    return head.steps if isinstance(head, Pipeline) else [("", head)]


def _splits_by(name, head):
    """Return whether a head, such as a search, has a splitter `cv` that uses metadata of a name."""
    return name in get_routing_for_object(getattr(head, "cv", None)).consumes("split", [name])
