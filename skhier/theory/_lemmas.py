"""Lemmas 1, 5 and 7: margin, projections with opposite signs, seeds of k-means."""

from math import ceil, exp, expm1, log, log1p, pi, sin, sqrt

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq

from .._base._params import check_choice, check_count, check_real
from .._base._typing import Bound
from ._checks import check_counts, check_positive, check_probability, within_floats


@within_floats
def lemma1_margin(separator_norm: float, k: int) -> float:
    r"""Compute the margin of the observed images: :math:`1 / (\sqrt k\, \|W^*\|)` (lemma 1).

    Let :math:`W^*` be the separator of :math:`G_0` with the smallest norm. Images of
    orthonormal patches, k for each class, are then separated with this margin. No larger margin
    is possible: by symmetry the best separator treats the patches of a class alike.
    For more than two labels, W has a part for each label. The margin of an image is then the
    product with the part of its label minus the largest product with another part, for W of
    norm 1.

    Parameters
    ----------
    separator_norm : float
        Norm of :math:`W^*`, the inverse of `margin_` of
        :class:`~skhier.HierarchicalSampler`.

    k : int
        Number of patches of each class.

    Returns
    -------
    margin : float
        Distance of images to the separating hyperplane, which contains 0, for two labels.

    Raises
    ------
    ValueError
        If a parameter is not in its range.

    Examples
    --------
    >>> from skhier.theory import lemma1_margin
    >>> lemma1_margin(2.0, 4)
    0.25
    """
    (separator_norm,), (k,) = check_positive(separator_norm=separator_norm), check_counts(k=k)
    return 1 / (sqrt(k) * separator_norm)


@within_floats
def perceptron_iterations(
    separator_norm: float, k: int, n_positions: int, *, n_labels: int = 2
) -> int:
    r"""Bound the mistakes of a perceptron by :math:`(R / margin)^2 = P k \|W^*\|^2`.

    The codes of an image have norm :math:`R = \sqrt P`, with P pixels in its semantic
    image. Theorem 2 gives the support vector machine :math:`O(k \|W^*\|^2)` iterations, the
    same with P as a constant.

    Parameters
    ----------
    separator_norm : float
        Norm of :math:`W^*`.

    k : int
        Number of patches of each class.

    n_positions : int
        Number of pixels of the semantic image.

    n_labels : int, default=2
        Number of labels. For more than two, the bound is twice as large.

    Returns
    -------
    iterations : int
        Largest number of corrections. After it every image is classified without error.

    Raises
    ------
    ValueError
        If a parameter is not in its range.

    Notes
    -----
    For two labels this is Novikoff's theorem :cite:p:`novikoff1962`. For more labels, a
    correction adds the codes to the part of the right label and subtracts them from the part of
    another label whose product is not smaller (Kesler's construction): a vector of norm
    :math:`\sqrt{2 P}`.

    Examples
    --------
    >>> from skhier.theory import perceptron_iterations
    >>> perceptron_iterations(2.0, 4, 9), perceptron_iterations(2.0, 4, 9, n_labels=10)
    (144, 288)
    """
    (separator_norm,) = check_positive(separator_norm=separator_norm)
    k, n_positions = check_counts(k=k, n_positions=n_positions)
    n_labels = check_count(n_labels, "n_labels", 2)
    squared_norm = n_positions if n_labels == 2 else 2 * n_positions
    return ceil(squared_norm * k * separator_norm**2)


@within_floats
def lemma5_probability(theta: float, *, bound: Bound = "exact") -> float:
    r"""Compute the probability of two long projections with opposite signs (lemma 5).

    For w with N(0, 1) entries and unit vectors u, v at an angle :math:`\theta`:
    :math:`P(|w \cdot u| > 1/2, |w \cdot v| > 1/2, (w \cdot u)(w \cdot v) < 0)`.

    Parameters
    ----------
    theta : float
        Angle in radians, from 0 to pi.

    bound : {'exact', 'paper'}, default='exact'
        'exact': the probability. 'paper': the lower bound of lemma 5, :math:`0.23\, \theta /
        \pi`. Its proof multiplies the probabilities of dependent events. For small angles the
        probability is far smaller, 8e-9 in place of 0.0146 at 0.2.

    Returns
    -------
    probability : float
        The probability, or the printed bound.

    Raises
    ------
    ValueError
        If a parameter is not in its range.

    Notes
    -----
    For normal variables of correlation r, :math:`\partial P(X > h, Y > h) / \partial r` is the
    density at (h, h). As P is 0 at :math:`\theta = 0`, the probability is :math:`\frac1\pi
    \int_0^\theta \exp\left(-\frac{1}{8 \sin^2(t / 2)}\right) dt`.

    Examples
    --------
    At a right angle the projections are independent, and half of the pairs have opposite signs.
    At an angle of 0.5 the printed bound does not hold:

    >>> from math import erfc, pi, sqrt
    >>> from skhier.theory import lemma5_probability
    >>> round(lemma5_probability(pi / 2) / erfc(0.5 / sqrt(2)) ** 2, 6)
    0.5
    >>> lemma5_probability(0.5) < lemma5_probability(0.5, bound="paper")
    True
    """
    check_choice(bound, "bound", ("exact", "paper"))
    theta = check_real(theta, "theta", 0, maximum=pi)
    if bound == "paper":
        return 0.23 * theta / pi
    if theta < 0.02:
        return 0.0  # less than the smallest float
    # The integral of the derivative by the angle, by Plackett (1954): smooth for all angles.
    value, _ = quad(lambda t: exp(-1 / (8 * sin(t / 2) ** 2)), 0, theta, limit=200, epsabs=0)
    return value / pi


