"""Probability that k-means gains by moving one code to another class: a prediction.

A code that is seen a few times only has no normal distribution, so the probability is that of a
saddlepoint approximation.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import gammaln

FEW = 16  # larger means of counts: square roots are taken as normal
_NORMAL, _NORMAL_WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
_LOG_NORMAL_WEIGHTS = np.log(_NORMAL_WEIGHTS / _NORMAL_WEIGHTS.sum())
_SURE = 8.0  # scores above it need no better approximation than the normal one


class Points(NamedTuple):
    """Distribution of the points of codes: independent coordinates.

    Attributes
    ----------
    multiplicity : ndarray of shape (n_coordinates,)
        Number of coordinates that each one stands for.

    means, variances : ndarray of shape (n_classes, n_coordinates)

    values, log_probabilities : ndarray of shape (n_classes, n_coordinates, n_values)
        Distribution of each coordinate.
    """

    multiplicity: np.ndarray
    means: np.ndarray
    variances: np.ndarray
    values: np.ndarray
    log_probabilities: np.ndarray

    @classmethod
    def normal(cls, multiplicity, means, variances):
        """Return normal points."""
        return cls(multiplicity, means, variances, *_normal_values(means, variances))

    @classmethod
    def square_roots(cls, multiplicity, m):
        """Return square roots of Poisson counts of means m; normal ones where m > `FEW`."""
        few = np.minimum(m, FEW)[..., None]
        largest = few.max()
        # A count is larger than all of these with a probability below 1e-12.
        counts = np.arange(max(int(largest + 8 * np.sqrt(largest)) + 10, len(_NORMAL)))
        log_p = counts * np.log(np.where(few > 0, few, 1)) - few - gammaln(counts + 1)
        log_p = np.where((few > 0) | (counts == 0), log_p, -np.inf)
        large = np.maximum(m, FEW)
        means = np.sqrt(large) * (1 - 1 / (8 * large) - 7 / (128 * large**2))
        means = np.where(m > FEW, means, np.exp(log_p) @ np.sqrt(counts))
        variances = 0.25 + 3 / (32 * large) + 17 / (128 * large**2)
        variances = np.where(m > FEW, variances, (m - means**2).clip(min=0))
        normal, log_weights = _normal_values(means, variances)
        n_missing = len(counts) - len(_NORMAL)
        normal = np.pad(normal, [(0, 0), (0, 0), (0, n_missing)])
        log_weights = np.pad(log_weights, [(0, 0), (0, 0), (0, n_missing)], constant_values=-np.inf)
        is_large = (m > FEW)[..., None]
        values = np.where(is_large, normal, np.sqrt(counts))
        return cls(multiplicity, means, variances, values, np.where(is_large, log_weights, log_p))


def _normal_values(means, variances):
    """Return the values and log weights of a quadrature of normal variables."""
    values = means[..., None] + np.sqrt(variances)[..., None] * _NORMAL
    return values, np.broadcast_to(_LOG_NORMAL_WEIGHTS, values.shape)


def move_score(points: Points, c: int, e: int, k: int) -> tuple[float, float]:
    r"""Return the normal score of the gain of a move, and the variance of the gain.

    With x a point of class c, m the mean of the k - 1 other points of c, and m' the mean of the k
    points of class e, a move of x to e costs :math:`Z = \frac{k}{k + 1} \|x - m'\|^2 - \frac{k -
    1}{k} \|x - m\|^2`. P(Z < 0) is the probability that a standard normal variable is above the
    score.

    Parameters
    ----------
    points : Points
        Distribution of the points.
    c, e : int
        Classes.
    k : int
        Number of points of each class, at least 2.

    Returns
    -------
    score : float
        The score :math:`r^*` of Barndorff-Nielsen: with K the cumulant function of -Z and t its
        least point, :math:`r + \frac1r \log \frac{t \sqrt{K''(t)}}{r}`, :math:`r = \sqrt{-2 K(t)}`.
    variance : float
        Variance of Z.
    """
    cumulants = _cumulants(points, c, e, k)
    _, slope, variance = cumulants(0.0)
    score = -slope / np.sqrt(variance)
    if not 0 < score < _SURE:
        return score, variance
    # As m is normal, the cumulant function tends to infinity here, so it has a least point.
    low, high = 0.0, (1 - 1e-9) * k / (2 * points.variances[c].max())
    t, last_step = min(-slope / variance, high / 2), np.inf
    for _ in range(100):
        value, slope, curvature = cumulants(t)
        low, high = (t, high) if slope < 0 else (low, t)
        step = -slope / curvature
        if abs(step) < 1e-3 * t:
            break
        # Newton's steps alone may oscillate.
        if not (low < t + step < high and abs(step) < abs(last_step) / 2):
            step = (low + high) / 2 - t
        t, last_step = t + step, step
    r = np.sqrt(max(-2 * value, 0))
    if r > 0.05:  # r and t sqrt(K'') are equal up to rounding below it
        r += np.log(t * np.sqrt(curvature) / r) / r
    return r, variance


def _cumulants(points, c, e, k):
    """Return the cumulant function of -Z, with its first two derivatives.

    In each coordinate the means m and m' are normal, so given x the expectation of exp(-t Z) has a
    closed form. That over x is a sum.
    """
    alpha, beta = k / (k + 1), (k - 1) / k
    x, log_p = points.values[c], points.log_probabilities[c]
    to_c, to_e = ((x - points.means[i][:, None]) ** 2 for i in (c, e))
    A, B = 2 * points.variances[e] / (k + 1), 2 * points.variances[c] / k

    def cumulants(t):
        p, q = 1 / (1 + t * A), 1 / (1 - t * B)
        exponent = log_p - (t * alpha * p)[:, None] * to_e + (t * beta * q)[:, None] * to_c
        largest = exponent.max(axis=1)
        weights = np.exp(exponent - largest[:, None])
        total = weights.sum(axis=1)
        weights /= total[:, None]
        first = (beta * q**2)[:, None] * to_c - (alpha * p**2)[:, None] * to_e
        second = (beta * q**3 * B)[:, None] * to_c + (alpha * p**3 * A)[:, None] * to_e
        mean = (weights * first).sum(axis=1)
        value = (np.log(p) + np.log(q)) / 2 + largest + np.log(total)
        slope = (B * q - A * p) / 2 + mean
        curvature = ((A * p) ** 2 + (B * q) ** 2) / 2
        curvature += (weights * ((first - mean[:, None]) ** 2 + 2 * second)).sum(axis=1)
        return points.multiplicity @ np.array([value, slope, curvature]).T

    return cumulants
