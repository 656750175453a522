"""Base class of heads that regress on a target for each class."""

from math import prod
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.special import softmax
from sklearn.base import ClassifierMixin
from sklearn.callback import CallbackSupportMixin
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from .._base._blocked import maps_rows, validate_rows
from .._base._fitting import fit_method
from .._base._groups import draw_samples
from .._base._images import SQUARABLE, refuse_extreme_values
from .._base._part import Part, Plan
from .._base._rows import Rows
from .._base._sklearn import BaseEstimator
from .._base._targets import class_weights, encode_labels, weighted_samples
from ._calibration import fit_rarity_shift, fit_scale, fit_shift, leave_one_out, per_class, rows_of
from ._left_out import MAX_LEFT_OUT, LeftOut


class Regression(NamedTuple):
    """Weighted least squares on a target for each class, with a penalty.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        All labels.
    labels : ndarray of shape (n_samples,)
        Index of the class of each sample.
    copies : ndarray of shape (n_samples,)
        Number of copies of each sample: its `sample_weight`.
    class_weight : ndarray of shape (n_samples,)
        Weight of the class of each sample.
    weight : Tensor of shape (n_samples,)
        Product of both, 0 for validation samples; divided by `size`.
    size : float
        Power of two, so that the division is exact. Penalties are divided by it too. It keeps all
        products in the range of floats.
    table : Tensor of shape (n_classes, n_outputs)
        Target of each class.
    offset : Tensor of shape (n_outputs,)
        Weighted mean of the targets.
    groups : ndarray of shape (n_samples,) or None
        Group of each sample; None if every sample is a group of its own.
    """

    classes: np.ndarray
    labels: np.ndarray
    copies: np.ndarray
    class_weight: np.ndarray
    weight: Any
    size: float
    table: Any
    offset: Any
    groups: np.ndarray | None

    def of_images(self, n_copies):
        """Return the same for images that have copies, in successive rows: a row for each."""
        return self._replace(
            labels=self.labels[::n_copies],
            copies=self.copies[::n_copies] * n_copies,
            class_weight=self.class_weight[::n_copies],
            weight=self.weight[::n_copies] * n_copies,
            groups=None if self.groups is None else self.groups[::n_copies],
        )

    def leave_one_out_scores(self, scores, trace, sample):
        """Return the scores of samples if one copy of each is left out.

        Parameters
        ----------
        scores : Tensor of shape (n * n_copies, n_outputs)
            Scores of the samples and of their copies, in successive rows, which are left out too.
        trace : float
            Trace of the smoother of the means over copies.
        sample : ndarray of shape (n,)
            Indices of the samples.
        """
        scores = scores.double().numpy().reshape(len(sample), -1, scores.shape[1])
        targets = self.table.double().numpy()[self.labels[sample]]
        mean, weights = scores.mean(axis=1), (self.copies, self.class_weight)
        return scores[:, 0] - mean + leave_one_out(mean, targets, *weights, trace, sample)

    def leave_out(self, gram, sample):
        """Return :class:`LeftOut` samples of an index array, with their products `gram`."""
        targets = (self.table - self.offset)[torch.from_numpy(self.labels[sample])]
        groups = None if self.groups is None else self.groups[sample]
        return LeftOut.in_sets(gram, targets, self.weight[sample], groups)

    def leave_groups_out_scores(self, gram, penalty, n_copies, rng):
        """Return the scores of images whose group is left out, and the images.

        Parameters
        ----------
        gram : callable
            Maps a sorted index array of samples to their products.
        penalty : float
            Penalty of the regression, divided by `size`.
        n_copies : int
            Number of copies of an image, in successive samples.
        rng : RandomState
            Draws images, if there are more than are left out.

        Returns
        -------
        scores : ndarray of shape (n, n_outputs)
            Scores of the images, the first ones of their copies.
        index : ndarray of shape (n,)
            Indices of the images.
        """
        groups = self.groups[::n_copies]
        index = draw_samples(np.arange(len(groups)), groups, MAX_LEFT_OUT // n_copies, rng)
        samples = rows_of(index, n_copies)
        scores = self.leave_out(gram(samples), samples).scores([penalty])[0, ::n_copies]
        return (scores + self.offset).numpy(), index

    @classmethod
    def from_labels(cls, head, y, copies, groups, penalty, dtype, held=None):
        """Return the regression of a head on labels y; samples in `held` have weight 0.

        `penalty` is the largest one that will be used.
        """
        classes, labels = encode_labels(head, y)
        copies = np.ones(len(y)) if copies is None else copies
        class_weight = class_weights(y, head.class_weight, classes, copies)
        weight = copies * class_weight
        if held is not None:
            weight = np.where(held, 0, weight)
        size = 2.0 ** np.frexp(weight.sum() + penalty)[1]
        weight = weight / size
        table = np.array([[-1.0], [1.0]]) if len(classes) == 2 else np.eye(len(classes))
        table = torch.from_numpy(table).to(dtype)
        mass = torch.from_numpy(np.bincount(labels, weight, len(classes)))
        offset = mass.to(dtype) @ table / mass.sum().to(dtype)
        weight = torch.from_numpy(weight).to(dtype)
        return cls(classes, labels, copies, class_weight, weight, size, table, offset, groups)


class LeastSquaresHead(CallbackSupportMixin, ClassifierMixin, Part, BaseEstimator):
    """Classifier that regresses scores on targets, with calibrated probabilities.

    Subclasses implement `_work` and the interface :class:`Part`, on rows of features.
    """

    def _work(self, n_samples, n_features, n_classes):
        """Return the :class:`Work` of a fit."""
        raise NotImplementedError

    def _plan(self, in_shape, n_images, n_classes, dtype, device):
        self._validate_params()
        work = self._work(n_images, prod(in_shape), n_classes)
        return Plan(in_shape, (n_classes,), dtype, device, (work,))

    @fit_method
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit the classifier.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        y : array-like of shape (n_samples,)
            Labels of two or more classes, integers or strings.

        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights. A weight of 2 equals two copies, a weight of 0 equals no sample.

        groups : array-like of shape (n_samples,) or None, default=None
            Groups of samples that depend on each other, such as photographs of one person:
            integers or strings, as in :class:`sklearn.model_selection.GroupKFold`. Where a sample
            is left out, its whole group is. None is a group for each sample.

        Returns
        -------
        self : estimator
            The fitted classifier.

        Raises
        ------
        ValueError
            If there is only one class, or only one group.
        """
        rows, y = validate_rows(self, X, y, dtype=[np.float64, np.float32])
        refuse_extreme_values(rows, SQUARABLE, float(self.power))
        return self._fit_samples(*weighted_samples(sample_weight, rows, y, groups))

    @fit_method
    def fit_features(
        self,
        features: torch.Tensor,
        y: np.ndarray,
        sample_weight: np.ndarray | None = None,
        groups: np.ndarray | None = None,
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

        groups : ndarray of shape (n_samples,) or None, default=None
            Groups, as in :meth:`fit`.

        Returns
        -------
        self : estimator
            The fitted classifier.

        Raises
        ------
        TypeError
            If features are no tensor, or of integers.
        ValueError
            If features have another shape, or NaN or infinite values, or as :meth:`fit`.

        Examples
        --------
        >>> import numpy as np, torch
        >>> from skhier import RidgeHead
        >>> X = np.random.default_rng(0).standard_normal((200, 5), dtype=np.float32)
        >>> head = RidgeHead().fit_features(torch.from_numpy(X).bfloat16(), X[:, 0] > 0)
        >>> bool(head.score(X, X[:, 0] > 0) > 0.9)
        True
        """
        if not (isinstance(features, torch.Tensor) and features.is_floating_point()):
            kind = getattr(features, "dtype", type(features).__name__)
            raise TypeError(f"features is of {kind}: it takes a tensor of floats.")
        if features.ndim != 2 or not features.numel():
            raise ValueError(
                f"features has shape {tuple(features.shape)}: it takes (n_samples, n_features), "
                "with at least one of each."
            )
        if not torch.isfinite(torch.stack(torch.aminmax(features))).all():
            raise ValueError("features has NaN or infinite values.")
        self.__dict__.pop("feature_names_in_", None)
        rows, y = Rows.of_array(features.detach()), column_or_1d(y, warn=True)
        check_consistent_length(rows, y)
        return self._fit_samples(*weighted_samples(sample_weight, rows, y, groups))

    def _fit_samples(self, rows, y, weight, groups):
        """Fit on rows of features without copies."""
        n_classes = len(encode_labels(self, y)[0])
        plan = self._plan(rows.shape[1:], len(rows), n_classes, rows.dtype, "cpu")
        return self._fit_rows(rows, y, weight, groups, plan)

    def _iterate(self, solver, task, watch=None):
        """Run a solver until its residual is small, or a callback or `watch` stops it.

        `watch()` is called after each step, and returns (whether to stop, a message).
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
        """Set `temperature_` by held-out scores; return the correction of the intercepts."""
        scores = per_class(scores)
        shares = np.eye(scores.shape[1])[problem.labels[sample]]
        weight = (problem.copies * problem.class_weight)[sample]
        if self.class_weight is None:
            frequency = np.bincount(problem.labels, problem.copies) / problem.copies.sum()
            shift = fit_rarity_shift(scores, shares, weight, frequency)
        else:
            shift = fit_shift(scores, shares, weight)
        self.temperature_ = 1 / fit_scale(scores + shift, shares, weight)
        return shift[1:] - shift[:1] if len(shift) == 2 else shift

    @maps_rows
    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Return confidence scores of the classes.

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
        rows = validate_rows(self, X, reset=False, dtype=[np.float64, np.float32])
        scores = rows.map(self._operator(rows.dtype, "cpu")).collect()
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
            In the order of `classes_`. The class that :meth:`predict` returns has the largest.
        """
        scores = self.decision_function(X)
        scores = scores.reshape(len(scores), -1) / scores.dtype.type(self.temperature_)
        return softmax(per_class(scores), axis=1)

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


def decide(scores):
    """Return the index of the predicted class for each row of scores, a tensor."""
    return (scores[:, 0] > 0).long() if scores.shape[1] == 1 else scores.argmax(dim=1)
