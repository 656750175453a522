"""KernelRidgeHead: a classifier by ridge regression with a Gaussian kernel."""

from functools import partial
from math import prod
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.callback import with_callbacks
from sklearn.exceptions import ConvergenceWarning

from .._base._device import as_array, as_bits, computing_dtype, of_bits, torch_dtype
from .._base._fitting import Task
from .._base._groups import draw_samples
from .._base._memory import Work, refuse_more_than_machine
from .._base._params import make_rng
from .._base._rows import Operator, compose
from .._base._sklearn import Interval, StrOptions
from .._base._typing import ClassWeight, RandomState, Verbose
from .._base._warnings import warn
from ._calibration import MAX_SCORES, dual_trace, rows_of, trace_probes
from ._conjugate_gradients import ConjugateGradients, InverseRoot, preconditioning_sample
from ._kernel import ROWS, Coordinates, Kernel
from ._kernel_matrix import CenterSums, KernelMatrix
from ._least_squares import LeastSquaresHead, Regression

_MAX_TRACED = 2000  # samples whose leverages are averaged
_MAX_RESIDUAL = 0.1  # a larger one is no solution
_UNSOLVED = (
    "The kernel ridge regression is not solved: the kernel matrix plus alpha={alpha} is nearly "
    "singular, or singular to rounding, and the residual is {residual:.2g} after {n_iter} "
    "iterations. Raise alpha, lower n_centers, or compute features in float32."
)
_SINGULAR = (
    "The kernel ridge regression on n_centers={n_centers} with alpha={alpha} is singular to "
    "rounding: a multiple of the identity was added. Raise alpha, or lower n_centers."
)
_MAX_ROUNDING = 1e-10  # added to a singular matrix, relative to its trace


