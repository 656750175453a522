"""Theorem 1: population gradient descent pulls semantic classes apart."""

from math import ceil, floor, log, pi, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import chi2

from .._base._params import check_choice, check_real
from .._base._typing import Bound
from .._base._validation import to_floats
from ._checks import (
    check_counts,
    check_positive,
    check_probability,
    check_required,
    check_width,
    n_pairs,
    within_floats,
)

# As printed, P(two projections are long and have opposite signs) is at least this times theta / pi.
_LEMMA_5 = 0.23


class TrainingParams(NamedTuple):
    r"""Parameters of gradient descent: width of the network, number of steps, step size.

    Attributes
    ----------
    n_components : int
        Width n of the network.

    max_iter : int
        Number T of gradient steps.

    learning_rate : float
        Step size :math:`\eta`.

    Examples
    --------
    >>> from skhier.theory import theorem1_params
    >>> n, T, eta = theorem1_params(30, 4, delta_min=0.28, n_components=64)
    >>> n, eta
    (64, 0.001)
    """

    n_components: int
    max_iter: int
    learning_rate: float


@within_floats
def theorem1_params(
    k: int,
    n_classes: int,
    *,
    delta: float = 0.05,
    sigma: float = 1.0,
    gamma: float = 1.0,
    learning_rate: float = 1e-3,
    n_components: int | None = None,
    delta_min: float | None = None,
    theta: float | None = None,
    lambda_: float | None = None,
    bound: Bound = "exact",
) -> TrainingParams:
    r"""Compute the width n and number of steps T for which theorem 1 promises separation.

    The patches are drawn uniformly from disjoint sets, k for each class (assumption 2). Their
    codes are orthonormal (assumption 4), as one-hot codes are. After T
    steps of size :math:`\eta` along the population gradient, with probability at least
    1 - `delta` over :math:`W_0`,

    1. patches of one class: :math:`\|K_T^\top (x_1 - x_2)\| \le \sigma`,
    2. patches of different classes: :math:`\|K_T^\top (x_1 - x_2)\| \ge \gamma`.

    Parameters
    ----------
    k : int
        Number of patches of each class.

    n_classes : int
        Number of classes :math:`|C|`, at least 2.

    delta : float, default=0.05
        Probability of failure.

    sigma : float, default=1.0
        Largest distance within a class. The columns of :math:`K_0` lie on a sphere of
        radius :math:`\sigma / (2 \sqrt n)`: `init_scale` of
        :class:`~skhier.TwoLayerConvEmbedder`. With 0, T is least.

    gamma : float, default=1.0
        Smallest distance between classes.

    learning_rate : float, default=1e-3
        Step size :math:`\eta`.

    n_components : int or None, default=None
        Width n. If None: for 'exact', :math:`\lceil 16 \log(p / \delta) \rceil` with p
        the number of pairs of classes (a larger n hardly lowers T); for 'paper', the
        smallest width that it allows.

    delta_min : float or None, default=None
        Smallest :math:`\|F_{c_1} - F_{c_2}\|`, for 'exact'; see
        :meth:`~skhier.HierarchicalSampler.statistics`.

    theta, lambda_ : float or None, default=None
        Smallest angle (radians) and smallest norm of labeled frequency matrices, for
        'paper'.

    bound : {'exact', 'paper'}, default='exact'
        'exact' holds for every width, two classes and any angles. 'paper' is the
        statement as printed.

    Returns
    -------
    params : TrainingParams
        Named tuple (n_components, max_iter, learning_rate), parameters of
        :class:`~skhier.TwoLayerConvEmbedder`.

    Raises
    ------
    ValueError
        If a parameter is out of range, a parameter that `bound` needs is missing, or
        `n_components` is below what 'paper' allows.

    See Also
    --------
    theorem1_failure_probability : Bound on the failure probability for a given width and T.

    Notes
    -----
    As printed: :math:`n > \frac{\pi}{0.23\, \theta} \log \frac{|C|}{\delta}` and
    :math:`T > \frac{k (\gamma + 2 \sigma)}{\eta \lambda}`, under assumption 3. The proof
    treats three dependent events of lemma 5 as independent, and has a factor
    :math:`|C|` for a union over pairs. At :math:`\theta = 0.005`, :math:`|C| = 4`,
    :math:`\delta = 0.05`, equal norms and :math:`\sigma` much smaller than :math:`\gamma`, it
    requires n = 12,000 where 40,000 are needed: the classes are almost surely not separated.

    'exact': by lemma 3, :math:`K_T^\top x = K_0^\top x + \frac{\eta T}{k} W_0^\top F_c`.
    Within a class only :math:`K_0` differs, and :math:`\|K_0^\top (x_1 - x_2)\| \le
    \sigma / \sqrt 2` always, as :math:`\|x_1 - x_2\| = \sqrt 2`; its mean square is less,
    :math:`\sigma^2 / (2 |C| k)`. Between classes,
    :math:`\|W_0^\top (F_{c_1} - F_{c_2})\|^2` is :math:`\|F_{c_1} - F_{c_2}\|^2` times a
    :math:`\chi^2_n` variable. With q its quantile at :math:`\delta / p`,

    .. math:: T \ge \frac{k (\gamma + \sigma / \sqrt 2)}{\eta\, \Delta_{min} \sqrt q}

    is enough.

    Examples
    --------
    >>> from skhier.theory import theorem1_failure_probability, theorem1_params
    >>> T = theorem1_params(30, 4, delta_min=0.28, n_components=64).max_iter
    >>> bool(theorem1_failure_probability(T, 30, [0.28] * 6, n_components=64) <= 0.05)
    True

    As printed, n > 41.3 and T > 30 (1 + 2) / (0.001 * 0.18) = 500,000:

    >>> theorem1_params(30, 4, theta=1.45, lambda_=0.18, bound="paper")
    TrainingParams(n_components=42, max_iter=500001, learning_rate=0.001)
    """
    check_choice(bound, "bound", ("exact", "paper"))
    (k,) = check_counts(k=k)
    gamma, learning_rate = check_positive(gamma=gamma, learning_rate=learning_rate)
    sigma = check_real(sigma, "sigma", 0)
    delta, p = check_probability(delta, "delta"), n_pairs(n_classes)
    n_classes, n_components = int(n_classes), check_width(n_components)
    if bound == "paper":
        theta, lambda_ = check_required("bound='paper'", theta=theta, lambda_=lambda_)
        n = printed_width(_LEMMA_5, theta, n_classes, delta, n_components)
        T = floor(k * (gamma + 2 * sigma) / (learning_rate * lambda_)) + 1
        return TrainingParams(n, T, learning_rate)
    (delta_min,) = check_required("bound='exact'", delta_min=delta_min)
    n = n_components or default_width(p, delta)
    q = chi2.ppf(delta / p, float(n))  # SciPy takes no int of more than 64 bits
    T = ceil(k * (gamma + sigma / sqrt(2)) / (learning_rate * delta_min * sqrt(q)))
    return TrainingParams(n, T, learning_rate)


