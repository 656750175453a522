"""Probabilities from the scores of ridge regression: leave-one-out scores and a temperature.

Leaving a sample out of a linear smoother moves its score f to f - h / (1 - h) (y - f), where h
is its leverage. Leverages of many standardized features are nearly equal, so each is replaced
by their mean, the trace of the smoother over n, as in generalized cross-validation (Golub, Heath
and Wahba, Technometrics 1979).
"""

import numpy as np
import torch
from scipy.optimize import brentq, minimize
from scipy.special import logsumexp, softmax

# With more samples and features the trace is estimated from random signs (Hutchinson, 1989).
_MAX_EXACT = 512
_TRACE_ERROR = 0.02  # of the estimate, relative to the number of samples
MAX_SCORES = 50_000  # of samples that probabilities are calibrated on
_MIN_SCALE, _MAX_SCALE = 1e-3, 1e3
_MAX_RARITY = 2  # power of the frequencies that probabilities are divided by: 0.2 to 1.2 are usual


def rows_of(sample, n_copies):
    """Return the indices of the rows of samples, each of which has `n_copies` successive rows."""
    return (sample[:, None] * n_copies + np.arange(n_copies)).ravel()


def trace_probes(weight, n_features, rng, dtype, n_copies):
    """Draw targets (n_samples, n) from which the trace of a smoother is estimated.

    They are random signs divided by the roots of weights; None if the trace is computed exactly.
    Successive samples that are copies have the same sign: then the estimate is `n_copies` times
    the trace of the smoother of means over copies.
    """
    n = len(weight) // n_copies
    if n_copies == 1 and min(n, n_features) <= _MAX_EXACT:
        return None
    n_probes = int(np.ceil(1 / (n * _TRACE_ERROR**2)))
    signs = rng.choice([-1.0, 1.0], (n, n_probes)).repeat(n_copies, axis=0)
    return torch.from_numpy(signs / np.sqrt(weight)[:, None]).to(dtype)


def smoother_trace(features, penalty, W, n_copies):
    """Return the trace of the map from targets to scores, or of that of means over copies.

    The intercept is included.

    Parameters
    ----------
    features : StandardizedFeatures
        Features of the regression.
    penalty : float
        Penalty of the regression.
    W : Tensor of shape (n_features, n_probes)
        Coefficients for the targets of `trace_probes`; no columns if the trace is exact.
    """
    n_probes = W.shape[1]
    if n_probes:
        products = float((features.right_side[:, -n_probes:] * W).sum())
        return 1 + products / (n_probes * n_copies)
    values = features.eigenvalues().cpu().numpy()
    return 1 + float((values / (values + penalty)).sum()) if penalty else np.inf


def dual_trace(system, penalty, signs, W, n_copies):
    """Return the trace of the map K (K + penalty)^-1, or of that of means over copies.

    The intercept is included.

    Parameters
    ----------
    system : KernelMatrix
        R K R, for roots of weights R.
    penalty : float
        Penalty of the regression.
    signs : Tensor of shape (n_samples, n_probes) or None
        Result of `trace_probes` with weights of 1.
    W : Tensor of shape (n_samples, n_probes)
        (K + penalty)^-1 times the signs.
    """
    if signs is None:
        values = system.eigenvalues()
        return 1 + float((values / (values + penalty)).sum())
    products = float((signs * W).sum())
    return 1 + len(W) // n_copies - penalty * products / (W.shape[1] * n_copies)


def leave_one_out(scores, targets, copies, class_weight, trace, sample):
    """Return the scores of samples of which one copy is left out.

    Parameters
    ----------
    scores, targets : ndarray of shape (n, n_outputs)
        f and y above, for the samples of `sample`.
    copies : ndarray of shape (n_samples,)
        Number of copies of each sample: its `sample_weight`.
    class_weight : ndarray of shape (n_samples,)
        Weight of the class of each sample, which each copy has.
    trace : float
        Trace of the smoother: the sum of `copies` * `class_weight` * leverage.
    sample : ndarray of shape (n,)
        Indices of the samples to leave out.
    """
    weight = copies * class_weight
    # Let a be the leverage of a sample of weight one before it is added, equal for all samples.
    # With it the leverage of a copy is odds / (1 + odds), odds = class_weight * a.
    trace = np.clip(trace, 1, 0.999 * copies.sum())

    def excess(log_a):
        odds = class_weight * np.exp(log_a)
        return (copies * (odds / (1 + odds))).sum() - trace

    low, high = np.log(trace / weight.sum()) - 1, np.log(1e6 / class_weight.min())
    odds = class_weight[sample] * np.exp(brentq(excess, low, high, xtol=1e-12))
    removed = np.minimum(copies[sample], 1)
    # h / (1 - h), without cancellation where h is nearly 1
    ratio = removed * odds / (1 + (1 - removed) * odds)
    return scores - ratio[:, None] * (targets - scores)