@within_floats
def lemma7_success_probability(
    n_clusters: int,
    separation: float,
    diameter: float = 1.0,
    *,
    size_ratio: float = 1.0,
    n_trials: int = 1,
) -> float:
    r"""Bound the probability that k-means++ puts one seed in each of well separated clusters.

    The probability is at least :math:`\prod_{i=1}^{C-1} \left(1 -
    \frac{i r d^2}{i r d^2 + (C - i) s^2}\right)`. Once i clusters are hit, the next seed is drawn
    with probability proportional to the squared distance to the nearest seed. This distance is at
    most d in hit clusters and at least s in the others.

    Parameters
    ----------
    n_clusters : int
        Number of clusters C.

    separation : float
        Smallest distance s of points of different clusters.

    diameter : float, default=1.0
        Largest distance d of points of one cluster.

    size_ratio : float, default=1.0
        Ratio r of the numbers of points in the largest and the smallest cluster. The paper
        has equal sizes.

    n_trials : int, default=1
        Number of candidates from which each seed after the first is chosen, by any rule.

    Returns
    -------
    probability : float
        A lower bound.

    Raises
    ------
    ValueError
        If a parameter is not in its range.

    See Also
    --------
    lemma7_separation : The separation at which the bound is a given probability.

    Notes
    -----
    The seeding is by Arthur and Vassilvitskii :cite:p:`arthur2007`. Greedy seeding, as in
    :class:`sklearn.cluster.KMeans` with :math:`2 + \lfloor \log C \rfloor` candidates, may
    choose a candidate in a hit cluster, if this cluster is far larger than the others. All
    candidates avoid the hit clusters with the probability for one candidate, raised to the power
    `n_trials`. So the bound is raised to this power.

    Examples
    --------
    >>> from skhier.theory import lemma7_separation, lemma7_success_probability
    >>> separation = lemma7_separation(10, delta=0.05)
    >>> round(lemma7_success_probability(10, separation), 6)
    0.95
    """
    n_clusters, n_trials = check_counts(n_clusters=n_clusters, n_trials=n_trials)
    (separation,) = check_positive(separation=separation)
    size_ratio = check_real(size_ratio, "size_ratio", 1)
    diameter = check_real(diameter, "diameter", 0)
    odds = _lemma7_odds(n_clusters, size_ratio)
    with np.errstate(over="ignore"):  # infinite odds: a probability of 0
        odds = odds * np.square(np.divide(float(diameter), float(separation)))
    return exp(-n_trials * np.log1p(odds).sum())


def _lemma7_odds(n_clusters, size_ratio):
    """Compute i r / (C - i), the odds of a seed in i hit clusters if all distances were equal."""
    i = np.arange(1, n_clusters)
    return i * float(size_ratio) / (n_clusters - i)


@within_floats
def lemma7_separation(
    n_clusters: int,
    delta: float,
    diameter: float = 1.0,
    *,
    size_ratio: float = 1.0,
    n_trials: int = 1,
    bound: Bound = "exact",
) -> float:
    r"""Compute the separation at which k-means++ seeds every cluster, except with `delta`.

    Parameters
    ----------
    n_clusters : int
        Number of clusters C.

    delta : float
        Probability of failure.

    diameter : float, default=1.0
        Largest distance within a cluster.

    size_ratio : float, default=1.0
        Ratio of the largest and the smallest number of points of a cluster; 1 for 'paper'.

    n_trials : int, default=1
        Number of candidates for each seed; 1 for 'paper'.

    bound : {'exact', 'paper'}, default='exact'
        'paper': :math:`C / \sqrt \delta` diameters, as printed. 'exact': where
        :func:`lemma7_success_probability` is 1 - `delta`, about
        :math:`\sqrt{C \log C / \delta}`.

    Returns
    -------
    separation : float
        Distance, in the unit of `diameter`.

    Raises
    ------
    ValueError
        If a parameter is out of range, or `size_ratio` or `n_trials` is not 1 for 'paper'.

    Examples
    --------
    >>> from skhier.theory import lemma7_separation
    >>> lemma7_separation(100, 0.01, bound="paper")  # 100 / sqrt(0.01)
    1000.0
    >>> lemma7_separation(100, 0.01) < 1000
    True
    """
    check_choice(bound, "bound", ("exact", "paper"))
    n_clusters, n_trials = check_counts(n_clusters=n_clusters, n_trials=n_trials)
    (diameter,) = check_positive(diameter=diameter)
    size_ratio = check_real(size_ratio, "size_ratio", 1)
    delta = check_probability(delta, "delta")
    if bound == "paper":
        if size_ratio != 1 or n_trials != 1:
            raise ValueError(
                f"size_ratio={size_ratio!r} and n_trials={n_trials!r} are not valid: "
                "bound='paper' is for clusters of equal sizes and one candidate, 1 and 1."
            )
        return n_clusters / sqrt(delta) * diameter
    if n_clusters == 1:
        return 0.0
    odds, failure = _lemma7_odds(n_clusters, size_ratio), -log1p(-delta) / n_trials

    def excess(log_s2):
        return log(np.log1p(odds * exp(-log_s2)).sum()) - log(failure)

    # The sum is at least its largest term, and at most the sum of the arguments of log1p.
    low, high = log(odds.max() / expm1(failure)), log(odds.sum() / failure)
    return exp(brentq(excess, low - 1e-6, high + 1e-6, xtol=1e-14) / 2) * diameter
