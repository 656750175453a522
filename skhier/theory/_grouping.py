"""Probability that k-means groups codes into their classes: a prediction for any N."""

from __future__ import annotations

from math import log, log1p
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import comb, log_ndtr, ndtr

from .._base._params import check_choice, check_flag
from ._cells import (
    CellProbabilities,
    Compared,
    cell_probabilities,
    check_exchangeable_codes,
    check_level,
    log_expected_products,
)
from ._checks import check_counts, within_floats
from ._counts import class_weights
from ._moves import Points, move_score
from ._power import smallest_count

if TYPE_CHECKING:
    from ..generative import HierarchicalSampler

_STEP = 1e-3  # of the difference quotient of a cumulant
_MAX_CODES = 30  # of a class, in sums over subsets
_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(41)
_NODE_WEIGHTS = _NODE_WEIGHTS / _NODE_WEIGHTS.sum()  # means of functions of a normal variable


@within_floats
def grouping_probability(
    sampler: HierarchicalSampler,
    level: int,
    *,
    n_samples: int,
    method: Literal["counts", "cluster"] = "counts",
    labels: bool = True,
) -> float:
    r"""Predict the probability that k-means groups all codes of a level into their classes.

    Parameters
    ----------
    sampler : HierarchicalSampler
        A fitted sampler with disjoint sets of equally likely patches, and no noise.

    level : int
        Level i, from 0 to n_levels - 1.

    n_samples : int
        Number of images N.

    method : {'counts', 'cluster'}, default='counts'
        Points of k-means: square roots of counts (the solver 'counts' of
        :class:`~skhier.TwoLayerConvEmbedder`), or class means (its solver 'kmeans').

    labels : bool, default=True
        Whether images have labels. Without labels a cell is a position; 'cluster' needs labels.

    Returns
    -------
    probability : float
        Predicted probability that there is no error.

    Raises
    ------
    ValueError
        If an argument is out of range, or the sampler does not meet the assumptions; the message
        says which.

    See Also
    --------
    required_samples : The number of images for a given probability.

    Notes
    -----
    Let D be the difference of the means of the points of classes c and e, and :math:`V_c` the
    variances of the coordinates of a point. Groups that are not the classes cost less if

    - a move of one point x of class c to class e does: :math:`Z = \frac{k}{k + 1} \|x - m'\|^2 -
      \frac{k - 1}{k} \|x - m\|^2 < 0`, with m the mean of the k - 1 other points of c, and m' the
      mean of the k points of e;
    - c and e in one group and two groups of a third class f do: :math:`\frac k2 \|D\|^2` is less
      than what is saved, of mean :math:`\sum V_f` and variance :math:`2 \sum V_f^2`, for each of
      :math:`2^{k - 1} - 1` splits of each class f.

    P(Z < 0) is a saddlepoint approximation. Codes that are seen a few times only decide it, so
    counts are Poisson variables there, and are taken as normal above a mean of 16; m and m' are
    normal. Class means are taken as normal. Given :math:`\|D\|^2`, events of different codes
    are independent; let t be the sum of their probabilities. The result is the product of
    :math:`E\, e^{-t}` over the pairs of classes. The mean is over :math:`\|D\|^2`, normal of mean
    :math:`\|d\|^2 + \frac1k \sum (V_c + V_e)` and variance :math:`s^2 + \frac{2}{k^2} \sum (V_c +
    V_e)^2`, where d is the mean of D, and :math:`s^2` the variance of :math:`\|D\|^2` to first
    order: an image shows many positions of a class at once.

    Codes that no image shows are one point. So of any m classes, all codes of m - 1 have to be
    seen, and the result is at most the sum of the exact probabilities of the m classes, divided by
    m - 1. The result is meant for numbers of images that show most codes in each of their cells.
    With fewer it need not grow with N, and is often too large: in simulated models of one or two
    positions, up to 0.44 where 'counts' never succeeded, and 0.7 where 'cluster' hardly did.

    Examples
    --------
    >>> from skhier import HierarchicalSampler
    >>> from skhier.theory import grouping_probability
    >>> sampler = HierarchicalSampler(patches_per_class=8, random_state=0).fit()
    >>> for method in ["counts", "cluster"]:
    ...     print(method, round(grouping_probability(sampler, 1, n_samples=100, method=method), 1))
    counts 1.0
    cluster 0.0
    """
    level, (n_samples,) = check_level(sampler, level), check_counts(n_samples=n_samples)
    check_choice(method, "method", _POINTS)
    compared = check_labels(labels, method)
    check_exchangeable_codes(sampler, [level], caller="grouping_probability", compared=compared)
    cells = cell_probabilities(sampler, level, labels)
    return 1 - float(_failure(sampler, level, cells, method)(n_samples))


def predicted_groups(
    sampler: HierarchicalSampler,
    level: int,
    cells: CellProbabilities,
    delta: float,
    method: Literal["counts", "cluster"],
) -> int:
    """Compute the N at which `grouping_probability` is 1 - delta."""
    failure = _failure(sampler, level, cells, method)
    return smallest_count(lambda n: failure(n) <= delta)


def check_labels(labels: bool, method: str) -> Compared:
    """Return what has to differ between classes; ValueError if the method needs labels."""
    check_flag(labels, "labels")
    counted = method in ("counts", "rigorous_counts")
    if not (labels or counted):
        raise ValueError(
            f"labels=False is not valid for method={method!r}: it takes 'counts' or "
            "'rigorous_counts', which count codes without labels too."
        )
    if not counted:
        return "labeled frequencies"
    return "cell probabilities" if labels else "frequencies at all positions"


