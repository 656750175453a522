"""Coins in cells: evidence, in nats, that coins of different cells have different biases.

Rows are experiments, columns are cells. A cell with m = heads + tails coins has its own
probability of heads under the alternative. Under the hypothesis all cells share the probability p.
"""

import numpy as np
from scipy.special import digamma, gammaln, xlogy

# Concentrations at any time: variances 1 / alpha of a drift from 1 down to 2^-12. They are mixed.
ANYTIME_CONCENTRATIONS = 4.0 ** np.arange(7) + 0.5
_MAX_GAP = 0.05  # nats by which the least evidence over p may be understated
_MAX_STEPS = 60


def tuned_concentrations(coins, x):
    """Return two concentrations of each cell with which fair coins soon show x nats.

    The first one is the same in all cells. It has the best variance of a drift that is as likely
    in any cell, |m| / (2 sqrt(x)), for cells that are alike. The second one, 1 / (2 u) - m + 1/2
    with u the best one in the bound of Laurent and Massart, shows x nats wherever |S|^2 >= sum m +
    2 sqrt(x sum m^2) + 2 x max m.
    """
    largest = np.maximum(coins.max(axis=1, initial=0, keepdims=True), 1)
    root = np.sqrt(np.maximum((coins**2).sum(axis=1, keepdims=True), 1))
    same = np.maximum(root / (2 * np.sqrt(x)), 0.5)
    return [
        np.broadcast_to(same, coins.shape),
        root / (2 * np.sqrt(x)) + largest - coins + 0.5,
    ]


def log_evidence(heads, tails, concentrations, is_fair):
    r"""Return the log of the evidence against one p for all cells, for each row.

    The evidence is the mean over concentrations of E(p), whose mean is 1 if heads have the
    probability p:

        E(p) = prod B(heads + alpha p, tails + alpha (1 - p)) / B(alpha p, alpha (1 - p))
               / (p^heads (1 - p)^tails) .

    If p is not known, the least evidence over p is taken, up to 0.05 nats. It exists since log
    E(p) is convex: it is a sum over i of log(alpha + i / p) and log(alpha + i / (1 - p)).

    Parameters
    ----------
    heads, tails : ndarray of shape (n_rows, n_cells)
    concentrations : list of ndarrays of shape (n_rows, n_cells) or scalars
        The alphas of the mixture.
    is_fair : bool
        Whether p = 1/2 is known.
    """
    evidence = np.zeros(len(heads))
    rows = np.flatnonzero((heads.sum(axis=1) > 0) & (tails.sum(axis=1) > 0) | is_fair)
    low, high = np.zeros(len(rows)), np.ones(len(rows))
    n_heads, n_coins = heads[rows].sum(axis=1), (heads + tails)[rows].sum(axis=1)
    p = np.full(len(rows), 0.5) if is_fair else n_heads / n_coins
    # The curvature at p if all cells are alike; secants replace it.
    curvature = n_coins / (p * (1 - p))
    last = None
    for _ in range(_MAX_STEPS):
        value, slope = _value_and_slope(
            heads[rows], tails[rows], [_rows(alpha, rows) for alpha in concentrations], p
        )
        if is_fair:
            return value
        low, high = np.where(slope < 0, p, low), np.where(slope > 0, p, high)
        gap = np.abs(slope) * np.where(slope > 0, p - low, high - p)  # by convexity
        evidence[rows] = value - gap
        # Without evidence at some p there is none: no better p is needed.
        active = (value > 0) & (gap > _MAX_GAP)
        if last is not None:
            with np.errstate(divide="ignore", invalid="ignore"):
                secant = (slope - last[1]) / (p - last[0])
            curvature = np.where(secant > 0, secant, curvature)
        last = p[active], slope[active]
        step = p - slope / curvature
        p = np.where((low < step) & (step < high), step, (low + high) / 2)[active]
        rows, low, high, curvature = rows[active], low[active], high[active], curvature[active]
        if not len(rows):
            break
    return evidence


def _rows(alpha, rows):
    return alpha if np.ndim(alpha) == 0 else alpha[rows]


def _value_and_slope(heads, tails, concentrations, p):
    """Return log E(p), mixed over concentrations, and its derivative in p."""
    n_heads, n_tails = heads.sum(axis=1), tails.sum(axis=1)
    p = p[:, None]
    logs, slopes = np.empty((2, len(concentrations), len(heads)))
    for log, slope, alpha in zip(logs, slopes, concentrations):
        a, b = alpha * p, alpha * (1 - p)
        terms = gammaln(heads + a) - gammaln(a) + gammaln(tails + b) - gammaln(b)
        log[:] = (terms - gammaln(heads + tails + alpha) + gammaln(alpha)).sum(axis=1)
        derivative = digamma(heads + a) - digamma(a) - digamma(tails + b) + digamma(b)
        slope[:] = (alpha * derivative).sum(axis=1)
    largest = logs.max(axis=0)
    weights = np.exp(logs - largest)
    total = weights.sum(axis=0)
    p = p[:, 0]
    value = largest + np.log(total / len(concentrations))
    value -= xlogy(n_heads, p) + xlogy(n_tails, 1 - p)
    slope = (weights * slopes).sum(axis=0) / total - n_heads / p + n_tails / (1 - p)
    return value, slope