def default_width(n_pairs, delta):
    """Return a width n at which q, the chi-square quantile at delta / n_pairs, is at least n / 2.

    By Laurent and Massart (2000), q >= n - 2 sqrt(n log(n_pairs / delta)).
    """
    return ceil(16 * log(n_pairs / delta))


def printed_width(constant, theta, n_classes, delta, n_components):
    """Return the least n > pi / (constant theta) log(|C| / delta), or a larger `n_components`."""
    check_real(theta, "theta", 0, maximum=pi, or_equal=False)
    n = floor(pi / (constant * theta) * log(n_classes / delta)) + 1
    if n_components is not None and n_components < n:
        raise ValueError(
            f"n_components={n_components} is below {n}, the smallest width that "
            "bound='paper' allows for these parameters."
        )
    return n_components or n


@within_floats
def theorem1_failure_probability(
    max_iter: ArrayLike,
    k: int,
    distances: ArrayLike,
    *,
    n_components: int,
    learning_rate: float = 1e-3,
    sigma: float = 1.0,
    gamma: float = 1.0,
) -> np.ndarray:
    r"""Bound the probability that classes are less than `gamma` apart after T steps.

    The union bound is :math:`\sum_{c_1 < c_2} P\left(\chi^2_n < \left(\frac{k (\gamma +
    \sigma / \sqrt 2)} {\eta T \|F_{c_1} - F_{c_2}\|}\right)^2\right)`, with the distance of
    each pair; see :func:`theorem1_params`. For a single pair of patches without
    :math:`K_0` (`sigma` = 0) it is the probability itself.

    Parameters
    ----------
    max_iter : array-like of int of any shape
        Numbers of steps T, at least 0.

    k : int
        Number of patches of each class.

    distances : array-like of shape (n_pairs,)
        Distances :math:`\|F_{c_1} - F_{c_2}\|` of all pairs of classes.

    n_components : int
        Width n.

    learning_rate : float, default=1e-3
        Step size :math:`\eta`.

    sigma : float, default=1.0
        As in :func:`theorem1_params`; 0 for :math:`K_0 = 0`.

    gamma : float, default=1.0
        As in :func:`theorem1_params`.

    Returns
    -------
    probability : ndarray of the shape of `max_iter`
        Bounds, at most 1.

    Raises
    ------
    ValueError
        If a parameter is out of range, `max_iter` holds a number that is not whole, or
        `distances` does not hold one number >= 0 for each pair.

    Examples
    --------
    The bound falls with the number of steps, from 1 on:

    >>> from skhier.theory import theorem1_failure_probability
    >>> p = theorem1_failure_probability([0, 20_000, 30_000], 30, [0.28] * 6, n_components=64)
    >>> bool(p[0] == 1 and p[0] >= p[1] > p[2])
    True
    """
    k, n_components = check_counts(k=k, n_components=n_components)
    gamma, learning_rate = check_positive(gamma=gamma, learning_rate=learning_rate)
    sigma = check_real(sigma, "sigma", 0)
    distances, steps = to_floats(distances, "distances"), to_floats(max_iter, "max_iter")
    if distances.ndim != 1 or not distances.size or distances.min() < 0:
        raise ValueError(
            f"distances={distances} of shape {distances.shape} are not valid: it takes one number "
            ">= 0 for each pair of classes, of shape (n_pairs,)."
        )
    if (steps < 0).any() or (steps % 1).any():
        raise ValueError(f"max_iter={max_iter!r} is not valid: it takes whole numbers >= 0.")
    # An infinite ratio gives a probability of 1, an infinite signal a probability of 0.
    with np.errstate(divide="ignore", over="ignore"):
        signal = learning_rate * steps[..., None] * distances / k
        ratio = (gamma + sigma / sqrt(2)) / signal
        failures = chi2.cdf(ratio**2, float(n_components)).sum(axis=-1)
    return np.minimum(failures, 1.0)
