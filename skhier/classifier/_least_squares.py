"""What the heads that regress on a target for each class share."""

from math import prod
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.special import softmax
from sklearn.base import ClassifierMixin
from sklearn.callback import CallbackSupportMixin
from sklearn.utils.validation import check_is_fitted

from .._base._blocked import maps_rows, validate_rows
from .._base._fitting import fit_method
from .._base._images import SQUARABLE, refuse_extreme_values
from .._base._labels import encode_labels
from .._base._rows import LocalRows
from .._base._sklearn import BaseEstimator
from .._base._validation import validate_data
from .._base._weights import class_weight_of, weighted_samples
from ._calibration import fit_scale, fit_shift


class Regression(NamedTuple):
    """Least squares on a target for each class, with weights and a penalty.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        The labels.
    labels : ndarray of shape (n_samples,)
        The indices of those of samples.
    copies, unit : ndarray of shape (n_samples,)
        How many copies there are of a sample, and the weight of its class.
    weight : Tensor of shape (n_samples,)
        Their product, 0 for samples that are held out; divided by a power of two, which is
        exact, so that no product leaves the range of floats.
    penalty : float
        Divided by the same.
    table : Tensor of shape (n_classes, n_outputs)
        The target of each class.
    offset : Tensor of shape (n_outputs,)
        The weighted mean of targets.
    """

    classes: np.ndarray
    labels: np.ndarray
    copies: np.ndarray
    unit: np.ndarray
    weight: Any
    penalty: float
    table: Any
    offset: Any

    @classmethod
    def of(cls, head, y, count, penalty, dtype, held=None):
        """That of a head, for samples with labels y, some of them `held` out."""
        classes, labels = encode_labels(head, y)
        copies = np.ones(len(y)) if count is None else count
        unit = class_weight_of(y, head.class_weight, classes, copies)
        weight = copies * unit
        if held is not None:
            weight = np.where(held, 0, weight)
        size = 2.0 ** np.frexp(weight.sum() + penalty)[1]
        weight, penalty = weight / size, penalty / size
        table = torch.from_numpy(_encode_targets(len(classes))).to(dtype)
        mass = torch.from_numpy(np.bincount(labels, weight, len(classes)))
        offset = mass.to(dtype) @ table / mass.sum().to(dtype)
        weight = torch.from_numpy(weight).to(dtype)
        return cls(classes, labels, copies, unit, weight, penalty, table, offset)


class LeastSquaresHead(CallbackSupportMixin, ClassifierMixin, BaseEstimator):
    """A classifier whose scores are regressed on targets, with calibrated probabilities.

    Those that inherit learn in `_learn(rows, y, weights)` and score arrays in `_scores`.
    """

    @fit_method
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the classifier.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        y : array-like of shape (n_samples,)
            Labels of two or more classes, integers or strings.

        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights. A weight of 2 is the same as two copies, 0 as no such sample.

        Returns
        -------
        self : estimator
            The fitted classifier.

        Raises
        ------
        ValueError
            If there is one class only.
        """
        rows, y = validate_rows(self, X, y, dtype=[np.float64, np.float32])
        refuse_extreme_values(rows, SQUARABLE)
        self._learn(*weighted_samples(sample_weight, rows, y))
        return self

    @fit_method
    def fit_features(
        self, features: torch.Tensor, y: np.ndarray, sample_weight: np.ndarray | None = None
    ) -> Self:
        """Fit on a tensor of any floating dtype, such as bfloat16, without a copy.

        Parameters
        ----------
        features : Tensor of shape (n_samples, n_features)
            Finite features.

        y : ndarray of shape (n_samples,)
            Labels.

        sample_weight : ndarray of shape (n_samples,) or None, default=None
            Weights, as in :meth:`fit`.

        Returns
        -------
        self : estimator
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
        return self._fit_rows(LocalRows(features), y, sample_weight)

    @fit_method
    def _fit_rows(self, features, y, sample_weight):
        """Fit on rows (n, ...) of features, known to be finite."""
        self.n_features_in_ = prod(features.shape[1:])
        self._learn(*weighted_samples(sample_weight, features, y))
        return self

    def _iterate(self, solver, task, watch=None):
        """Steps of a solver, until its residual is small, a callback or `watch` says stop.

        `watch()` is called after each step, and returns (whether to stop, what to print).
        """
        stop = False
        while len(solver.residuals) < self.max_iter and not (stop or task.stop):
            with task.subtask("iteration"):
                solver.step()
            residual = solver.residuals[-1]
            message = f"iteration {len(solver.residuals)}: residual {residual:.3g}"
            if watch is not None:
                stop, more = watch()
                message += more
            if len(solver.residuals) % 10 == 0:
                task.log(message)
            stop |= residual <= self.tol
        self.residual_curve_ = np.array(solver.residuals)
        self.n_iter_ = len(solver.residuals)

    def _calibrate(self, scores, problem, sample):
        """Set `temperature_` by scores of samples left out; return what intercepts lack."""
        scores, labels = _per_class(scores), problem.labels[sample]
        weight = (problem.copies * problem.unit)[sample]
        shift = np.zeros(scores.shape[1])
        if self.class_weight is not None:
            shift = fit_shift(scores, labels, weight)
        self.temperature_ = 1 / fit_scale(scores + shift, labels, weight)
        return _per_output(shift)

    @maps_rows
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
        scores = self._scores(rows)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    @maps_rows
    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Estimate the probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`. The largest is that of the class that
            :meth:`predict` gives.
        """
        scores = self.decision_function(X)
        scores = scores.reshape(len(scores), -1) / scores.dtype.type(self.temperature_)
        return softmax(_per_class(scores), axis=1)

    @maps_rows
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
        return self.classes_[decide(torch.from_numpy(scores.reshape(len(scores), -1))).numpy()]


def _encode_targets(n_classes):
    """A row per class: -1 and 1 for two, else one-hot vectors."""
    return np.array([[-1.0], [1.0]]) if n_classes == 2 else np.eye(n_classes)


def _per_class(scores):
    """A column for each class, also for two, whose one score is that of the second."""
    return np.pad(scores, ((0, 0), (1, 0))) if scores.shape[1] == 1 else scores


def _per_output(shift):
    """What to add to the scores of outputs, of which two classes have one."""
    return shift[1:] - shift[:1] if len(shift) == 2 else shift


def decide(scores):
    """The index of the class that each row of scores, a tensor, speaks for."""
    return (scores[:, 0] > 0).long() if scores.shape[1] == 1 else scores.argmax(dim=1)
