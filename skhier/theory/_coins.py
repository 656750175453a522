"""Sums of coins, cell by cell: how unlikely they are if every coin has the same bias.

Rows are experiments, columns cells. A cell of m coins, worth 1 or -1, has the sum S.
"""

import numpy as np

# The variances of the drifts that the any-time evidence tries, in equal shares.
_DRIFTS = 2.0 ** -np.arange(14)


def log_tail(sums, coins, is_fair):
    """log of a bound on P(|S|^2 at least as large), for each row.

    Chernoff's, with E exp(u |S|^2) <= prod (1 - 2 u m)^(-1/2) for u < 1 / (2 max m). It holds
    for every such u; where u is nearly the best, after few steps of Newton, it is tight.
    """
    m2 = np.einsum("ij,ij->i", coins, coins)
    m2[m2 == 0] = 1
    total = np.einsum("ij,ij->i", sums, sums)
    if not is_fair:
        total -= np.einsum("ij,ij->i", sums, coins) ** 2 / m2
    pole = 0.5 / np.maximum(coins.max(axis=1, initial=0), 1)
    excess = np.maximum(total - coins.sum(axis=1), 0)
    u = pole * (1 - 1 / np.sqrt(1 + excess / (pole * m2)))  # the best for Laurent and Massart
    for _ in range(4):
        tilted = coins / (1 - 2 * u[:, None] * coins)
        slope = np.einsum("ij,ij->i", tilted, tilted)
        slope[slope == 0] = 1
        u = np.clip(u - (tilted.sum(axis=1) - total) / (2 * slope), 0, (u + pole) / 2)
    log_moment = -0.5 * np.log1p(-2 * u[:, None] * coins).sum(axis=1)
    return np.minimum(log_moment - u * total, 0)


def log_evidence(sums, coins, is_fair):
    """log of a supermartingale that starts at 1, for each row; large if biases differ.

    A mixture of exp(<theta, S> - |theta|^2 m / 2) over normal theta, of several variances. Of all
    common biases, the one for which the evidence is least counts.
    """
    logs = np.empty((len(_DRIFTS), len(sums)))
    for log, drift in zip(logs, _DRIFTS):
        weight = 1 / (1 + drift * coins)
        weighted = weight * sums
        total = np.einsum("ij,ij->i", weighted, sums)
        if not is_fair:
            m2 = np.einsum("ij,ij,ij->i", weight, coins, coins)
            m2[m2 == 0] = 1
            total -= np.einsum("ij,ij->i", weighted, coins) ** 2 / m2
        log[:] = (drift * total + np.log(weight).sum(axis=1)) / 2
    return np.logaddexp.reduce(logs) - np.log(len(_DRIFTS))
