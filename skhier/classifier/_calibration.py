"""Probabilities from the scores of ridge regression: leave-one-out scores and a temperature.

Leaving a sample out of a linear smoother moves its score f to f - h / (1 - h) (y - f), where h
is its leverage. Leverages of many standardized features are nearly equal, so their mean, the
trace of the smoother over n as in generalized cross-validation (Golub, Heath and Wahba,
Technometrics 1979), stands for them.
"""

import numpy as np
import torch
from scipy.optimize import brentq, minimize
from scipy.special import logsumexp, softmax

# Up to so many samples or features the trace is exact, beyond it is estimated from random signs
# (Hutchinson, 1989), to about this error relative to the number of samples.
_MOST_EXACT = 512
_MOST_SCORES = 50_000
_TRACE_ERROR = 0.02
_LEAST_SCALE, _MOST_SCALE = 1e-3, 1e3


def calibration_sample(n_samples, rng, most=_MOST_SCORES):
    """The indices of those, sorted, whose scores probabilities are calibrated on."""
    if n_samples <= most:
        return np.arange(n_samples)
    return np.sort(rng.choice(n_samples, most, replace=False))


def trace_probes(weight, n_features, rng, dtype):
    """Targets (n_samples, n) that the trace of a smoother is estimated from.

    None where it is exact. With the weights of samples, they are random signs times the roots
    of weights.
    """
    if min(len(weight), n_features) <= _MOST_EXACT:
        return None
    n_probes = int(np.ceil(1 / (len(weight) * _TRACE_ERROR**2)))
    signs = rng.choice([-1.0, 1.0], (len(weight), n_probes))
    return torch.from_numpy(signs / np.sqrt(weight)[:, None]).to(dtype)


def smoother_trace(features, penalty, W):
    """The trace of the map from targets to scores, intercept included.

    Parameters
    ----------
    features : StandardizedFeatures
        The features of the regression.
    penalty : float
        Its penalty.
    W : Tensor of shape (n_features, n_probes)
        The coefficients for the targets of `trace_probes`, if any.
    """
    n_probes = W.shape[1]
    if n_probes:
        return 1 + float((features.right_side[:, -n_probes:] * W).sum()) / n_probes
    values = features.eigenvalues().cpu().numpy()
    return 1 + float((values / (values + penalty)).sum()) if penalty else np.inf


def dual_trace(system, penalty, signs, W):
    """Likewise of the map K (K + penalty)^-1.

    Parameters
    ----------
    system : WeightedKernel
        R K R, for roots of weights R.
    penalty : float
        The penalty.
    signs : Tensor of shape (n_samples, n_probes) or None
        Those of `trace_probes`, with weights of 1.
    W : Tensor of shape (n_samples, n_probes)
        What (K + penalty)^-1 makes of them.
    """
    if signs is None:
        values = system.eigenvalues()
        return 1 + float((values / (values + penalty)).sum())
    return 1 + len(W) - penalty * float((signs * W).sum()) / W.shape[1]


def leave_one_out(scores, targets, count, unit, trace, sample):
    """The scores that some samples have when one copy of them is left out.

    Parameters
    ----------
    scores, targets : ndarray of shape (n, n_outputs)
        f and y above, of the samples in question.
    count : ndarray of shape (n_samples,)
        How many copies there are of a sample: its weight.
    unit : ndarray of shape (n_samples,)
        The weight of its class, which a copy has.
    trace : float
        See `smoother_trace`; of `count` * `unit` times the leverage of a unit of weight.
    sample : ndarray of shape (n,)
        The indices of the samples in question.
    """
    weight = count * unit
    # Without a copy the leverage h of a unit would be a, equal for all: h = a / (1 + unit a).
    trace = np.clip(trace, 1, 0.999 * count.sum())

    def excess(log_a):
        odds = unit * np.exp(log_a)
        return (count * (odds / (1 + odds))).sum() - trace

    low, high = np.log(trace / weight.sum()) - 1, np.log(1e6 / unit.min())
    odds = unit[sample] * np.exp(brentq(excess, low, high, xtol=1e-12))
    removed = np.minimum(count[sample], 1)
    # h / (1 - h), without cancellation where h is nearly 1
    ratio = removed * odds / (1 + (1 - removed) * odds)
    return scores - ratio[:, None] * (targets - scores)


class Smoothed:
    """Scores of samples that were not learned from, and their labels, smoothed.

    They are smoothed as in Platt scaling (1999), by one sample of each class: so scores that make
    no mistake do not give certainty.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_classes)
        The scores.
    labels : ndarray of shape (n_samples,)
        The classes, integers.
    weight : ndarray of shape (n_samples,)
        Weights of samples.
    """

    def __init__(self, scores, labels, weight):
        self.scores, self.weight = scores, weight
        n, n_classes = weight.sum(), scores.shape[1]
        self.targets = np.full(scores.shape, 1 / (n + n_classes))
        self.targets[np.arange(len(labels)), labels] += n / (n + n_classes)

    def gradient(self, scale, shift=0.0):
        """Of the log loss of softmax(scale * scores + shift): with respect to scale, and shift."""
        residual = softmax(scale * self.scores + shift, axis=1) - self.targets
        residual *= self.weight[:, None]
        return float((residual * self.scores).sum()), residual.sum(axis=0)

    def loss(self, scale, shift):
        """The log loss, summed over samples."""
        return float(self.weight @ cross_entropy(scale * self.scores + shift, self.targets))


def cross_entropy(logits, targets):
    """-sum(targets * log softmax(logits)) of each row."""
    return logsumexp(logits, axis=1) - (targets * logits).sum(axis=1)


def fit_scale(scores, labels, weight):
    """The factor of scores whose softmax has the lowest log loss: 1 / temperature.

    See Guo et al. (ICML 2017), and :class:`Smoothed` for the arguments.
    """
    samples = Smoothed(scores, labels, weight)

    def slope(log_scale):
        return samples.gradient(np.exp(log_scale))[0]

    unit = float(np.sqrt(np.average(scores.var(axis=1), weights=weight))) or 1.0
    low, high = np.log([_LEAST_SCALE / unit, _MOST_SCALE / unit])
    if slope(low) >= 0:  # the scores say nothing
        return float(np.exp(low))
    return float(np.exp(high if slope(high) <= 0 else brentq(slope, low, high, xtol=1e-12)))


def fit_shift(scores, labels, weight):
    """What to add to the scores of each class for the lowest log loss at the best factor.

    Samples of rare classes that weigh much are learned almost by heart: others of their class
    score lower than they, by what leaving them out shows.
    """
    samples = Smoothed(scores, labels, weight)
    first = fit_scale(scores, labels, weight)

    def function(x):
        # Relative to the scale without shifts; the loss is convex in both.
        slope, residual = samples.gradient(first * x[0], x[1:])
        gradient = np.r_[first * slope, residual]
        return samples.loss(first * x[0], x[1:]) / weight.sum(), gradient / weight.sum()

    x = np.r_[1.0, np.zeros(scores.shape[1])]
    bounds = [(_LEAST_SCALE, None), *[(None, None)] * scores.shape[1]]
    options = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 1000}
    x = minimize(function, x, jac=True, bounds=bounds, method="L-BFGS-B", options=options).x
    shift = x[1:] / (first * x[0])
    return shift - shift.mean()
