"""Probability that k-means groups codes into their classes: a prediction for any N."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import gammaln
from scipy.stats import norm

from .._base._params import check_flag
from ._cells import (
    CellProbabilities,
    Compared,
    cell_probabilities,
    check_exchangeable_codes,
    check_level,
)
from ._checks import check_choice, check_counts, within_floats
from ._counts import class_weights, log_expected_products
from ._power import smallest_count

if TYPE_CHECKING:
    from ..generative import HierarchicalSampler

_MAX_POISSON = 64  # larger means: the moments of square roots by their expansion
_STEP = 1e-3  # of the difference quotient of a cumulant


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
    k-means moves a code a of class c to class e if the cost falls, that is if
    :math:`\frac{k}{k + 1} \|z_a - \bar z_e\|^2 < \frac{k - 1}{k} \|z_a - \bar z_{c \setminus
    a}\|^2`. With :math:`z_a` of mean :math:`\mu_c` and independent coordinates of variances
    :math:`V_c`, the difference X of the two sides has, for :math:`\alpha = \frac{k}{k + 1}` and
    :math:`d = \mu_c - \mu_e`,

    .. math:: E X = \alpha \|d\|^2 + \frac{\sum (V_e - V_c)}{k + 1} , \quad Var X = 4 \alpha^2 \sum
        d^2 \left(V_c + \frac{V_c + V_e}{2 k}\right) + \frac{4 \sum V_c (V_c + V_e)}{k + 1} +
        \alpha^2 s^2 .

    The variance of :math:`\|d\|^2` itself is :math:`s^2`: an image shows many positions of a
    class at once. The result is :math:`\exp(-k \sum_{c \ne e} \Phi(-E X / \sqrt{Var X}))`.
    Counts are taken as Poisson variables, the moments of their square roots are exact up to a
    mean of 64, and X is taken as normal.

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
    check_choice(method, "method", tuple(_POINTS))
    compared = check_labels(labels, method)
    check_exchangeable_codes(sampler, [level], caller="grouping_probability", compared=compared)
    cells = cell_probabilities(sampler, level, labels)
    return float(np.exp(-_expected_errors(sampler, level, cells, method)(n_samples)))


def predicted_groups(
    sampler: HierarchicalSampler,
    level: int,
    cells: CellProbabilities,
    delta: float,
    method: Literal["counts", "cluster"],
) -> int:
    """Compute the N at which `grouping_probability` is 1 - delta."""
    errors, most = _expected_errors(sampler, level, cells, method), -np.log1p(-delta)
    return smallest_count(lambda n: errors(n) <= most)


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


def _expected_errors(sampler, level, cells, method):
    """Return the function of N that predicts how many moves of codes lower the cost of k-means."""
    k, (first, second) = cells.k, cells.pairs
    if k == 1:
        return lambda N: 0.0
    points, weights, scale = _POINTS[method]
    steps = _STEP * np.array([1, -1]).reshape(-1, 1, 1)
    of_first, of_second = weights(cells)
    size = np.maximum(np.abs(of_first), np.abs(of_second)).max(axis=(1, 2))
    factors = [
        np.exp(steps * (weight / size[:, None, None])[:, None]) for weight in (of_first, of_second)
    ]
    cumulants = log_expected_products(sampler, level, cells, *factors).sum(axis=1) / _STEP**2
    s2_of_one_image = cumulants.clip(min=0) * size**2
    alpha = k / (k + 1)

    def errors(N):
        mu, V, excess = points(cells, N)
        s2, total = scale(N, k) * s2_of_one_image, 0.0
        for c, e in ((first, second), (second, first)):
            d2 = (mu[c] - mu[e]) ** 2
            mean = alpha * d2.sum(axis=1) + (V[e] - V[c]).sum(axis=1) / (k + 1)
            variance = 4 * alpha**2 * (d2 * (V[c] + (V[c] + V[e]) / (2 * k))).sum(axis=1)
            variance += 4 * (V[c] * (V[c] + V[e])).sum(axis=1) / (k + 1)
            z = mean / np.sqrt(excess * variance + alpha**2 * s2)
            total += k * norm.sf(z).sum()
        return total

    return errors


def _square_roots(cells, N):
    """Return means and variances of the square roots of counts: (n_classes, n_cells) each."""
    m = (N * cells.probabilities / cells.k).reshape(cells.n_classes, -1)
    few = np.minimum(m, _MAX_POISSON)
    n = np.arange(2 * _MAX_POISSON + 40)
    log_m = np.log(np.where(few > 0, few, 1))[..., None]
    poisson = np.exp(n * log_m - few[..., None] - gammaln(n + 1)) * (few > 0)[..., None]
    large = np.maximum(m, _MAX_POISSON)
    expansion = np.sqrt(large) * (1 - 1 / (8 * large) - 7 / (128 * large**2))
    mu = np.where(m <= _MAX_POISSON, poisson @ np.sqrt(n), expansion)
    V = np.where(m <= _MAX_POISSON, m - mu**2, 0.25 + 3 / (32 * large))
    return mu, V.clip(min=0), 1.0


def _class_means(cells, N):
    """Return means and variances of centred counts, and the excess of their variance.

    Counts of n labels, less their mean, vary in n - 1 directions.
    """
    n = cells.n_labels
    mu = N / cells.k * cells.labeled_frequencies.reshape(cells.n_classes, -1)
    q = cells.probabilities.sum(axis=1, keepdims=True) / n
    V = np.broadcast_to(N / cells.k * q * (1 - 1 / n), cells.probabilities.shape)
    return mu, V.reshape(mu.shape), n / (n - 1)


def _mean_weights(cells):
    """Return the derivatives of the squared distance of class means by the counts of classes."""
    (c, e), F = cells.pairs, cells.labeled_frequencies
    return 2 * (F[c] - F[e]), -2 * (F[c] - F[e])


# Moments of the points, the weights of counts in their squared distance to first order, and the
# factor of the variance of this sum.
_POINTS = {
    "counts": (_square_roots, class_weights, lambda N, k: N / k**2),
    "cluster": (_class_means, _mean_weights, lambda N, k: N**3 / k**4),
}
