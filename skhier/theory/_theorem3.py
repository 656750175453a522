"""Theorem 3: stochastic gradient descent pulls semantic classes apart."""

from math import ceil, exp, log, pi, sqrt

import numpy as np
from scipy.optimize import brentq

from .._base._params import check_choice
from .._base._typing import Bound
from ._checks import (
    check_counts,
    check_positive,
    check_probability,
    check_required,
    check_width,
    n_pairs,
    within_floats,
)
from ._theorem1 import TrainingParams, default_width, printed_width

# As printed, lemma 6 has this in place of the 0.23 of lemma 5.
_LEMMA_6 = 0.12
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(100)


@within_floats
def theorem3_params(
    k: int,
    n_classes: int,
    *,
    n_positions: int = 9,
    delta: float = 0.05,
    sigma: float = 1.0,
    gamma: float = 1.0,
    n_components: int | None = None,
    delta_min: float | None = None,
    theta: float | None = None,
    lambda_: float | None = None,
    bound: Bound = "exact",
) -> TrainingParams:
    r"""Compute the width n and number of steps T for which theorem 3 promises separation by SGD.

    SGD has batches of one image, each drawn anew, step size :math:`\eta = T^{-3/4}`,
    the columns of W on the unit sphere (`readout_init='sphere'`), and two labels.
    With probability at least 1 - 2 `delta`, patches of one class are within
    :math:`2 \sigma` and patches of different classes at least :math:`\gamma` apart.

    Parameters
    ----------
    k : int
        Number of patches of each class.

    n_classes : int
        Number of classes, at least 2.

    n_positions : int, default=9
        Number of pixels P of the semantic image, :math:`m_0^2` in the paper, where it is
        always 9.

    delta : float, default=0.05
        Probability of failure, as in :func:`theorem1_params`.

    sigma : float, default=1.0
        Scale of :math:`K_0`, as in :func:`theorem1_params`, but larger than 0.

    gamma : float, default=1.0
        Distance of classes, as in :func:`theorem1_params`.

    n_components : int or None, default=None
        Width n; None as in :func:`theorem1_params`.

    delta_min : float or None, default=None
        Smallest :math:`\|F_{c_1} - F_{c_2}\|`, for 'exact'.

    theta, lambda_ : float or None, default=None
        Smallest angle (radians) and norm of labeled frequency matrices, for 'paper'.

    bound : {'exact', 'paper'}, default='exact'
        'exact': as derived below. 'paper': as printed, with the printed form of Hoeffding's
        inequality.

    Returns
    -------
    params : TrainingParams
        Named tuple (n_components, max_iter, learning_rate). The number of images is
        `max_iter`.

    Raises
    ------
    ValueError
        If a parameter is out of range, a parameter that `bound` needs is missing, or
        `n_components` is below what 'paper' allows.

    Notes
    -----
    Two labels are one number for each image, -1 or 1. With several labels and an output for each,
    :math:`\|W^\top \Delta\|^2` is not a sum of the variables below, and nothing is
    promised.

    The projection of a step on a patch x is :math:`\eta y \langle w_i, f_x(X) \rangle`,
    where :math:`f_x` is 1 at the pixels that show x and 0 elsewhere. It lies in :math:`[-\eta
    \sqrt P, \eta \sqrt P]`, a range of :math:`2 \eta \sqrt P`. The paper has half of this
    range, so that its exponent is four times too large. Hoeffding's inequality
    :cite:p:`hoeffding1963` and a union over :math:`n |C| k` projections give deviations of
    at most :math:`\alpha = \sigma / (2 \sqrt n)` if

    .. math:: T \ge \left(\frac{2 P}{\alpha^2} \log \frac{2 n |C| k}{\delta}\right)^2,

    so distances differ from the distances of theorem 1 by at most :math:`2 \alpha \sqrt n =
    \sigma`. Within a class they are at most :math:`(1 + 1 / \sqrt 2) \sigma`. Between classes,
    :math:`\|W^\top \Delta\|^2 = \|\Delta\|^2 \sum_i b_i` with independent :math:`b_i \sim
    Beta(1/2, (P - 1)/2)`. If s is such that :math:`P(\sum_i b_i < s) \le \delta / M`, by
    Chernoff's bound, M the number of pairs,

    .. math:: T \ge \left(\frac{k (\gamma + (1 + 1 / \sqrt 2) \sigma)}
              {\Delta_{min} \sqrt s}\right)^4

    is enough. As printed: :math:`T > ((\gamma + 4 \sigma) k / (0.4 \lambda))^4` and
    :math:`n > \frac{\pi}{0.12\, \theta} \log \frac{|C|}{\delta}`, with the errors of
    theorem 1.

    Examples
    --------
    >>> from skhier.theory import theorem3_params
    >>> n, T, eta = theorem3_params(2, 2, delta_min=1.0, n_components=4)
    >>> eta == T**-0.75
    True
    >>> T < theorem3_params(2, 2, n_positions=16, delta_min=1.0, n_components=4).max_iter
    True
    """
    check_choice(bound, "bound", ("exact", "paper"))
    k, n_positions = check_counts(k=k, n_positions=n_positions)
    sigma, gamma = check_positive(sigma=sigma, gamma=gamma)
    delta, M = check_probability(delta, "delta"), n_pairs(n_classes)
    n_classes, n_components = int(n_classes), check_width(n_components)
    if bound == "paper":
        theta, lambda_ = check_required("bound='paper'", theta=theta, lambda_=lambda_)
        n = printed_width(_LEMMA_6, theta, n_classes, delta, n_components)
        separation = ((gamma + 4 * sigma) * k / (0.4 * lambda_)) ** 4
        range_of_steps = sqrt(n_positions)
    else:
        (delta_min,) = check_required("bound='exact'", delta_min=delta_min)
        n = n_components or default_width(M, delta)
        s = sum_of_betas_quantile(delta / M, n, n_positions)
        separation = (k * (gamma + (1 + 1 / sqrt(2)) * sigma) / (delta_min * sqrt(s))) ** 4
        range_of_steps = 2 * sqrt(n_positions)
    alpha = sigma / (2 * sqrt(n))
    # 2 exp(-2 alpha^2 / (T eta^2 range^2)) <= delta / (n |C| k), and T eta^2 = T^(-1/2).
    sqrt_T = range_of_steps**2 / (2 * alpha**2) * log(2 * n * n_classes * k / delta)
    T = ceil(max(separation, sqrt_T**2))
    return TrainingParams(n, T, T**-0.75)


