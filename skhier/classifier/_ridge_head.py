"""RidgeHead: a linear classifier for more features than memory holds twice."""

from numbers import Integral, Real
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.callback import CallbackSupportMixin
from sklearn.utils.validation import check_is_fitted

from .._base._device import as_tensor, computing_dtype, torch_dtype
from .._base._early_stopping import EarlyStopping, set_aside
from .._base._fitting import Task, fit_method
from .._base._labels import encode_labels
from .._base._random import make_rng
from .._base._sklearn import BaseEstimator, Interval
from .._base._typing import RandomState, Verbose
from .._base._validation import validate_data
from ._conjugate_gradients import ConjugateGradients, StandardizedFeatures


class RidgeHead(CallbackSupportMixin, ClassifierMixin, BaseEstimator):
    r"""Linear classifier: ridge regression on standardized features, by conjugate gradients.

    Minimizes :math:`\|Y - \tilde X W\|^2 + \alpha D \|W\|^2`, where :math:`\tilde X` are the
    D features with mean 0 and variance 1, and Y has a column of -1 and 1 for two classes,
    and for more a centred one-hot column per class. An iteration multiplies the features
    twice, in the precision they come in: :class:`LayerwiseCNNClassifier` gives them in
    bfloat16 where that is fast, and nothing of their size is made besides.

    Parameters
    ----------
    alpha : float, default=0.3
        Regularization, relative to the number of features. It is the `alpha` of
        :class:`sklearn.linear_model.Ridge` on standardized features divided by
        :math:`\sqrt D`.

    max_iter : int, default=60
        Largest number of iterations. Few iterations regularize too.

    tol : float, default=1e-3
        Iterations end when the residual of the normal equations is this fraction of their
        right side, for every output.

    early_stopping : bool, default=False
        Whether to set samples aside, score them after each iteration, end when
        `n_iter_no_change` iterations have not raised the best accuracy, and keep the
        coefficients that had it.

    validation_fraction : float, default=0.1
        The fraction of samples set aside, if `early_stopping`.

    n_iter_no_change : int, default=10
        See `early_stopping`.

    verbose : bool or int, default=False
        Whether to print the residual (and accuracy) of every tenth iteration.

    random_state : int, RandomState instance or None, default=None
        Determines which samples are set aside.

    Attributes
    ----------
    coef_ : ndarray of shape (n_outputs, n_features)
        Coefficients of the features as they are. One output for two classes.

    intercept_ : ndarray of shape (n_outputs,)
        Intercepts.

    classes_ : ndarray of shape (n_classes,)
        The labels.

    n_iter_ : int
        Number of iterations done.

    residual_curve_ : ndarray of shape (n_iter,)
        The largest relative residual after each iteration.

    validation_scores_ : ndarray of shape (n_iter,) or None
        Accuracies on the samples set aside; None without `early_stopping`.

    n_features_in_ : int
        Number of features.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X is a DataFrame.

    See Also
    --------
    sklearn.linear_model.RidgeClassifier : For features that fit in memory several times.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skhier import RidgeHead
    >>> X, y = load_iris(return_X_y=True)
    >>> RidgeHead().fit(X, y).predict(X[:2])
    array([0, 0])
    """

    _parameter_constraints = {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        alpha: float = 0.3,
        *,
        max_iter: int = 60,
        tol: float = 1e-3,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        verbose: Verbose = False,
        random_state: RandomState = None,
    ) -> None:
        self.alpha = alpha
        self.max_iter = max_iter
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.verbose = verbose
        self.random_state = random_state

    @fit_method
    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit the coefficients.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        y : array-like of shape (n_samples,)
            Labels of two or more classes, integers or strings.

        Returns
        -------
        self : RidgeHead
            The fitted classifier.

        Raises
        ------
        ValueError
            If there is one class only.
        """
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        self._learn(as_tensor(X), y)
        return self

    @fit_method
    def fit_features(self, features: torch.Tensor, y: np.ndarray) -> Self:
        """Fit on a tensor of any floating dtype, such as bfloat16, without a copy.

        Parameters
        ----------
        features : Tensor of shape (n_samples, n_features)
            Finite features.

        y : ndarray of shape (n_samples,)
            Labels.

        Returns
        -------
        self : RidgeHead
            The fitted classifier.

        Examples
        --------
        >>> import numpy as np, torch
        >>> from skhier import RidgeHead
        >>> X = np.random.default_rng(0).standard_normal((200, 5), dtype=np.float32)
        >>> head = RidgeHead().fit_features(torch.from_numpy(X).bfloat16(), X[:, 0] > 0)
        >>> bool(head.score(X, X[:, 0] > 0) > 0.9)
        True
        """
        self.n_features_in_ = features.shape[1]
        self._learn(features, y)
        return self

    def _learn(self, X, y):
        self._validate_params()
        classes, labels = encode_labels(self, y)
        wide = torch_dtype(computing_dtype(X))
        is_train = self._choose_training_samples(labels, wide).to(X.device)
        targets = torch.from_numpy(_encode_targets(labels, len(classes))).to(X.device, wide)
        features = StandardizedFeatures(X, is_train)
        offset = (is_train @ targets) / features.n
        solver = ConjugateGradients(features, targets - offset, float(self.alpha) * X.shape[1])
        held = is_train == 0
        held_labels = labels[held.cpu().numpy()]
        stopping = EarlyStopping(self.n_iter_no_change)
        stop = False
        with Task.fit(self, self.max_iter) as task:
            while len(solver.residuals) < self.max_iter and not (stop or task.stop):
                with task.subtask("iteration"):
                    solver.step()
                message = f"iteration {len(solver.residuals)}: residual {solver.residuals[-1]:.3g}"
                if self.early_stopping:
                    predicted = _decide(solver.outputs[held] + offset)
                    accuracy = float((predicted.cpu().numpy() == held_labels).mean())
                    message += f", accuracy {accuracy:.4f}"
                    stop = stopping.update(accuracy, solver.W)
                if len(solver.residuals) % 10 == 0:
                    task.log(message)
                stop |= solver.residuals[-1] <= self.tol
        W = stopping.best_state if self.early_stopping else solver.W
        coef = (W / features.scale[:, None]).T
        self.classes_ = classes
        self.coef_ = coef.cpu().numpy()
        self.intercept_ = (offset - coef @ features.mean).cpu().numpy()
        self.residual_curve_ = np.array(solver.residuals)
        self.validation_scores_ = np.array(stopping.scores) if self.early_stopping else None
        self.n_iter_ = len(solver.residuals)

    def _choose_training_samples(self, labels, dtype):
        """1 for samples to learn from, 0 for those set aside."""
        is_train = torch.ones(len(labels), dtype=dtype)
        if self.early_stopping:
            rng = make_rng(self.random_state)
            is_train[set_aside(len(labels), self.validation_fraction, rng)[1]] = 0
        return is_train

    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Confidence scores of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            Positive for the second of two classes; else one column per class.
        """
        check_is_fitted(self)
        rows = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        scores = rows @ self.coef_.T.astype(rows.dtype) + self.intercept_.astype(rows.dtype)
        return scores[:, 0] if len(self.coef_) == 1 else scores

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predict labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels.
        """
        scores = self.decision_function(X)
        return self.classes_[_decide(torch.from_numpy(scores.reshape(len(scores), -1))).numpy()]


def _encode_targets(labels, n_classes):
    """-1 and 1 for two classes, else one-hot vectors; a column per output."""
    return 2.0 * labels[:, None] - 1 if n_classes == 2 else np.eye(n_classes)[labels]


def _decide(scores):
    """The index of the class that each row of scores speaks for."""
    return (scores[:, 0] > 0).long() if scores.shape[1] == 1 else scores.argmax(dim=1)
