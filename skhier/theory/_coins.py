"""Sums of coins in cells: how unlikely they are if all coins have the same bias.

Rows are experiments, columns are cells. A coin is worth 1 or -1. A cell of m coins has the sum S.
"""

import numpy as np

# The evidence averages over these variances of the drift, with equal weights.
_DRIFT_VARIANCES = 2.0 ** -np.arange(14)


def log_tail(sums, coins, is_fair):
    """Return the log of a bound on the probability of a |S|^2 at least as large, for each row.

    Chernoff's bound, with E exp(u |S|^2) <= prod (1 - 2 u m)^(-1/2) for u < 1 / (2 max m). Every
    u in this range gives a valid bound. A few steps of Newton's method make it nearly the least.
    """
    m2 = np.einsum("ij,ij->i", coins, coins)
    m2[m2 == 0] = 1
    total = np.einsum("ij,ij->i", sums, sums)
    if not is_fair:
        total -= np.einsum("ij,ij->i", sums, coins) ** 2 / m2
    pole = 0.5 / np.maximum(coins.max(axis=1, initial=0), 1)
    excess = np.maximum(total - coins.sum(axis=1), 0)
    u = pole * (1 - 1 / np.sqrt(1 + excess / (pole * m2)))  # the best u of Laurent and Massart
    # Newton's method for sum m / (1 - 2 u m) = |S|^2, where the bound is least.
    for _ in range(4):
        tilted = coins / (1 - 2 * u[:, None] * coins)
        slope = np.einsum("ij,ij->i", tilted, tilted)
        slope[slope == 0] = 1
        u = np.clip(u - (tilted.sum(axis=1) - total) / (2 * slope), 0, (u + pole) / 2)
    log_moment = -0.5 * np.log1p(-2 * u[:, None] * coins).sum(axis=1)
    return np.minimum(log_moment - u * total, 0)


def log_evidence(sums, coins, is_fair):
    """Return the log of a supermartingale that starts at 1, for each row; large if biases differ.

    The supermartingale is the mean of exp(<theta, S> - |theta|^2 m / 2) over normal theta of
    several variances. If the common bias is not known, the bias with the least evidence is taken.
    """
    logs = np.empty((len(_DRIFT_VARIANCES), len(sums)))
    for log, variance in zip(logs, _DRIFT_VARIANCES):
        weight = 1 / (1 + variance * coins)
        weighted = weight * sums
        total = np.einsum("ij,ij->i", weighted, sums)
        if not is_fair:
            m2 = np.einsum("ij,ij,ij->i", weight, coins, coins)
            m2[m2 == 0] = 1
            total -= np.einsum("ij,ij->i", weighted, coins) ** 2 / m2
        log[:] = (variance * total + np.log(weight).sum(axis=1)) / 2
    return np.logaddexp.reduce(logs) - np.log(len(_DRIFT_VARIANCES))
