"""Heads: the classifier at the top of the layers, any of scikit-learn's."""

from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from .._base._device import as_array
from ._ridge_head import RidgeHead

HEADS = ("ridge", "svm", "linear", "mlp")


def named_head(head, verbose=False):
    """The unfitted head that a name in HEADS stands for; anything else as it is."""
    if not isinstance(head, str) or head not in HEADS:
        return head
    if head == "ridge":
        return RidgeHead(verbose=verbose)
    if head == "svm":
        final = LinearSVC(C=0.01)
    elif head == "linear":
        final = LogisticRegression(C=0.01, max_iter=500, tol=1e-3)
    else:
        final = MLPClassifier((384, 192), tol=1e-3, n_iter_no_change=3, verbose=bool(verbose))
    # The features are made for the head alone, so it may scale them in place.
    return make_pipeline(StandardScaler(copy=False), final)


def make_head(head, random_state, verbose=False):
    """A new unfitted head, with a `random_state` wherever it has one that is None."""
    head = clone(named_head(head, verbose))
    unset = {
        name: random_state
        for name, value in head.get_params().items()
        if name.split("__")[-1] == "random_state" and value is None
    }
    return head.set_params(**unset)


def head_bytes(head, n_samples, n_features, n_classes):
    """About what fitting a head holds besides its features, in bytes."""
    if isinstance(head, RidgeHead):
        return 4 * n_features * n_classes * (head.max_iter + 10)
    return 2 * 4 * n_samples * n_features  # features as float32, and standardized


def fit_head(head, features, y, task):
    """Fit a head on a tensor of features (n, D), in their own precision if it can."""
    if isinstance(head, RidgeHead):
        with task.delegate("head", head):
            head.fit_features(features, y)
    else:
        with task.subtask("head"):
            head.fit(as_array(features), y)
