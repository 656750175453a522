"""Lemmas 1, 5 and 7: margin, projections of opposite signs, seeds of k-means."""

from math import ceil, erf, pi, sqrt

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import norm

from .._base._params import check_real
from .._base._typing import Bound
from ._checks import (
    check_choice,
    check_counts,
    check_positive,
    check_probability,
    within_floats,
)


@within_floats
def lemma1_margin(separator_norm: float, k: int) -> float:
    r"""Margin of the observed images: :math:`1 / (\sqrt k\, \|W^*\|)` (lemma 1).

    If the separator of :math:`G_0` of smallest norm is :math:`W^*`, images made of
    orthonormal patches, k for each class, are separated with this margin. No larger one
    is possible: by symmetry the best separator treats the patches of a class alike.

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
        Distance of images to the separating hyperplane, which contains 0.

    Examples
    --------
    >>> from skhier.theory import lemma1_margin
    >>> lemma1_margin(2.0, 4)
    0.25
    """
    (separator_norm,), (k,) = check_positive(separator_norm=separator_norm), check_counts(k=k)
    return 1 / (sqrt(k) * separator_norm)


@within_floats
def perceptron_iterations(separator_norm: float, k: int, n_positions: int) -> int:
    r"""Bound on the mistakes of a perceptron, :math:`(R / margin)^2 = P k \|W^*\|^2`.

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

    Returns
    -------
    iterations : int
        After so many corrections every image is classified without error.

    Examples
    --------
    >>> from skhier.theory import perceptron_iterations
    >>> perceptron_iterations(2.0, 4, 9)
    144
    """
    (separator_norm,) = check_positive(separator_norm=separator_norm)
    k, n_positions = check_counts(k=k, n_positions=n_positions)
    return ceil(n_positions * k * separator_norm**2)


@within_floats
def lemma5_probability(theta: float, *, bound: Bound = "exact") -> float:
    r"""P(two projections are at least half their length, and of opposite signs).

    For w with N(0, 1) entries and unit vectors u, v at an angle :math:`\theta`:
    :math:`P(|w \cdot u| > 1/2, |w \cdot v| > 1/2, (w \cdot u)(w \cdot v) < 0)`.

    Parameters
    ----------
    theta : float
        Angle in radians, from 0 to pi.

    bound : {'exact', 'paper'}, default='exact'
        'paper' is what lemma 5 says: at least :math:`0.23\, \theta / \pi`. Its proof
        multiplies the probabilities of dependent events; for small angles the
        probability is far smaller, 8e-9 in place of 0.0146 at 0.2.

    Returns
    -------
    probability : float
        Probability, or the bound that is printed.

    Examples
    --------
    >>> from skhier.theory import lemma5_probability
    >>> round(lemma5_probability(0.5), 4), round(lemma5_probability(0.5, bound="paper"), 4)
    (0.0032, 0.0366)
    """
    check_choice(bound, "bound", ("exact", "paper"))
    theta = check_real(theta, "theta", 0, maximum=pi)
    if bound == "paper":
        return 0.23 * theta / pi
    if theta == pi:
        return 1 - erf(0.5 / sqrt(2))
    if theta == 0:
        return 0.0
    # w.v = cos(theta) w.u + sin(theta) g; integrate over w.u = x > 1/2, and double.
    cosine, sine = np.cos(theta), np.sin(theta)
    value, _ = quad(
        lambda x: norm.pdf(x) * norm.cdf((-0.5 - cosine * x) / sine), 0.5, 12, limit=200
    )
    return 2 * value


@within_floats
def lemma7_success_probability(
    n_clusters: int, separation: float, diameter: float = 1.0, *, size_ratio: float = 1.0
) -> float:
    r"""Probability that k-means++ puts one seed in each of well separated clusters.

    At least :math:`\prod_{i=1}^{C-1} \left(1 - \frac{i r d^2}{i r d^2 + (C - i)
    s^2}\right)`: having hit i clusters, the next seed is drawn with probability
    proportional to squared distances, at most d to hit clusters and at least s to the
    others.

    Parameters
    ----------
    n_clusters : int
        Number of clusters C.

    separation : float
        Smallest distance s of points of different clusters.

    diameter : float, default=1.0
        Largest distance d of points of one cluster.

    size_ratio : float, default=1.0
        Number of points of the largest cluster over that of the smallest, r. The paper
        has equal sizes.

    Returns
    -------
    probability : float
        A lower bound.

    See Also
    --------
    lemma7_separation : The separation that a probability needs.

    Examples
    --------
    >>> from skhier.theory import lemma7_success_probability
    >>> round(lemma7_success_probability(10, separation=20.0), 4)
    0.9532
    """
    (n_clusters,) = check_counts(n_clusters=n_clusters)
    (separation,) = check_positive(separation=separation)
    size_ratio = check_real(size_ratio, "size_ratio", 1)
    diameter = check_real(diameter, "diameter", 0)
    i = np.arange(1, n_clusters)
    covered = i * size_ratio * float(diameter) ** 2
    return float(np.prod(1 - covered / (covered + (n_clusters - i) * float(separation) ** 2)))


@within_floats
def lemma7_separation(
    n_clusters: int,
    delta: float,
    diameter: float = 1.0,
    *,
    size_ratio: float = 1.0,
    bound: Bound = "exact",
) -> float:
    r"""The separation of clusters at which k-means++ finds all, except with `delta`.

    Parameters
    ----------
    n_clusters : int
        Number of clusters C.

    delta : float
        Probability of failure.

    diameter : float, default=1.0
        Largest distance within a cluster.

    size_ratio : float, default=1.0
        Largest over smallest number of points of a cluster, for 'exact'.

    bound : {'exact', 'paper'}, default='exact'
        'paper': :math:`C / \sqrt \delta` diameters, as printed. 'exact': where
        :func:`lemma7_success_probability` is 1 - `delta`, about
        :math:`\sqrt{C \log C / \delta}`.

    Returns
    -------
    separation : float
        Distance, in the unit of `diameter`.

    Examples
    --------
    >>> from skhier.theory import lemma7_separation
    >>> lemma7_separation(100, 0.01, bound="paper"), round(lemma7_separation(100, 0.01), 1)
    (1000.0, 204.1)
    """
    check_choice(bound, "bound", ("exact", "paper"))
    (n_clusters,) = check_counts(n_clusters=n_clusters)
    (diameter,) = check_positive(diameter=diameter)
    size_ratio = check_real(size_ratio, "size_ratio", 1)
    delta = check_probability(delta, "delta")
    if bound == "paper":
        return n_clusters / sqrt(delta) * diameter
    if n_clusters == 1:
        return 0.0

    def excess(log_s):
        success = lemma7_success_probability(n_clusters, np.exp(log_s), size_ratio=size_ratio)
        return success - (1 - delta)

    largest = 350  # its square is about the largest float
    if excess(largest) < 0:
        raise OverflowError("the separation is too large")
    return float(np.exp(brentq(excess, -20, largest))) * diameter
