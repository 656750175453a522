"""RidgeHead: a linear classifier for more features than memory holds twice."""

from math import prod
from numbers import Integral, Real
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.special import softmax
from sklearn.base import ClassifierMixin
from sklearn.callback import CallbackSupportMixin
from sklearn.utils.validation import check_is_fitted

from .._base._blocked import maps_rows, validate_rows
from .._base._device import computing_dtype, torch_dtype
from .._base._early_stopping import EarlyStopping, set_aside
from .._base._fitting import Task, fit_method
from .._base._images import SQUARABLE, refuse_extreme_values
from .._base._labels import encode_labels
from .._base._random import make_rng
from .._base._rows import LocalRows
from .._base._sklearn import BaseEstimator, Interval, StrOptions
from .._base._typing import ClassWeight, RandomState, Verbose
from .._base._validation import validate_data
from .._base._weights import class_weight_of, weighted_samples
from ._calibration import (
    calibration_sample,
    fit_scale,
    fit_shift,
    leave_one_out,
    smoother_trace,
    trace_probes,
)
from ._conjugate_gradients import ConjugateGradients
from ._preconditioner import InverseRoot, preconditioning_sample
from ._standardized import StandardizedFeatures


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
        Regularization, relative to the number of features, at most 1e6. It is the `alpha` of
        :class:`sklearn.linear_model.Ridge` on standardized features divided by
        :math:`\sqrt D`.

    max_iter : int, default=60
        Largest number of iterations. Few iterations regularize too.

    tol : float, default=1e-2
        Iterations end when the residual of the normal equations, preconditioned if there are
        samples enough (see Notes), is this fraction of their right side, for every output.

    class_weight : dict, 'balanced' or None, default=None
        Weights of classes, with which the weights of samples are multiplied. 'balanced' is
        inversely proportional to their frequencies. The intercepts are then those of the
        lowest log loss of leave-one-out scores (see Notes): rare samples with large weights
        are learned almost by heart, and others of their class score less. None is 1 for all.

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
        Determines which samples are set aside, which precondition, and the random signs that
        `temperature_` depends on for more than 512 samples and features.

    Attributes
    ----------
    coef_ : ndarray of shape (n_outputs, n_features)
        Coefficients of the features as they are. One output for two classes.

    intercept_ : ndarray of shape (n_outputs,)
        Intercepts.

    classes_ : ndarray of shape (n_classes,)
        The labels.

    temperature_ : float
        What scores are divided by before their softmax (sigmoid, for two classes) gives
        :meth:`predict_proba`.

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

    Notes
    -----
    From 1,000 samples and 200 features on the normal equations are preconditioned: by
    :math:`S^T S` plus a multiple of the identity, where S is a random sample of the rows of
    :math:`\tilde X`, a twentieth, at most 4,000 and at most D / 4. For 40,000 photographs and
    28,800 features that takes 19 iterations where 60 do not end.

    Probabilities are calibrated on scores that samples have when they are left out (or, with
    `early_stopping`, on those set aside): `temperature_` minimizes their log loss, as in [2]_.
    Leave-one-out scores are those of ridge regression in closed form, with the mean of the
    leverages for each, as in generalized cross-validation [1]_; the mean is exact for up to 512
    samples or features, and else comes from random signs, which are smoothed along with the
    targets. A `sample_weight` counts copies: one is left out.

    References
    ----------
    .. [1] G. H. Golub, M. Heath and G. Wahba, "Generalized cross-validation as a method for
       choosing a good ridge parameter", Technometrics 21, 1979.
    .. [2] C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural
       networks", ICML 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skhier import RidgeHead
    >>> X, y = load_iris(return_X_y=True)
    >>> RidgeHead().fit(X, y).predict(X[:2])
    array([0, 0])
    """

    _parameter_constraints = {
        "alpha": [Interval(Real, 0, 1e6, closed="both")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
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
        tol: float = 1e-2,
        class_weight: ClassWeight = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        verbose: Verbose = False,
        random_state: RandomState = None,
    ) -> None:
        self.alpha = alpha
        self.max_iter = max_iter
        self.tol = tol
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.verbose = verbose
        self.random_state = random_state

    @fit_method
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the coefficients.

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
        self : RidgeHead
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
        return self._fit_rows(LocalRows(features), y, sample_weight)

    @fit_method
    def _fit_rows(self, features, y, sample_weight):
        """Fit on rows (n, ...) of features, known to be finite."""
        self.n_features_in_ = prod(features.shape[1:])
        self._learn(*weighted_samples(sample_weight, features, y))
        return self

    def _learn(self, X, y, count):
        self._validate_params()
        classes, labels = encode_labels(self, y)
        wide, rng = torch_dtype(computing_dtype(X)), make_rng(self.random_state)
        count = np.ones(len(y)) if count is None else count
        unit = class_weight_of(y, self.class_weight, classes, count)
        held = np.zeros(len(y), dtype=bool)
        if self.early_stopping:
            held[set_aside(len(y), self.validation_fraction, rng)[1]] = True
            sample = np.flatnonzero(held)
        weight = np.where(held, 0, count * unit)
        penalty = float(self.alpha) * self.n_features_in_
        # Divided by a power of two, which is exact, so that no product leaves the range of floats.
        size = 2.0 ** np.frexp(weight.sum() + penalty)[1]
        weight, penalty = weight / size, penalty / size
        table = torch.from_numpy(_encode_targets(len(classes))).to(wide)
        mass = torch.from_numpy(np.bincount(labels, weight, len(classes)))
        offset = mass.to(wide) @ table / mass.sum().to(wide)
        n_outputs = table.shape[1]
        probes = None
        if not self.early_stopping:
            probes = trace_probes(weight, self.n_features_in_, rng, wide)
        some = preconditioning_sample(weight, self.n_features_in_, rng)
        weight, labels_ = torch.from_numpy(weight).to(wide), torch.from_numpy(labels)
        features = StandardizedFeatures(X, weight, table - offset, labels_, probes)
        root = None
        if some is not None:  # the mean of all eigenvalues is that of the features' variances
            root = InverseRoot(features.sample(some), penalty + float(weight.sum()))

        def operator(W):
            return features.normal(W) + penalty * W

        solver = ConjugateGradients(operator, features.right_side, n_outputs, root)
        stopping = EarlyStopping(self.n_iter_no_change)
        stop = False
        with Task.fit(self, self.max_iter) as task:
            while len(solver.residuals) < self.max_iter and not (stop or task.stop):
                with task.subtask("iteration"):
                    solver.step()
                message = f"iteration {len(solver.residuals)}: residual {solver.residuals[-1]:.3g}"
                if self.early_stopping:
                    scores = features.scores(solver.W, sample) + offset
                    predicted = _decide(scores).numpy()
                    accuracy = np.average(predicted == labels[held], weights=(count * unit)[held])
                    message += f", accuracy {accuracy:.4f}"
                    stop = stopping.update(float(accuracy), (solver.W, scores))
                if len(solver.residuals) % 10 == 0:
                    task.log(message)
                stop |= solver.residuals[-1] <= self.tol
        if self.early_stopping:
            W, scores = stopping.best_state
            scores = scores.double().numpy()
        else:
            sample = calibration_sample(len(y), rng)
            W, traced = solver.W.tensor_split([n_outputs], dim=1)
            scores = (features.scores(W, sample) + offset).double().numpy()
            trace = smoother_trace(features, penalty, traced)
            targets = table.double().numpy()[labels[sample]]
            scores = leave_one_out(scores, targets, count, unit, trace, sample)
        scores, labels, weight = _per_class(scores), labels[sample], (count * unit)[sample]
        shift = np.zeros(scores.shape[1])
        if self.class_weight is not None:
            shift = fit_shift(scores, labels, weight)
        coef = (W[:, :n_outputs] / features.scale[:, None]).T
        intercept = (offset - coef @ features.mean).numpy()
        self.classes_ = classes
        self.coef_ = coef.numpy()
        self.intercept_ = intercept + _per_output(shift).astype(intercept.dtype)
        self.temperature_ = 1 / fit_scale(scores + shift, labels, weight)
        self.residual_curve_ = np.array(solver.residuals)
        self.validation_scores_ = np.array(stopping.scores) if self.early_stopping else None
        self.n_iter_ = len(solver.residuals)

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
        scores = rows @ self.coef_.T.astype(rows.dtype) + self.intercept_.astype(rows.dtype)
        return scores[:, 0] if len(self.coef_) == 1 else scores

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
        return self.classes_[_decide(torch.from_numpy(scores.reshape(len(scores), -1))).numpy()]


def _encode_targets(n_classes):
    """A row per class: -1 and 1 for two, else one-hot vectors."""
    return np.array([[-1.0], [1.0]]) if n_classes == 2 else np.eye(n_classes)


def _per_class(scores):
    """A column for each class, also for two, whose one score is that of the second."""
    return np.pad(scores, ((0, 0), (1, 0))) if scores.shape[1] == 1 else scores


def _per_output(shift):
    """What to add to the scores of outputs, of which two classes have one."""
    return shift[1:] - shift[:1] if len(shift) == 2 else shift


def _decide(scores):
    """The index of the class that each row of scores speaks for."""
    return (scores[:, 0] > 0).long() if scores.shape[1] == 1 else scores.argmax(dim=1)
