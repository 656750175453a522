"""Numbers of images that are needed to learn the classes of patches."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, log
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from .._base._params import check_choice, check_fitted, check_flag
from ._cells import (
    CellProbabilities,
    Compared,
    PairStatistics,
    cell_probabilities,
    check_exchangeable_codes,
    check_level,
)
from ._checks import check_probability, within_floats
from ._context import context_cells, pair_changes, pair_probabilities
from ._moments import pair_unseen_probability, unseen_probability
from ._power import smallest_count

if TYPE_CHECKING:
    from ..generative import HierarchicalSampler


@within_floats
def necessary_samples(
    sampler: HierarchicalSampler,
    delta: float = 0.05,
    method: Literal["coverage", "pixels", "pairs", "gaussian"] = "coverage",
    *,
    level: int | None = None,
    labels: bool = True,
    context: tuple[int, int] | None = None,
) -> int:
    r"""Compute a lower bound on the number of images from which classes are learned.

    With fewer images, the probability of failure is more than `delta`.

    Parameters
    ----------
    sampler : HierarchicalSampler
        As in :func:`required_samples`. Classes have to differ in what the algorithms see: for
        'gaussian' in :math:`F_c`, for 'pixels' in their frequencies given the label, for the
        others in nothing.

    delta : float, default=0.05
        Probability of failure.

    method : {'coverage', 'pixels', 'pairs', 'gaussian'}, default='coverage'
        The algorithms that need at least this number of images:

        - 'coverage': all algorithms that have to know all patches. **Proved.**
        - 'pixels': all algorithms, on the model that has the same frequencies of classes and in
          which, given the label, pixels are independent; also if they know these frequencies.
          **Proved.** So no algorithm needs fewer images on all models with these frequencies.
        - 'pairs': all algorithms that see, of each image, the label and the codes of a pixel and
          its neighbour at the offset `context`, even if they know the classes of all other codes.
          At a level of two pixels, these are all algorithms. **Proved.**
        - 'gaussian': an oracle that knows all :math:`F_c` and sees :math:`M_a`, as if it were
          normal. A **prediction**.

        'pixels' and 'gaussian' do not bound algorithms that use neighboring patches of other
        models: there, a single image may show the class of a patch by its context.

    level : int or None, default=None
        The level whose patches are grouped. None: the largest number of all levels; for
        'pixels' and 'gaussian' level 0 is left out if there are others, as a head takes its
        patches. 'pairs' needs a level.

    labels : bool, default=True
        Whether algorithms see labels, for 'pairs'.

    context : (int, int) or None, default=None
        Offset (down, right) of the neighbour, for 'pairs' only. The pixel is the first one that
        has such a neighbour.

    Returns
    -------
    n_samples : int
        Number of images.

    Raises
    ------
    ValueError
        If the sampler does not meet the assumptions, and the message says which; or if `context`
        does not fit the method.

    See Also
    --------
    required_samples : Numbers that suffice.

    Notes
    -----
    'coverage': with :math:`p_a` the probability that N images do not show a, and
    :math:`p_{ab}` that they show neither a nor b (:func:`coverage_probability`), a patch
    is missing with probability at least :math:`\sum_a p_a^2 / \sum_b p_{ab}`
    :cite:p:`decaen1997`;
    the number is the smallest N at which this is at most `delta`.

    'pixels': the theorem in :ref:`lower-bounds`. With a single patch in each class there is
    nothing to group, and the number is 1.

    'pairs': take two hypotheses that differ by an exchange of a and b, of classes c and e, wherever
    they are, at the pixel or at the neighbour. With :math:`\rho` the affinity of what an image
    shows, a label and two codes, a test with errors of at most :math:`\delta` needs
    :math:`\rho^{2 N} \le 4 \delta`.

    'gaussian': the oracle errs on a patch with probability :math:`\Phi(-\sqrt N
    \|\Sigma^{-1/2} \Delta / k\| / 2)`, :math:`\Sigma = diag(q / k)`. At this N the sum of the
    probabilities of 2 k patches is `delta`.

    Examples
    --------
    >>> from skhier import HierarchicalSampler
    >>> from skhier.theory import necessary_samples, required_samples
    >>> sampler = HierarchicalSampler(patches_per_class=30, random_state=0).fit()
    >>> proved = required_samples(sampler, 0.01, "rigorous", level=1)
    >>> for method in ["coverage", "pixels", "gaussian"]:
    ...     print(method, necessary_samples(sampler, 0.01, method, level=1) <= proved)
    coverage True
    pixels True
    gaussian True
    """
    check_choice(method, "method", (*_LOWER_BOUNDS, "pairs"))
    delta = check_probability(delta, "delta")
    check_fitted(sampler, "sampler", "HierarchicalSampler")
    check_flag(labels, "labels")
    if method != "pairs" and not labels:
        raise ValueError(f"labels=False is for method='pairs', not {method!r}.")
    if method == "pairs" or context is not None:
        return _pairs_bound(sampler, delta, method, level, context, labels)
    first = 0 if method == "coverage" else min(1, len(sampler.patches_) - 1)
    every = range(first, len(sampler.patches_))
    levels = list(every) if level is None else [check_level(sampler, level)]
    bound, compared = _LOWER_BOUNDS[method]
    check_exchangeable_codes(sampler, levels, caller="necessary_samples", compared=compared)
    return max(bound(sampler, level, delta) for level in levels)


def _pairs_bound(sampler, delta, method, level, context, labels):
    """Return the number of pairs of codes that any algorithm needs to tell two hypotheses."""
    if method != "pairs" or level is None or context is None:
        raise ValueError(
            f"method={method!r}, level={level} and context={context!r} do not fit: 'pairs' needs a "
            "level and a context, and the other methods take no context."
        )
    caller, level = "necessary_samples", check_level(sampler, level)
    check_exchangeable_codes(sampler, [level], caller=caller, compared=None)
    k = context_cells(sampler, level, context, labels, caller).k
    if k == 1:  # both hypotheses have the same groups
        return 1
    h = pair_changes(pair_probabilities(sampler, level, context, labels), k).min()
    return max(1, ceil(log(1 / (4 * delta)) / (-2 * np.log1p(-h))))


def coverage_bound(sampler, level, delta):
    one = unseen_probability(sampler, level)[:, 0]
    both = pair_unseen_probability(sampler, level)
    k = sampler.patches_[level].shape[1]
    n_others = np.full(both.shape, k) - np.eye(len(both))

    def is_below_delta(n):
        p = one**n
        p, others = p[p > 0], (n_others * both**n).sum(axis=1)[p > 0]
        return (k * p**2 / (p + others)).sum() <= delta

    return smallest_count(is_below_delta)


def _pixel_bound(sampler, level, delta):
    failure = least_failure(cell_probabilities(sampler, level))
    return smallest_count(lambda n: failure(n) <= delta)


def least_failure(cells: CellProbabilities) -> Callable[[int], float]:
    """Return the bound 'pixels' on the probability of failure, as a function of N."""
    k, (c, e) = cells.k, cells.pairs
    if k == 1:
        return lambda N: 0.0
    p_c, p_e = (cells.probabilities[index] * cells.n_labels for index in (c, e))  # given the label
    both = (p_c > 0) & (p_e > 0)
    ratio = np.where(both, p_c, 1) / np.where(both, p_e, 1)
    h = np.minimum((np.sqrt(p_c) - np.sqrt(p_e)) ** 2 / k, 1 - 1e-15)
    g = 2 * np.sqrt(p_c * p_e) / k * np.log(ratio) ** 2 / (1 - h)
    H, G = -np.log1p(-h).sum(axis=2).mean(axis=1), g.sum(axis=2).mean(axis=1)
    pairs = _disjoint_pairs(c, e, H)
    alpha = (k - 1) / 2
    tangent = _tangent_point(alpha * len(pairs))

    def failure(N):
        u = -np.logaddexp.reduce(-N * H[pairs] - np.sqrt(N * G[pairs]) / 2)
        risk = alpha * np.exp(-u) / (1 + alpha * np.exp(-u))
        if risk <= tangent:
            return risk
        return tangent + tangent * (1 - tangent) * (log(alpha * (1 - tangent) / tangent) - u)

    return failure


def _disjoint_pairs(c, e, H):
    """Return indices of pairs of classes that share no class, those that are most alike first."""
    chosen, taken = [], set()
    for i in np.argsort(H, kind="stable"):
        if taken.isdisjoint((c[i], e[i])):
            chosen.append(i)
            taken |= {c[i], e[i]}
    return chosen


def _tangent_point(A):
    """Return the value at which a tangent of A e^-u / (1 + A e^-u) meets the curve at u = 0."""
    if A <= 1:  # the curve is convex
        return 1.0
    return brentq(lambda z: z + z * (1 - z) * log(A * (1 - z) / z) - A / (1 + A), 1e-300, 0.5)


def _gaussian_bound(sampler, level, delta):
    k, signal, variances, _ = PairStatistics.of_cells(cell_probabilities(sampler, level))
    separation = (signal / np.where(variances > 0, k * variances, 1)).sum(axis=1).min()
    return ceil(4 * norm.isf(delta / (2 * k)) ** 2 / separation)


# Each bound, and what has to differ between classes for it.
_LOWER_BOUNDS: dict[str, tuple[Callable[..., int], Compared | None]] = {
    "coverage": (coverage_bound, None),
    "pixels": (_pixel_bound, "cell probabilities"),
    "gaussian": (_gaussian_bound, "labeled frequencies"),
}