def _failure(sampler, level, cells, method):
    """Return the function of N that predicts the probability that other groups cost less."""
    k, (first, second) = cells.k, cells.pairs
    if k == 1:
        return lambda N: 0.0
    points_of, weights_of, scale = _POINTS[method]
    weights = weights_of(cells)
    of_image = _variance_of_sums(sampler, level, cells, *weights)
    of_cells = (cells.probabilities[first] * weights[0] ** 2).sum(axis=(1, 2))
    of_cells += (cells.probabilities[second] * weights[1] ** 2).sum(axis=(1, 2))
    seen = _seen_in_full(sampler, level, cells)
    log_n_splits = (k - 1) * log(2) + log1p(-(2.0 ** (1 - k)))

    def failure(N):
        points = points_of(cells, N)
        n, V = points.multiplicity, points.variances
        total, squares = V @ n, V**2 @ n
        mean = ((points.means[first] - points.means[second]) ** 2 + (V[first] + V[second]) / k) @ n
        variance = scale(N, k) * of_image + 2 * (V[first] + V[second]) ** 2 @ n / k**2
        # |D|^2 at the nodes, for each pair of classes.
        D2 = np.maximum(mean[:, None] + np.sqrt(variance)[:, None] * _NODES, 0)
        t = np.zeros(D2.shape)
        of_D2 = (k / (k + 1)) ** 2 * variance
        extra = (k / (k + 1)) ** 2 * scale(N, k) * (of_image - of_cells)
        for i, (c, e) in enumerate(zip(first, second)):
            for pair in ((c, e), (e, c)):
                score, of_Z = move_score(points, *pair, k)
                # Positions of an image depend on each other, which changes the variance.
                variance_ratio = max(1 + extra[i] / of_Z, 0.1)
                shared = min(of_D2[i] / (of_Z * variance_ratio), 0.95)
                score = score / np.sqrt(variance_ratio)
                t[i] += k * ndtr(-(score + np.sqrt(shared) * _NODES) / np.sqrt(1 - shared))
        for f in range(cells.n_classes):
            is_third = (first != f) & (second != f)
            split = (k * D2[is_third] / 2 - total[f]) / np.sqrt(2 * squares[f])
            t[is_third] += np.exp(np.minimum(log_ndtr(-split) + log_n_splits, 100))
        # Of each pair of classes; a product of complements would lose small probabilities.
        of_pairs = np.minimum(-np.expm1(-t) @ _NODE_WEIGHTS, 1)
        with np.errstate(divide="ignore"):
            predicted = -np.expm1(np.log1p(-of_pairs).sum())
        # Codes that are not seen are one point: of m classes, m - 1 have to be seen in full.
        in_full = np.cumsum(np.sort(seen(N)))[1:] / np.arange(1, cells.n_classes)
        return max(predicted, 1 - in_full.min())

    return failure


def _seen_in_full(sampler, level, cells):
    """Return the function of N that computes, for each class, P(N images show all its codes).

    From `_MAX_CODES` codes of each class, as the sum over subsets cancels for more.
    """
    C, j = cells.n_classes, np.arange(min(cells.k, _MAX_CODES) + 1)
    factors = np.ones((C, len(j), C, 1, 1))
    factors[np.arange(C), :, np.arange(C), 0, 0] = 1 - j / cells.k
    unseen = sampler.expected_product(level, factors).mean(axis=0)
    signs = (-1.0) ** j * comb(j[-1], j)
    return lambda N: (unseen**N @ signs).clip(0, 1)


def _variance_of_sums(sampler, level, cells, first, second):
    """Return the variance of sums over the pixels of an image, for each pair of classes.

    A pixel has the weight `first` or `second`, (n_pairs, n_labels, n_positions), where it shows the
    first or the second class of the pair, else 0.
    """
    steps = _STEP * np.array([1, -1]).reshape(-1, 1, 1)
    size = np.maximum(np.abs(first), np.abs(second)).max(axis=(1, 2))
    factors = [np.exp(steps * (w / size[:, None, None])[:, None]) for w in (first, second)]
    cumulants = log_expected_products(sampler, level, cells, *factors).sum(axis=1) / _STEP**2
    return cumulants.clip(min=0) * size**2


def _square_roots(cells, N):
    """Return the square roots of counts."""
    m = (N * cells.probabilities / cells.k).reshape(cells.n_classes, -1)
    m, multiplicity = np.unique(m, axis=1, return_counts=True)
    return Points.square_roots(multiplicity, m)


def _class_means(cells, N):
    """Return centred counts, as normal points.

    Counts of n labels, less their mean, vary in n - 1 directions. So each coordinate stands for 1 -
    1 / n of one, and is larger in turn.
    """
    share = 1 - 1 / cells.n_labels
    means = N / cells.k * cells.labeled_frequencies.reshape(cells.n_classes, -1)
    q = cells.probabilities.mean(axis=1, keepdims=True)
    variances = np.broadcast_to(N / cells.k * q, cells.probabilities.shape).reshape(means.shape)
    return Points.normal(np.full(means.shape[1], share), means / np.sqrt(share), variances)


def _mean_weights(cells):
    """Return the derivatives of the squared distance of class means by the counts of classes."""
    (c, e), F = cells.pairs, cells.labeled_frequencies
    return 2 * (F[c] - F[e]), -2 * (F[c] - F[e])


# Distribution of the points, the weights of counts in their squared distance to first order, and
# the factor of the variance of this sum.
_POINTS = {
    "counts": (_square_roots, class_weights, lambda N, k: N / k**2),
    "cluster": (_class_means, _mean_weights, lambda N, k: N**3 / k**4),
}