def per_class(scores):
    """Return a column for each class; the single score of two classes is of the second."""
    return np.pad(scores, ((0, 0), (1, 0))) if scores.shape[1] == 1 else scores


class Smoothed:
    """Log loss of held-out scores against smoothed labels.

    Labels are smoothed by one sample, divided among all classes: scores without mistakes do not
    give certainty. (Platt, 1999, adds one sample of each of two classes. With forty classes of ten
    samples, that would change a tenth of all labels.)

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_classes)
        Scores.
    shares : ndarray of shape (n_samples, n_classes)
        Share of each class in the labels of a sample: one-hot for a sample with one label.
    weight : ndarray of shape (n_samples,)
        Numbers of samples.
    """

    def __init__(self, scores, shares, weight):
        self.scores, self.weight = scores, weight
        n, n_classes = weight.sum(), scores.shape[1]
        self.targets = (n * shares + 1 / n_classes) / (n + 1)

    def gradient(self, scale, shift=0.0):
        """Return the derivatives of the loss of softmax(scale * scores + shift).

        They are with respect to the scale, and to the shift.
        """
        residual = softmax(scale * self.scores + shift, axis=1) - self.targets
        residual *= self.weight[:, None]
        return float((residual * self.scores).sum()), residual.sum(axis=0)

    def loss(self, scale, shift):
        """Return the log loss, summed over samples."""
        return float(self.weight @ cross_entropy(scale * self.scores + shift, self.targets))


def cross_entropy(logits, targets):
    """Return -sum(targets * log softmax(logits)) of each row."""
    return logsumexp(logits, axis=1) - (targets * logits).sum(axis=1)


def lowest_loss(scores, shares, weight):
    """Return the log loss of scores at the best temperature, summed over samples."""
    return Smoothed(scores, shares, weight).loss(fit_scale(scores, shares, weight), 0.0)


def fit_scale(scores, shares, weight):
    """Return the factor of scores whose softmax has the lowest log loss: 1 / temperature.

    See Guo et al. (ICML 2017), and :class:`Smoothed` for the arguments.
    """
    samples = Smoothed(scores, shares, weight)

    def slope(log_scale):
        return samples.gradient(np.exp(log_scale))[0]

    spread = float(np.sqrt(np.average(scores.var(axis=1), weights=weight))) or 1.0
    low, high = np.log([_MIN_SCALE / spread, _MAX_SCALE / spread])
    if slope(low) >= 0:  # scores without information
        return float(np.exp(low))
    return float(np.exp(high if slope(high) <= 0 else brentq(slope, low, high, xtol=1e-12)))


def fit_shift(scores, shares, weight):
    """Return the offsets of the scores of classes with the lowest log loss at the best factor.

    Training samples of rare classes with large weights are fitted almost exactly. New samples of
    these classes score lower; leave-one-out scores show by how much.
    """
    return _fit_shift(scores, shares, weight, np.eye(scores.shape[1]), (None, None))


def fit_rarity_shift(scores, shares, weight, frequency):
    """Return offsets as `fit_shift`, in proportion to -log(frequency) of the classes.

    They raise the scores of rare classes, which least squares underestimates (logit adjustment,
    Menon et al., ICLR 2021). One number is fitted, so that a few samples of a class are enough.
    """
    rarity = -np.log(frequency)
    if np.ptp(rarity) == 0:
        return np.zeros(len(rarity))
    return _fit_shift(scores, shares, weight, rarity[None] - rarity.mean(), (0, _MAX_RARITY))


def _fit_shift(scores, shares, weight, directions, bounds):
    """Fit offsets that are a combination of directions (n_directions, n_classes)."""
    samples = Smoothed(scores, shares, weight)
    first = fit_scale(scores, shares, weight)

    def function(x):
        # Relative to the scale without shifts; the loss is convex in both.
        logits = first * x[0], x[1:] @ directions
        slope, residual = samples.gradient(*logits)
        gradient = np.r_[first * slope, directions @ residual]
        return samples.loss(*logits) / weight.sum(), gradient / weight.sum()

    x = np.r_[1.0, np.zeros(len(directions))]
    bounds = [(_MIN_SCALE, None), *[bounds] * len(directions)]
    options = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 1000}
    x = minimize(function, x, jac=True, bounds=bounds, method="L-BFGS-B", options=options).x
    shift = x[1:] @ directions / (first * x[0])
    return shift - shift.mean()