class KernelRidgeHead(LeastSquaresHead):
    r"""Classifier: ridge regression with a Gaussian kernel of standardized features.

    Minimizes :math:`\|Y - f(X)\|^2 + \alpha \|f\|^2` over functions
    :math:`f(x) = \sum_i k(x, x_i) w_i`, where
    :math:`k(a, b) = \exp(-\gamma |\tilde a - \tilde b|^2 / D)`, :math:`\tilde x` are the D
    features with mean 0 and variance 1. Y has one column of -1 and 1 for two classes, and a
    centred one-hot column for each of more classes. On the features that
    :class:`LayerwiseCNNClassifier` learns from photographs it makes fewer mistakes than
    :class:`RidgeHead`, for more work: the kernel matrix of n samples takes n\ :sup:`2` D / 2
    multiplications and n\ :sup:`2` numbers of memory, and a prediction n D multiplications.

    Parameters
    ----------
    alpha : float, default=0.03
        Regularization, as in :class:`sklearn.kernel_ridge.KernelRidge`: above 0, at most 1e6.

    gamma : float, default=0.5
        Width of the kernel: 1 / `gamma` is a squared distance divided by D, the number of
        features that are not constant. The squared distance of random samples is 2 D. Above 0, at
        most 1e6.

    power : float, default=1.0
        Features are mapped to sign(x) abs(x)^power before they are standardized. 0.5 suits
        averages of codes, which are not negative. Above 0, at most 4.

    n_centers : int or None, default=None
        Largest number of samples x_i in f. If there are more samples, f has a random choice of
        them (Nystroem's method [1]_). None is all samples.

    max_iter : int, default=60
        Largest number of iterations of conjugate gradients, which solve for f if all samples
        are centers.

    tol : float, default=1e-2
        Relative tolerance: iterations end when the preconditioned residual of every output is
        at most this fraction of the right side.

    class_weight : dict, 'balanced' or None, default=None
        Weights of classes, multiplied with the weights of samples, as in :class:`RidgeHead`.

    verbose : bool or int, default=False
        Whether to print progress.

    random_state : int, RandomState instance or None, default=None
        Determines the centers, which samples precondition, and the samples and random signs that
        `temperature_` depends on.

    Attributes
    ----------
    dual_coef_ : ndarray of shape (n_centers, n_outputs)
        The w_i. One output for two classes.

    intercept_ : ndarray of shape (n_outputs,)
        Weighted mean of Y, which is added to f, plus the correction of the calibration (see Notes).

    centers_ : ndarray of shape (n_centers, n_features)
        The x_i, standardized and divided by the root of D.

    classes_ : ndarray of shape (n_classes,)
        The labels.

    temperature_ : float
        Divisor of scores in :meth:`predict_proba`, before the softmax (sigmoid for two
        classes).

    n_iter_ : int
        Number of iterations; 0 if there are more samples than `n_centers`.

    residual_curve_ : ndarray of shape (n_iter,)
        Largest relative residual after each iteration.

    n_features_in_ : int
        Number of features.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X is a DataFrame.

    See Also
    --------
    RidgeHead : Linear, for any number of samples.
    sklearn.kernel_ridge.KernelRidge : The regression itself, in float64.

    Notes
    -----
    The kernel matrix is held in the precision of the features. For bfloat16, which
    :class:`LayerwiseCNNClassifier` uses where it is fast, these are 16-bit integers: 2 bytes for
    each pair of samples, 3.2 GB for 40,000, besides a copy of the features. Conjugate gradients
    take 10 to 25 products: they are preconditioned by Nystroem's approximation from some of the
    samples, ten times the root of their number. If they fail, as for an `alpha` below rounding
    errors, `fit` warns with ``ConvergenceWarning``.

    Probabilities are calibrated on leave-one-out scores, or with `groups` on scores of left-out
    groups, and the intercepts of rare classes are raised, as in :class:`RidgeHead`.

    References
    ----------
    .. [1] C. Williams and M. Seeger, "Using the Nystroem method to speed up kernel machines",
       NeurIPS 2000.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skhier import KernelRidgeHead
    >>> X, y = load_iris(return_X_y=True)
    >>> KernelRidgeHead().fit(X, y).predict(X[:2])
    array([0, 0])
    """

    _parameter_constraints = {
        "alpha": [Interval(Real, 0, 1e6, closed="right")],
        "gamma": [Interval(Real, 0, 1e6, closed="right")],
        "power": [Interval(Real, 0, 4, closed="right")],
        "n_centers": [Interval(Integral, 1, None, closed="left"), None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        alpha: float = 0.03,
        *,
        gamma: float = 0.5,
        power: float = 1.0,
        n_centers: int | None = None,
        max_iter: int = 60,
        tol: float = 1e-2,
        class_weight: ClassWeight = None,
        verbose: Verbose = False,
        random_state: RandomState = None,
    ) -> None:
        self.alpha = alpha
        self.gamma = gamma
        self.power = power
        self.n_centers = n_centers
        self.max_iter = max_iter
        self.tol = tol
        self.class_weight = class_weight
        self.verbose = verbose
        self.random_state = random_state

    def _work(self, n_samples, n_features, n_classes):
        n_bytes = self._n_bytes(n_samples, n_features)
        return Work("fitting the head", n_bytes, "Raise it, lower n_centers, or use head='ridge'.")

    @with_callbacks
    def _fit_rows(self, rows, y, weight, groups, plan):
        n_features = prod(rows.shape[1:])
        wide, rng = torch_dtype(computing_dtype(rows)), make_rng(self.random_state)
        problem = Regression.from_labels(self, y, weight, groups, float(self.alpha), wide)
        n_centers = self._n_centers(len(y))
        index = draw_samples(np.arange(len(y)), None, n_centers, rng)
        if n_centers == len(y):
            index = slice(None)  # no copy
            n_bytes = self._n_bytes(len(y), n_features, torch_dtype(rows.dtype).itemsize)
            advice = "Set n_centers, the largest number of samples in the kernel matrix."
            refuse_more_than_machine(Work(f"The kernel of {len(y)} samples", n_bytes, advice))
        n_copies = plan.n_copies
        images = problem.of_images(n_copies)
        with Task.fit(self) as task:
            coordinates = Coordinates.from_rows(rows, problem.weight, float(self.power))
            centers = coordinates.operator(rows.take(index))
            kernel = Kernel(centers, float(self.gamma), wide)
            given = kernel, problem, n_copies, rng, task
            if len(centers) == len(y):
                coef, *fitted = self._solve_dual(*given)
            else:
                coef, *fitted = self._solve_centers(rows, coordinates, *given)
        if groups is None:
            scores, sample = images.leave_one_out_scores(*fitted), fitted[-1]
        else:

            def gram(samples):
                points = coordinates.operator(rows.take(samples))
                own = Kernel(points, float(self.gamma), wide)
                return own.between(slice(None), slice(None), exact=True)

            penalty = float(self.alpha) / problem.size
            scores, sample = problem.leave_groups_out_scores(gram, penalty, n_copies, rng)
        shift = self._calibrate(scores, images, sample)
        intercept = problem.offset.numpy()
        self.n_features_in_ = n_features
        self.classes_ = problem.classes
        self._store(coordinates, kernel)
        self.dual_coef_ = coef.numpy()
        self.intercept_ = intercept + shift.astype(intercept.dtype)
        return self

    def _n_centers(self, n_samples):
        return n_samples if self.n_centers is None else min(n_samples, int(self.n_centers))

    def _n_bytes(self, n_samples, n_features, itemsize=4):
        """Return about the memory that a fit takes besides the features."""
        m = self._n_centers(n_samples)
        matrices = itemsize * m * m if m == n_samples else 3 * 8 * m * m
        return itemsize * m * n_features + matrices

    def _solve_dual(self, kernel, problem, n_copies, rng, task):
        """Solve for the w_i if all samples are centers.

        (K + alpha / weight) w = Y - offset, as R K R + alpha for R^2 = weight and w = R v.

        Returns
        -------
        coef : Tensor of shape (n_centers, n_outputs)
            The w_i.
        scores : Tensor of shape (n * n_copies, n_outputs)
            Scores of the calibration sample and of its copies.
        trace : float
            Trace of the smoother of means over copies.
        sample : ndarray of shape (n,)
            Indices of the calibration sample.

        If there are groups, which are left out in another way, `coef` is the only result.
        """
        n, n_outputs = len(problem.labels), problem.table.shape[1]
        K, penalty = KernelMatrix(kernel, problem.weight, task), float(self.alpha) / problem.size
        targets = problem.table[torch.from_numpy(problem.labels)] - problem.offset
        right_side, root, signs = K.root * targets, None, None
        if problem.groups is None:
            signs = trace_probes(np.ones(n), n, rng, right_side.dtype, n_copies)
        if signs is not None:
            right_side = torch.cat([right_side, signs], dim=1)
        chosen = preconditioning_sample(problem.weight.numpy(), n, rng)
        if chosen is not None:
            S, rest = K.nystroem(chosen)
            root = InverseRoot(S, penalty + rest)

        def operator(V):
            return K.weighted(V) + penalty * V

        solver = ConjugateGradients(operator, right_side, n_outputs, root)
        self._iterate(solver, task)
        residual = solver.residuals[-1]
        if not solver.is_positive or (residual > max(_MAX_RESIDUAL, self.tol) and not task.stop):
            message = _UNSOLVED.format(alpha=self.alpha, residual=residual, n_iter=self.n_iter_)
            warn(message, ConvergenceWarning)
        V, traced = solver.W.tensor_split([n_outputs], dim=1)
        coef = K.root * V
        if problem.groups is not None:
            return (coef,)
        trace = dual_trace(K, penalty, signs, traced, n_copies)
        sample = draw_samples(np.arange(n // n_copies), None, MAX_SCORES, rng)
        index = rows_of(sample, n_copies)
        # Leverages are near 1, where rounding errors of f(x_i) would count many times.
        scores = (targets + problem.offset)[index] - penalty * (V / K.root)[index]
        return coef, scores, trace, sample

    def _solve_centers(self, rows, coordinates, kernel, problem, n_copies, rng, task):
        """Solve for the w_i of fewer centers: (G + alpha K) w = products with Y - offset.

        See `_solve_dual` for the results.
        """
        labels, table = torch.from_numpy(problem.labels), problem.table - problem.offset
        penalty = float(self.alpha) / problem.size
        sums = CenterSums(coordinates, kernel, table)
        options = {"task": task, "name": "kernel", "batch_size": ROWS}
        sums = rows.accumulate(sums, problem.weight, labels, **options)
        K = kernel.among_centers(slice(None)).double()
        root, failed = torch.linalg.cholesky_ex(sums.gram.add_(penalty * K))
        if failed:
            message = _SINGULAR.format(n_centers=len(K), alpha=self.alpha)
            warn(message, ConvergenceWarning)
            rounding = _MAX_ROUNDING * sums.gram.diagonal().sum()
            root = torch.linalg.cholesky(sums.gram + rounding * torch.eye(len(K)).double())
        coef = torch.cholesky_solve(sums.right_side, root).to(kernel.dtype)
        self.residual_curve_, self.n_iter_ = np.zeros(0), 0
        if problem.groups is not None:
            return (coef,)
        n = len(labels) // n_copies
        sample = draw_samples(np.arange(n), None, _MAX_TRACED // n_copies, rng)
        index = rows_of(sample, n_copies)
        values = kernel.operator(coordinates.operator(rows.take(index)))
        # h_i = weight_i k_i^T (G + alpha K)^-1 k_i, the leverage; k_i is the mean over copies
        means = values.double().unflatten(0, (-1, n_copies)).mean(dim=1)
        solved = torch.linalg.solve_triangular(root, means.T, upper=False)
        weight = problem.weight[index].double().unflatten(0, (-1, n_copies)).sum(dim=1)
        h = weight * solved.square().sum(dim=0)
        return coef, values @ coef + problem.offset, 1 + float(h.mean()) * n, sample

    def _store(self, coordinates, kernel):
        """Store the fit as arrays, which any file of models holds."""
        self._fitted = coordinates.power, kernel.gamma
        self._mean, self._scale = coordinates.mean.numpy(), coordinates.scale.numpy()
        self._centers, self._squares = as_bits(kernel.centers), as_bits(kernel.squares)

    def _stored(self):
        """Return the (coordinates, kernel) of the fit."""
        power, gamma = self._fitted
        centers, squares, mean, scale = (
            of_bits(a) for a in (self._centers, self._squares, self._mean, self._scale)
        )
        return Coordinates(power, mean, scale, centers.dtype), Kernel(centers, gamma, squares)

    @property
    def centers_(self):
        """Centers: standardized features over the root of their number."""
        return as_array(of_bits(self._centers))

    def _operator(self, dtype, device):
        coordinates, kernel = self._stored()
        coef, intercept = map(of_bits, (self.dual_coef_, self.intercept_))
        readout = partial(_readout, coef, intercept, torch_dtype(dtype))
        readout = Operator(readout, intercept.shape, torch_dtype(dtype), ROWS)
        return compose((coordinates.operator, kernel.operator, readout), ROWS)


def _readout(coef, intercept, dtype, values):
    return (values @ coef).to(dtype) + intercept.to(dtype)