def sum_of_betas_quantile(probability, n, n_positions):
    r"""Compute s with P(b_1 + ... + b_n < s) <= probability, b_i ~ Beta(1/2, (P - 1)/2).

    Chernoff's bound is :math:`\min_t e^{t s} E[e^{-t b}]^n`. At the best t for s, the tilted mean
    of the sum is s. The bound falls with t. For P = 1, b is 1.
    """
    if n_positions == 1:
        return float(n)

    def tilted(log_t):
        """Return the s for which t is the best, and the logarithm of the bound there."""
        t = exp(log_t)
        log_mean, mean = _tilted_beta(t, n_positions)
        return n * mean, n * (t * mean + log_mean)

    target = min(log(probability), -1e-9 * n)  # closer to 0, rounding errors are as large
    start = log(n_positions)  # the bound begins to fall near here
    low, high = start - 20, start + 1
    while tilted(high)[1] > target:
        high += 10  # beyond the largest float, exp raises OverflowError
    best = brentq(lambda log_t: tilted(log_t)[1] - target, low, high)
    return tilted(best)[0] * (1 - 1e-5)


def _tilted_beta(t, n_positions):
    """Return log E[exp(-t b)] and the mean of b under its density times exp(-t b), normalized."""
    (b, mass), (_, total) = (_squared_sines(tilt, n_positions) for tilt in (t, 0))
    return log(mass.sum() / total.sum()), mass / mass.sum() @ b


def _squared_sines(t, n_positions):
    """Return nodes b and weights that integrate exp(-t b) over angles with density cos^(P - 2).

    The squared sine b of an angle in (0, pi/2) with this density has the distribution
    Beta(1/2, (P - 1)/2). The interval of the Gauss-Legendre rule has all but exp(-90) of the
    integral.
    """
    largest = min(pi / 2, 15 / sqrt(t + n_positions / 2))
    angle = largest / 2 * (_NODES + 1)
    b = np.sin(angle) ** 2
    mass = np.exp(-t * b + (n_positions / 2 - 1) * np.log1p(-b))
    return b, largest * _WEIGHTS * mass
