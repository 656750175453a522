"""RidgeHead: a linear classifier for more features than memory holds twice."""

from functools import partial
from math import prod
from numbers import Integral, Real
from typing import Literal

import numpy as np
import torch
from sklearn.callback import with_callbacks

from .._base._device import as_tensor, automatic_batch_size, computing_dtype, torch_dtype
from .._base._early_stopping import EarlyStopping, split_validation
from .._base._fitting import Task
from .._base._groups import draw_samples
from .._base._memory import Work
from .._base._params import is_auto, make_rng
from .._base._rows import Operator
from .._base._sklearn import Interval, StrOptions
from .._base._typing import ClassWeight, RandomState, Verbose
from ._calibration import MAX_SCORES, rows_of, smoother_trace, trace_probes
from ._conjugate_gradients import (
    ConjugateGradients,
    InverseRoot,
    n_preconditioning_rows,
    preconditioning_sample,
)
from ._least_squares import LeastSquaresHead, Regression, decide
from ._left_out import MAX_LEFT_OUT
from ._regularization import AUTO_ALPHAS, best_penalty
from ._standardized import Power, StandardizedFeatures


class RidgeHead(LeastSquaresHead):
    r"""Linear classifier: ridge regression on standardized features, by conjugate gradients.

    Minimizes :math:`\|Y - \tilde X W\|^2 + \alpha D \|W\|^2`, where :math:`\tilde X` are the
    D features with mean 0 and variance 1. Y has one column of -1 and 1 for two classes, and a
    centred one-hot column for each of more classes. An iteration multiplies the features
    twice, in their own precision, without a copy: :class:`LayerwiseCNNClassifier` computes them
    in bfloat16 where that is fast.

    Parameters
    ----------
    alpha : float or 'auto', default='auto'
        Regularization, relative to the number D of features, from 0 to 1e6: `alpha` times D is
        the `alpha` of :class:`sklearn.linear_model.Ridge` on standardized features. 'auto'
        selects 0.03, 0.1, 0.3, 1, 3 or 10 by leave-one-out scores (see Notes).

    power : float, default=1.0
        Features are mapped to sign(x) abs(x)^power before they are standardized. 0.5, square
        roots, suits averages of codes, many of which are near 0. Above 0, at most 4.

    max_iter : int, default=60
        Largest number of iterations. Few iterations regularize.

    tol : float, default=1e-2
        Relative tolerance: iterations end when the residual of the normal equations,
        preconditioned if there are enough samples (see Notes), is at most this fraction of the
        right side for every output.

    class_weight : dict, 'balanced' or None, default=None
        Weights of classes, multiplied with the weights of samples. 'balanced' is inversely
        proportional to the frequencies of classes. With weights of classes, intercepts minimize
        the log loss of leave-one-out scores (see Notes): training samples with large weights are
        fitted almost exactly, and new samples of their class have lower scores. None is 1 for
        all classes.

    early_stopping : bool, default=False
        Whether to use a validation part of the samples: its accuracy is measured after each
        iteration, iterations stop when `n_iter_no_change` of them have not raised the best
        accuracy, and the coefficients of the best accuracy are kept.

    validation_fraction : float, default=0.1
        Fraction of samples, or of `groups`, in the validation part, if `early_stopping`.

    n_iter_no_change : int, default=10
        See `early_stopping`.

    verbose : bool or int, default=False
        Whether to print the residual (and accuracy) of every tenth iteration.

    random_state : int, RandomState instance or None, default=None
        Determines the validation part, the samples that are left out to choose `alpha` and, with
        groups, to calibrate, the sample of the preconditioner, and the random signs that
        `temperature_` depends on for more than 512 samples and features, or shifted copies.

    Attributes
    ----------
    coef_ : ndarray of shape (n_outputs, n_features)
        Coefficients of the features, raised to `power`. One output for two classes.

    intercept_ : ndarray of shape (n_outputs,)
        Intercepts.

    classes_ : ndarray of shape (n_classes,)
        The labels.

    alpha_ : float
        The regularization that was used.

    temperature_ : float
        Divisor of scores in :meth:`predict_proba`, before the softmax (sigmoid for two
        classes).

    n_iter_ : int
        Number of iterations.

    residual_curve_ : ndarray of shape (n_iter,)
        Largest relative residual after each iteration.

    validation_scores_ : ndarray of shape (n_iter,) or None
        Validation accuracies after each iteration; None without `early_stopping`.

    n_features_in_ : int
        Number of features.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X is a DataFrame.

    See Also
    --------
    sklearn.linear_model.RidgeClassifier : For features that fit in memory several times.

    Notes
    -----
    With at least 1,000 samples and 200 features the normal equations are preconditioned by
    :math:`S^T S` plus a multiple of the identity, where S is a random sample of the rows of
    :math:`\tilde X`: ten times the root of their number, at most 4,000 and at most D / 4. For
    40,000 photographs and 28,800 features this takes 19 iterations; without it 60 are not enough.

    Features are centered before they are multiplied if their means are large beside their
    deviations, so that no digits are lost.

    `alpha='auto'` selects the value whose leave-one-out scores, in closed form [3]_, have the
    lowest log loss at the best temperature, on at most 1,500 samples drawn at random. Of several
    local minima it takes the one at the largest value: a small `alpha` can look too good, as
    layers have seen the labels that are left out. Duplicates are left out together, and so are the
    samples of a group if `fit` is given `groups`. Without `groups`, several photographs of one
    person favor a small `alpha`; no value below 0.03 is tried for this reason. In a
    :class:`LayerwiseCNNClassifier` that shifts images, it selects on the images and divides by
    the number of copies of each, because copies regularize too.

    Probabilities are calibrated on leave-one-out scores, or with `early_stopping` on the
    validation part: `temperature_` minimizes their log loss, as in [2]_. Leave-one-out scores of
    ridge regression have a closed form. Each leverage is replaced by the mean of all, as in
    generalized cross-validation [1]_. The mean is exact for up to 512 samples or features
    without shifted copies; otherwise it is estimated from random signs, which are smoothed together
    with the targets. A `sample_weight` is a number of copies, of which one is left out.

    Least squares underestimates the scores of rare classes. Without `class_weight`, intercepts are
    raised in proportion to the negative logarithms of the frequencies of classes, by the multiple
    that minimizes the log loss too, from 0 to the one that divides probabilities by the squares of
    frequencies [4]_. Equally frequent classes have the intercepts of ridge regression.

    With `groups`, scores of left-out groups are exact, of a regression on at most 1,500 samples,
    shifted copies included: on all if there are no more, else on samples that are drawn at random
    from all groups alike. A regression on fewer samples is less sure, so the temperature errs
    towards even probabilities.

    References
    ----------
    .. [1] G. H. Golub, M. Heath and G. Wahba, "Generalized cross-validation as a method for
       choosing a good ridge parameter", Technometrics 21, 1979.
    .. [2] C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural
       networks", ICML 2017.
    .. [3] D. M. Allen, "The relationship between variable selection and data augmentation and a
       method for prediction", Technometrics 16, 1974.
    .. [4] A. K. Menon et al., "Long-tail learning via logit adjustment", ICLR 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skhier import RidgeHead
    >>> X, y = load_iris(return_X_y=True)
    >>> RidgeHead().fit(X, y).predict(X[:2])
    array([0, 0])
    """

    _parameter_constraints = {
        "alpha": [Interval(Real, 0, 1e6, closed="both"), StrOptions({"auto"})],
        "power": [Interval(Real, 0, 4, closed="right")],
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
        alpha: float | Literal["auto"] = "auto",
        *,
        power: float = 1.0,
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
        self.power = power
        self.max_iter = max_iter
        self.tol = tol
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.verbose = verbose
        self.random_state = random_state

    def _work(self, n_samples, n_features, n_classes):
        n_columns = (n_classes + 1) * (int(self.max_iter) + 10)
        n_rows = n_columns + 2 * n_preconditioning_rows(n_samples, n_features)
        if is_auto(self.alpha):
            n_rows = max(n_rows, min(n_samples, MAX_LEFT_OUT))
        return Work("fitting the head", 4 * n_features * n_rows, "Raise it, or lower max_iter.")

    @with_callbacks
    def _fit_rows(self, rows, y, weight, groups, plan):
        n_features = prod(rows.shape[1:])
        wide, rng = torch_dtype(computing_dtype(rows)), make_rng(self.random_state)
        n_copies = plan.n_copies
        power = float(self.power)
        if power != 1:
            narrow = torch_dtype(rows.dtype)
            rows = rows.map_in_place(Power(power, narrow).operator(rows.shape[1:]))
        held = np.zeros(len(y) // n_copies, dtype=bool)
        if self.early_stopping:
            of_images = None if groups is None else groups[::n_copies]
            held[split_validation(len(held), self.validation_fraction, rng, of_images)[1]] = True
        held = held.repeat(n_copies)
        alphas = AUTO_ALPHAS if is_auto(self.alpha) else (float(self.alpha),)
        largest = alphas[-1] * n_features
        problem = Regression.from_labels(self, y, weight, groups, largest, wide, held)
        weight, offset, images = problem.weight, problem.offset, problem.of_images(n_copies)
        n_outputs, probes = problem.table.shape[1], None
        by_groups = groups is not None and not self.early_stopping
        if not (self.early_stopping or by_groups):
            probes = trace_probes(weight.numpy(), n_features, rng, wide, n_copies)
        chosen = preconditioning_sample(weight.numpy(), n_features, rng)
        labels = torch.from_numpy(problem.labels)
        features = StandardizedFeatures(rows, weight, problem.table - offset, labels, probes)
        alpha, unit = alphas[0], n_features / problem.size
        if len(alphas) > 1:
            learned = np.flatnonzero(images.weight.numpy())
            drawn = draw_samples(learned, images.groups, MAX_LEFT_OUT, rng)
            left_out = images.leave_out(features.gram(drawn * n_copies), drawn)
            penalties = [alpha * unit for alpha in alphas]
            best = best_penalty(left_out, penalties, offset, problem.size)
            alpha = alphas[best] / n_copies  # copies of images regularize too
        penalty = alpha * unit
        root = None
        if chosen is not None:  # the mean of all eigenvalues is the mean of the variances
            root = InverseRoot(features.sample(chosen), penalty + float(weight.sum()))

        operator = partial(features.normal, penalty=penalty)
        solver = ConjugateGradients(operator, features.right_side, n_outputs, root)
        stopping = sample = None
        if self.early_stopping:
            stopping, sample = EarlyStopping(self.n_iter_no_change), np.flatnonzero(held)

        def watch():
            scores = features.scores(solver.W, sample) + offset
            is_correct = decide(scores).numpy() == problem.labels[sample]
            copies = (problem.copies * problem.class_weight)[sample]
            accuracy = float(np.average(is_correct, weights=copies))
            stop = stopping.update(accuracy, (solver.W, scores))
            return stop, f", accuracy {accuracy:.4f}"

        with Task.fit(self, self.max_iter) as task:
            task.log(f"alpha {alpha:g}")
            self._iterate(solver, task, None if stopping is None else watch)
        if stopping is not None:
            W, scores = stopping.best_state
            scores, sample = scores[::n_copies].double().numpy(), sample[::n_copies] // n_copies
        elif by_groups:
            W = solver.W
            scores, sample = problem.leave_groups_out_scores(features.gram, penalty, n_copies, rng)
        else:
            sample = draw_samples(np.arange(len(images.labels)), None, MAX_SCORES, rng)
            W, traced = solver.W.tensor_split([n_outputs], dim=1)
            scores = features.scores(W, rows_of(sample, n_copies)) + offset
            trace = smoother_trace(features, penalty, traced, n_copies)
            scores = images.leave_one_out_scores(scores, trace, sample)
        shift = self._calibrate(scores, images, sample)
        coef = (W[:, :n_outputs] / features.scale[:, None]).T
        offset = offset - coef @ features.mean + torch.from_numpy(shift).to(offset)
        self.n_features_in_ = n_features
        self.classes_ = problem.classes
        self.alpha_, self._power = alpha, power
        self.coef_ = coef.numpy()
        # Scores are computed of features minus a center: a large mean would take their digits.
        self._center, self._offset = features.center.numpy(), offset.numpy()
        intercept = offset.double() - coef.double() @ features.center.double()
        self.intercept_ = intercept.to(wide).numpy()
        self.validation_scores_ = None if stopping is None else np.array(stopping.scores)
        return self

    def _operator(self, dtype, device):
        dtype = torch_dtype(np.dtype(dtype))
        arrays = self._center, self.coef_.T, self._offset
        power, arrays = Power(self._power, dtype), (as_tensor(array).to(dtype) for array in arrays)
        scores = partial(_scores, power, *arrays)
        size = automatic_batch_size(self.n_features_in_ * dtype.itemsize)
        return Operator(scores, self._offset.shape, dtype, size)


def _scores(power, center, coef, offset, X):
    X = power(X)
    return torch.addmm(offset, X - center if center.any() else X, coef)
